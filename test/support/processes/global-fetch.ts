import { createClient, memory } from 'latchkey'
import { session, storeSession } from '../../../bench/support/stored-session.ts'

// Makes client.fetch the global fetch, and calls an API with it.
const [origin = ''] = process.argv.slice(2)
const { issuer, clientId } = session
const store = memory()
await storeSession(store)
const client = createClient({
  server: { issuer, authorization_endpoint: `${issuer}authorize`, token_endpoint: `${issuer}token` },
  clientId,
  redirectUri: 'http://127.0.0.1/callback',
  allowedOrigins: [origin],
  store,
})
globalThis.fetch = client.fetch
const response = await fetch(`${origin}/plain`)
process.stdout.write(`${response.status}\n`)
client.dispose()
