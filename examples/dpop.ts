/** Tokens that are useless without a key that does not leave this device (RFC 9449). */
import { createClient } from 'latchkey'
import { dpop } from 'latchkey/dpop'

export const client = createClient({
  issuer: 'https://id.example.com',
  clientId: 'my-spa',
  redirectUri: '/callback',
  scope: 'openid offline_access',
  allowedOrigins: ['https://api.example.com'],
  extensions: [dpop()],
})

await client.start()
export const load = () => client.fetch('https://api.example.com/me') // with a new proof for each request
