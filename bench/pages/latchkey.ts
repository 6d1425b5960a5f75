import { createClient } from 'latchkey'
import { optionsOf, toPeer } from './latchkey-peer.ts'
import { openStormPage } from './storm-page.ts'

openStormPage(config => {
  const client = createClient({
    ...optionsOf(config),
    fetch: async (input, init) =>
      window.bench.isApiInPage && input === config.apiUrl ? new Response('{}') : fetch(input, init),
  })
  return toPeer(client)
})
