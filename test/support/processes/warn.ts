import { clientSecretPost } from '../../../src/client-authentication.ts'
import { createClient } from '../../../src/index.ts'

/** A client that emits a warning, with the logger from the command line: `console` or `none`. */
const [, , logger] = process.argv
createClient({
  issuer: 'https://id.example.com',
  clientId: 'app',
  redirectUri: '/callback',
  allowedOrigins: [],
  clientAuthentication: clientSecretPost('not-so-secret'),
  ...(logger === 'none' && { logger: false }),
})
