// A service that runs in several processes. It calls an API with its own token, which all its processes share in Redis. It
// also calls an API for the user whose request it answers: it exchanges the user's token for one that this API accepts.
import { createServer } from 'node:http'
import { clientSecretBasic } from 'latchkey/client-authentication'
import { clientCredentials, tokenExchange } from 'latchkey/grants'
import { createClient, LatchkeyError } from 'latchkey/node'
import { redis } from 'latchkey/redis'
import { createClient as connect } from 'redis'

const { SERVICE_ISSUER, SERVICE_SECRET, SERVICE_REDIS, SERVICE_KEY, SERVICE_API, SERVICE_PORT } = process.env
const api = SERVICE_API ?? 'https://api.example.com'

const connection = connect({ url: SERVICE_REDIS ?? 'redis://127.0.0.1:6379' })
connection.on('error', error => console.error(`Redis: ${error.code ?? error.name}`)) // it reconnects automatically
await connection.connect()
const store = redis(connection, SERVICE_KEY ? { encryptionKey: SERVICE_KEY } : {})

const common = {
  issuer: SERVICE_ISSUER ?? 'https://id.example.com',
  clientId: 'my-service',
  clientAuthentication: clientSecretBasic(SERVICE_SECRET ?? 'secret'),
  scope: 'notes:read',
  allowedOrigins: [api],
  store,
}
const service = createClient({ ...common, grant: clientCredentials() })

const server = createServer(async (request, response) => {
  const answer = (status: number, body: string) => response.writeHead(status).end(body)
  try {
    if (request.url === '/own') {
      const upstream = await service.fetch(`${api}/notes`)
      return answer(upstream.status, await upstream.text())
    }
    // validate this token before you act on it, for example with latchkey/resource-server
    const [, subjectToken] = /^Bearer (.+)$/.exec(request.headers.authorization ?? '') ?? []
    if (!subjectToken) return answer(401, 'An access token is missing.')
    const forUser = createClient({ ...common, grant: tokenExchange({ subjectToken, audience: 'notes' }) })
    try {
      const upstream = await forUser.fetch(`${api}/notes`)
      return answer(upstream.status, await upstream.text())
    } finally {
      forUser.dispose() // the token stays in Redis, for the next request with the same token
    }
  } catch (error) {
    const isLater = error instanceof LatchkeyError && error.retryable
    answer(isLater ? 503 : 502, error instanceof Error ? error.message : 'failed')
  }
})
server.listen(Number(SERVICE_PORT ?? 8080), '127.0.0.1', () => {
  console.log(`listening on ${JSON.stringify(server.address())}`)
})
process.once('SIGTERM', async () => {
  server.close()
  service.dispose()
  await store.idle() // waits for a refresh in progress
  connection.destroy()
})
