import { createClient } from 'latchkey'
import { session } from '../support/stored-session.ts'
import { apiUrl, finished } from './restore-page.ts'

const client = createClient({
  issuer: session.issuer,
  clientId: session.clientId,
  redirectUri: '/callback',
  allowedOrigins: [new URL(apiUrl).origin],
})
await client.start()
await finished(await client.fetch(apiUrl))
