import { createServer } from 'node:http'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { type Listening, listen } from '../../examples/demo/servers/listen.ts'
import { type SessionRecord, sessionOf } from '../../src/core/session.ts'
import { createClient } from '../../src/node.ts'
import { redis } from '../../src/redis.ts'
import { type OpenConnection, type RedisServer, redisClients, startRedis } from '../support/redis-server.ts'
import { hasService } from '../support/services.ts'

// A lease excludes other holders for a limited time. Here it ends while its holder waits for the token response: the test
// removes the server's key, as if the holder had been stopped for 14 s or a failover had lost the lease.

let database: RedisServer
let server: Listening
let connection: OpenConnection
/** Token requests that wait for their response, by sender. */
const waiting: { readonly by: string; readonly answer: () => void }[] = []
const revoked: string[] = []
let made = 0
let user = 0

// on a machine without Redis the tests do not exist, instead of being skipped
const isHere = hasService('Redis')
const whereFound = isHere ? test : () => {}
beforeAll(async () => {
  if (!isHere) return
  database = await startRedis()
  connection = await (redisClients.ioredis as (port: number) => Promise<OpenConnection>)(database.port)
  server = await listen(
    createServer(async (request, response) => {
      const chunks: Buffer[] = []
      for await (const chunk of request) chunks.push(chunk as Buffer)
      const url = new URL(request.url ?? '/', server.origin)
      if (url.pathname === '/revoke') {
        revoked.push(new URLSearchParams(Buffer.concat(chunks).toString()).get('token') ?? '')
        return response.end()
      }
      if (url.pathname !== '/token') return response.end()
      const number = ++made // a grace period: each request with the old refresh token gets a new one
      waiting.push({
        by: url.searchParams.get('by') ?? '',
        answer: () =>
          response.writeHead(200, { 'content-type': 'application/json' }).end(
            JSON.stringify({
              ...{ access_token: `access-${number}`, refresh_token: `refresh-${number}` },
              ...{ token_type: 'Bearer', expires_in: 3600, scope: 'read' },
            }),
          ),
      })
    }),
    { name: 'authorization server' },
  )
})
afterAll(async () => {
  await connection?.close()
  await server?.close()
  await database?.close()
})
beforeEach(() => {
  user++
  waiting.length = revoked.length = made = 0
})

const key = () => `latchkey ${server.origin} fleet of user-${user} session`
const stored = async () => {
  const record = sessionOf((await redis(connection.connection).keyValue.get(key())) as SessionRecord)
  return record && { version: record.version, refreshToken: record.tokens.refreshToken }
}
const arrived = (by: string) =>
  expect.poll(() => waiting.find(one => one.by === by), { timeout: 5000 }).toBeDefined()
const answer = (by: string) => waiting.find(one => one.by === by)?.answer()
const endLease = async () => {
  const [lease, ...others] = (await database.command('KEYS', '{latchkey}:lock:*')) as string[]
  expect(others).toEqual([])
  await database.command('DEL', lease as string)
}

/** A process of the fleet. */
const member = (by: string, store = redis(connection.connection)) =>
  createClient({
    server: {
      ...{ issuer: server.origin, authorization_endpoint: `${server.origin}/authorize` },
      ...{ token_endpoint: `${server.origin}/token?by=${by}`, jwks_uri: `${server.origin}/jwks` },
      revocation_endpoint: `${server.origin}/revoke`,
    },
    ...{ clientId: 'fleet', scope: 'read', allowedOrigins: [server.origin], session: `user-${user}` },
    store,
  })

/** Stores the session of a user. */
async function signedIn(expiresAt: number) {
  const record: SessionRecord = {
    ...{ schema: 1, sessionId: `session-${user}`, version: 1 },
    tokens: {
      accessToken: 'access-0',
      refreshToken: 'refresh-0',
      scope: 'read',
      expiresAt,
    },
  }
  await redis(connection.connection).keyValue.update(key(), () => record)
}

async function expired() {
  await signedIn(Date.now() - 1000)
  return { first: member('first'), second: member('second') }
}

whereFound(
  'a holder whose lease ran out does not overwrite what its successor stored, and takes that',
  async () => {
    const { first, second } = await expired()
    const slow = first.getAccessToken()
    await arrived('first')
    await endLease()
    const quick = second.getAccessToken()
    await arrived('second')
    answer('second')
    expect(await quick).toBe('access-2')
    answer('first')
    expect(await slow).toBe('access-2')
    expect(await stored()).toEqual({ version: 2, refreshToken: 'refresh-2' })
    expect(revoked).toEqual([]) // revoking one of them would end the session for all
    for (const one of [first, second]) one.dispose()
  },
)

whereFound(
  'a holder whose lease ran out stores its answer if nobody stored another, so that it is not lost',
  async () => {
    const { first, second } = await expired()
    const slow = first.getAccessToken()
    await arrived('first')
    await endLease()
    const next = second.getAccessToken()
    await arrived('second')
    answer('first')
    expect(await slow).toBe('access-1')
    expect(await stored()).toEqual({ version: 2, refreshToken: 'refresh-1' })
    answer('second')
    expect(await next).toBe('access-1')
    expect(await stored()).toEqual({ version: 2, refreshToken: 'refresh-1' })
    for (const one of [first, second]) one.dispose()
  },
)

whereFound(
  'a holder whose lease ran out does not bring back a session that was signed out of meanwhile',
  async () => {
    const { first, second } = await expired()
    const slow = first.getAccessToken().catch(error => error.code)
    await arrived('first')
    await endLease()
    await second.start()
    await second.signOut()
    answer('first')
    expect(await slow).toBe('ERR_AUTHORIZATION_REQUIRED')
    expect(await stored()).toBeUndefined()
    await expect.poll(() => revoked).toContain('refresh-1')
    for (const one of [first, second]) one.dispose()
  },
)

whereFound(
  'a holder whose lease ran out before it marked the record sends nothing, whatever its own clock says',
  async () => {
    const { second } = await expired()
    const store = redis(connection.connection)
    let goOn = () => {}
    let isStopped = false
    const stopped = new Promise<void>(resolve => {
      goOn = resolve
    })
    // as on a virtual machine that was suspended: its clock did not go on
    const update: typeof store.keyValue.update = async (name, change) => {
      isStopped = true
      await stopped
      return store.keyValue.update(name, change)
    }
    const first = member('first', { ...store, keyValue: { ...store.keyValue, update } })
    const slow = first.getAccessToken().catch(error => error)
    await expect.poll(() => isStopped).toBe(true)
    await endLease()
    const quick = second.getAccessToken()
    await arrived('second')
    goOn()
    expect(await slow).toMatchObject({ code: 'ERR_NETWORK', retryable: true })
    expect(waiting.map(({ by }) => by)).toEqual(['second'])
    answer('second')
    expect(await quick).toBe('access-1')
    expect(await first.getAccessToken()).toBe('access-1')
    for (const one of [first, second]) one.dispose()
  },
)

whereFound('idle() waits for a refresh that is under way, and for its answer to be stored', async () => {
  await expired()
  const store = redis(connection.connection)
  const client = member('last', store)
  await store.idle()
  const order: string[] = []
  client.getAccessToken().catch(() => {})
  await arrived('last')
  client.dispose()
  const idle = store.idle().then(async () => order.push(`idle, ${(await stored())?.refreshToken}`))
  order.push('answered')
  answer('last')
  await idle
  expect(order).toEqual(['answered', 'idle, refresh-1'])
})

whereFound(
  'while Redis does not answer, a valid access token is used, and nobody refreshes: the others get a retryable error',
  async () => {
    await signedIn(Date.now() + 3_600_000)
    const fresh = member('fresh')
    expect((await fresh.start()).status).toBe('signed-in')
    user++
    await signedIn(Date.now() - 1000)
    const late = member('late')

    await database.command('CLIENT', 'PAUSE', '8000', 'ALL')
    const api = `${server.origin}/api`
    const away = { code: 'ERR_STORAGE', retryable: true }
    await Promise.all([
      expect(fresh.fetch(api)).resolves.toMatchObject({ status: 200 }),
      expect(late.fetch(api)).rejects.toMatchObject(away),
      expect(fresh.getAccessToken({ forceRefresh: true })).rejects.toMatchObject(away),
    ])
    expect(await fresh.getAccessToken()).toBe('access-0')
    expect((await fresh.fetch(api)).status).toBe(200)
    expect(made).toBe(0)

    await database.command('PING') // answered when the pause is over
    const token = late.getAccessToken()
    await arrived('late')
    answer('late')
    expect(await token).toBe('access-1')
    for (const one of [fresh, late]) one.dispose()
  },
  30_000,
)
