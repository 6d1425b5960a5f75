import { clientSecretPost } from '../../../src/client-authentication.ts'
import { createClient } from '../../../src/index.ts'

/** A client with something to warn of, with the logger that the command line names: `console` or `none`. */
const [, , logger] = process.argv
createClient({
  issuer: 'https://id.example.com',
  clientId: 'app',
  redirectUri: '/callback',
  allowedOrigins: [],
  clientAuthentication: clientSecretPost('not-so-secret'),
  ...(logger === 'none' && { logger: false }),
})
