import { createMinimalClient } from '../../minimal-client.ts'
import { scope } from '../config.ts'
import { openStartPage } from './start-page.ts'

openStartPage(({ issuer, clientId }) => {
  const redirectUri = `${location.origin}/callback`
  const client = createMinimalClient({ issuer, clientId, redirectUri, scope })
  return {
    signIn: () => client.signIn(),
    finishSignIn: () => client.finishSignIn(),
    restore: () => client.start(),
    call: url => client.fetch(url),
  }
})
