import { createClient } from 'latchkey'
import { scope } from './config.ts'
import { openStormPage } from './storm-page.ts'

openStormPage(({ issuer, clientId, apiOrigins, apiUrl }) => {
  const client = createClient({
    issuer,
    clientId,
    scope,
    redirectUri: '/callback',
    allowedOrigins: apiOrigins,
    fetch: async (input, init) =>
      window.bench.isApiInPage && input === apiUrl ? new Response('{}') : fetch(input, init),
  })
  return {
    signIn: () => client.signIn({ returnTo: '/' }),
    finishSignIn: () => client.start(),
    restore: () => client.start(),
    call: url => client.fetch(url),
  }
})
