import { createClient, file, loopback } from '../../../src/runtime/node.ts'

// A command-line tool that signs in with a client, and says what came of it.
const [redirectUri = '', path = '', open = ''] = process.argv.slice(2)
const issuer = 'https://id.example.com'
const client = createClient({
  server: {
    issuer,
    authorization_endpoint: `${issuer}/authorize`,
    token_endpoint: `${issuer}/token`,
    jwks_uri: `${issuer}/jwks`,
  },
  clientId: 'cli',
  redirectUri,
  allowedOrigins: [],
  store: file(path),
  userAgent: loopback({
    open:
      open === 'fails' ? () => Promise.reject(new Error('no browser')) : url => console.log(`shown ${url}`),
  }),
})
try {
  const { status } = await client.signIn()
  console.log(`session ${status}`)
} catch (error) {
  const { code, reason = '', message } = error as { code?: string; reason?: string; message: string }
  console.log(`refused ${code} ${reason}`)
  console.log(message)
}
