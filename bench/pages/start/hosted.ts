import { createClient } from 'latchkey'
import { worker } from 'latchkey/worker'
import { scope } from '../config.ts'
import { openStartPage } from './start-page.ts'

openStartPage(({ issuer, clientId, apiOrigins }) => {
  const client = createClient({
    issuer,
    clientId,
    scope,
    redirectUri: '/callback',
    allowedOrigins: apiOrigins,
    host: worker('/latchkey-worker.js'),
  })
  return {
    signIn: () => client.signIn({ returnTo: '/' }),
    finishSignIn: () => client.start(),
    restore: () => client.start(),
    call: url => client.fetch(url),
  }
})
