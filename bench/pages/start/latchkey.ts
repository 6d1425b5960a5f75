/** `latchkey` is the entry that the bundle is made for: see `bundleApp()`. */
import { createClient } from 'latchkey'
import { scope } from '../config.ts'
import { openStartPage } from './start-page.ts'

openStartPage(({ issuer, clientId, apiOrigins }) => {
  const client = createClient({
    issuer,
    clientId,
    scope,
    redirectUri: '/callback',
    allowedOrigins: apiOrigins,
  })
  return {
    signIn: () => client.signIn({ returnTo: '/' }),
    finishSignIn: () => client.start(),
    restore: () => client.start(),
    call: url => client.fetch(url),
  }
})
