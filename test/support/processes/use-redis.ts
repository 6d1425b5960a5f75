import { Redis } from 'ioredis'
import { createClients } from '../../../src/clients.ts'
import { LatchkeyError } from '../../../src/errors.ts'
import { createClient } from '../../../src/node.ts'
import { redis } from '../../../src/redis.ts'

// One process of a fleet: it uses the sessions of many users over Redis, one after the other, until it is ended.
const [issuer = '', port = '', sessions = '', name = '', startAt = '0'] = process.argv.slice(2)
const connection = new Redis({ port: Number(port), host: '127.0.0.1', retryStrategy: () => 100 })
connection.on('error', () => {})
const store = redis(connection, { encryptionKey: '5'.repeat(64) })
const clients = createClients({
  store,
  most: 50,
  create: parts =>
    createClient({
      server: {
        issuer,
        authorization_endpoint: `${issuer}/authorize`,
        token_endpoint: `${issuer}/token?by=${name}`,
        jwks_uri: `${issuer}/jwks`,
      },
      clientId: 'fleet',
      scope: 'read',
      allowedOrigins: [issuer],
      ...parts,
    }),
})
const counts: Record<string, number> = {}
const count = (what: string) => {
  counts[what] = (counts[what] ?? 0) + 1
}
process.on('SIGTERM', () => {
  console.log(JSON.stringify(counts))
  process.exit(0)
})
console.log('ready')
for (let index = Number(startAt); ; index++) {
  try {
    const response = await clients.for(`user-${index % Number(sessions)}`).fetch(`${issuer}/api`)
    count(String(response.status))
    await response.text()
  } catch (error) {
    count(
      error instanceof LatchkeyError ? `${error.code}${error.retryable ? ' retryable' : ''}` : String(error),
    )
    await new Promise(resolve => setTimeout(resolve, 20))
  }
}
