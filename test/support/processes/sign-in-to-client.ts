import { createClient, file, loopback } from '../../../src/node.ts'

// A command-line tool that signs in with a client and prints the result. Its server answers with this query.
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
    async open(url) {
      if (open === 'fails') throw new Error('no browser')
      const callback = new URL(new URL(url).searchParams.get('redirect_uri') ?? '')
      callback.search = open
      await fetch(callback)
    },
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
