import { Redis, type RedisOptions } from 'ioredis'
import { createClients } from '../../../src/clients.ts'
import { LatchkeyError } from '../../../src/errors.ts'
import { createClient } from '../../../src/node.ts'
import { redis } from '../../../src/redis.ts'
import { createRandom } from '../../simulation/scheduler.ts'

interface Configuration {
  readonly issuer: string
  readonly options: RedisOptions
  readonly sessions: number
  readonly name: string
  readonly key: string
  readonly seed: number
}

// One process of a fleet: it uses the sessions of many users in Redis, a few at a time, until it gets SIGTERM.
const config = JSON.parse(process.argv[2] ?? '') as Configuration
const { issuer, sessions, name } = config
const connection = new Redis({
  ...config.options,
  retryStrategy: () => 100,
  sentinelRetryStrategy: () => 100,
  reconnectOnError: error => (error.message.startsWith('READONLY') ? 2 : false),
})
connection.on('error', () => {})
const random = createRandom(config.seed)
const store = redis(connection, { encryptionKey: config.key })
const clients = createClients({
  store,
  most: Math.ceil(sessions / 2),
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
const call = async () => {
  try {
    const response = await clients.for(`user-${random.between(0, sessions - 1)}`).fetch(`${issuer}/api`)
    count(String(response.status))
    await response.text()
  } catch (error) {
    count(
      error instanceof LatchkeyError ? `${error.code}${error.retryable ? ' retryable' : ''}` : String(error),
    )
  }
}
let isOver = false
const use = async () => {
  while (!isOver) {
    await call()
    await new Promise(resolve => setTimeout(resolve, random.between(0, 100)))
  }
}
process.on('SIGTERM', () => {
  isOver = true // pending calls finish first
})
console.log('ready')
Promise.all([use(), use(), use()]).then(async () => {
  await store.idle()
  console.log(JSON.stringify(counts))
  process.exit(0)
})
