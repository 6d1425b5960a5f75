import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as wait } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { SessionRecord } from '../../src/core/session.ts'
import { redis } from '../../src/redis.ts'
import { redisClients, startRedis } from '../support/redis-server.ts'

export interface RedisStormOptions {
  readonly processes: number
  readonly sessions: number
  readonly seconds: number
  /** Lifetime of access tokens. */
  readonly accessTokenSeconds: number
  /** How often one process is killed, and one stopped for a while. 0: never. */
  readonly killEveryMs: number
  readonly stopEveryMs: number
  readonly stopForMs: number
  /** How often Redis does not answer for a moment. 0: never. */
  readonly pauseEveryMs: number
}

export interface RedisStormResult {
  readonly calls: Readonly<Record<string, number>>
  readonly rotations: number
  /** Refresh tokens that were presented again. */
  readonly reuses: number
  /** Of those: their process was killed or stopped between the request and the write. Nothing can prevent these. */
  readonly inevitable: number
  readonly familiesLost: number
  readonly killed: number
  readonly stopped: number
}

interface Family {
  readonly user: string
  refreshToken: string
  accessToken: string
  expiresAt: number
  readonly spent: Map<string, { readonly by: string; readonly at: number }>
  isAlive: boolean
}

/** How long after its answer a process may still be about to store what it got. */
const STORING_MS = 3000

/**
 * Processes of a fleet that share sessions over a real Redis, at a server that rotates refresh tokens, gives no grace and ends
 * a family whose old token comes again.
 */
export async function redisStorm(options: RedisStormOptions): Promise<RedisStormResult> {
  const { processes, sessions, accessTokenSeconds } = options
  const families: Family[] = []
  const byRefreshToken = new Map<string, Family>()
  const byAccessToken = new Map<string, Family>()
  const disturbed = new Map<string, number>()
  let [rotations, reuses, inevitable, made] = [0, 0, 0, 0]

  const issue = (family: Family) => {
    family.refreshToken = `refresh-${++made}`
    family.accessToken = `access-${made}`
    family.expiresAt = Date.now() + accessTokenSeconds * 1000
    byRefreshToken.set(family.refreshToken, family)
    byAccessToken.set(family.accessToken, family)
    return {
      access_token: family.accessToken,
      refresh_token: family.refreshToken,
      token_type: 'Bearer',
      expires_in: accessTokenSeconds,
      scope: 'read',
    }
  }

  const refresh = (sent: string, by: string): [number, object] => {
    const family = byRefreshToken.get(sent)
    if (!family?.isAlive) return [400, { error: 'invalid_grant' }]
    const spent = family.spent.get(sent)
    if (spent) {
      reuses++
      const disturbedAt = disturbed.get(spent.by)
      if (disturbedAt !== undefined && disturbedAt - spent.at < STORING_MS) inevitable++
      family.isAlive = false
      return [400, { error: 'invalid_grant' }]
    }
    family.spent.set(sent, { by, at: Date.now() })
    rotations++
    return [200, issue(family)]
  }

  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    const url = new URL(request.url ?? '/', 'http://127.0.0.1')
    const answer = (status: number, body: object) =>
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
    if (url.pathname === '/token') {
      const form = new URLSearchParams(Buffer.concat(chunks).toString())
      const [status, body] = refresh(form.get('refresh_token') ?? '', url.searchParams.get('by') ?? '')
      await wait(20)
      return answer(status, body)
    }
    const accessToken = request.headers.authorization?.replace('Bearer ', '') ?? ''
    const family = byAccessToken.get(accessToken)
    const isValid = family?.isAlive && family.accessToken === accessToken && Date.now() < family.expiresAt
    if (!isValid) response.setHeader('www-authenticate', 'Bearer error="invalid_token"')
    answer(isValid ? 200 : 401, {})
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const database = await startRedis()
  const children = new Map<string, ChildProcess>()
  const calls: Record<string, number> = {}
  let [killed, stopped, started] = [0, 0, 0]

  const start = async () => {
    const name = `process-${++started}`
    const path = fileURLToPath(new URL('../support/processes/use-redis.ts', import.meta.url))
    const startAt = Math.floor((started * sessions) / processes)
    const args = [
      '--import',
      'tsx',
      path,
      issuer,
      String(database.port),
      String(sessions),
      name,
      String(startAt),
    ]
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
    children.set(name, child)
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      for (const line of text.split('\n').filter(one => one.startsWith('{')))
        for (const [what, count] of Object.entries(JSON.parse(line) as Record<string, number>))
          calls[what] = (calls[what] ?? 0) + count
    })
    await new Promise<void>(resolve => child.stdout?.once('data', () => resolve()))
  }
  const pick = () => [...children.keys()][Math.floor(Math.random() * children.size)]

  try {
    const connection = await (redisClients.ioredis as NonNullable<(typeof redisClients)[string]>)(
      database.port,
    )
    const store = redis(connection.connection, { encryptionKey: '5'.repeat(64) })
    for (let index = 0; index < sessions; index++) {
      const family: Family = {
        ...{ user: `user-${index}`, refreshToken: '', accessToken: '', expiresAt: 0, isAlive: true },
        spent: new Map(),
      }
      families.push(family)
      const { access_token, refresh_token } = issue(family)
      const record: SessionRecord = {
        ...{ schema: 1, sessionId: `session-${index}`, version: 1 },
        // spread over time, as sessions are
        tokens: {
          accessToken: access_token,
          refreshToken: refresh_token,
          scope: 'read',
          expiresAt: Date.now() + ((index % 10) / 10) * accessTokenSeconds * 1000,
        },
      }
      const key = `latchkey ${issuer} fleet of user-${index} session`
      await store.keyValue.update(key, () => record)
    }
    await connection.close()
    await Promise.all(Array.from({ length: processes }, start))

    const end = Date.now() + options.seconds * 1000
    const every = async (ms: number, work: () => Promise<void>) => {
      while (ms && Date.now() + ms < end) {
        await wait(ms)
        await work()
      }
    }
    await Promise.all([
      wait(options.seconds * 1000),
      every(options.killEveryMs, async () => {
        const name = pick()
        if (!name) return
        disturbed.set(name, Date.now())
        children.get(name)?.kill('SIGKILL')
        children.delete(name)
        killed++
        await start()
      }),
      every(options.stopEveryMs, async () => {
        const name = pick()
        const child = name && children.get(name)
        if (!name || !child) return
        disturbed.set(name, Date.now())
        child.kill('SIGSTOP')
        stopped++
        await wait(options.stopForMs)
        child.kill('SIGCONT')
      }),
      every(options.pauseEveryMs, async () => {
        await database.command('CLIENT', 'PAUSE', '700', 'ALL')
      }),
    ])
    for (const child of children.values()) child.kill('SIGCONT')
    const ended = [...children.values()].map(child => once(child, 'close'))
    for (const child of children.values()) child.kill('SIGTERM')
    await Promise.all(ended)
  } finally {
    for (const child of children.values()) if (child.exitCode === null) child.kill('SIGKILL')
    server.closeAllConnections()
    server.close()
    await database.close()
  }
  const familiesLost = families.filter(({ isAlive }) => !isAlive).length
  return { calls, rotations, reuses, inevitable, familiesLost, killed, stopped }
}
