import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as wait } from 'node:timers/promises'
import { Redis, type RedisOptions } from 'ioredis'
import { type SessionRecord, sessionOf } from '../../src/core/session.ts'
import { createClient } from '../../src/node.ts'
import { redis } from '../../src/redis.ts'
import type { Random } from '../simulation/scheduler.ts'
import { startRedisPair } from '../support/redis-sentinel.ts'
import { startRedis } from '../support/redis-server.ts'
import { runnable } from '../support/runnable.ts'
import type { Sender } from './redemption-judge.ts'
import { type Family, startRotatingServer } from './rotating-server.ts'

/** Longer than a lease. */
const LONG_STOP_MS = 17_000
const KEY = '5'.repeat(64)
/** The process that uses each session after all faults have stopped. */
const JUDGE: Sender = { name: 'judge', isDead: false, stoppedMs: 0 }

export interface RedisStormOptions {
  readonly random: Random
  readonly processes: number
  readonly sessions: number
  readonly seconds: number
  /** Lifetime of access tokens. */
  readonly accessTokenSeconds: number
  /** The mean interval between kills, and between stops, of one process. 0: never. */
  readonly killEveryMs: number
  readonly stopEveryMs: number
  /** The mean interval between moments when Redis does not respond. 0: never. */
  readonly pauseEveryMs: number
  /** Two servers and a Sentinel: the mean intervals between restarts and replacements of the primary. */
  readonly pair?: { readonly restartEveryMs: number; readonly failOverEveryMs: number }
  readonly say?: (line: string) => void
}

export interface RedisStormResult {
  readonly calls: Readonly<Record<string, number>>
  readonly rotations: number
  /** Refresh tokens received by the server, of sessions that were not lost. */
  readonly presented: number
  /** Lost sessions, by reason. The first three are unavoidable: see `Loss`. */
  readonly lostWithAnswer: number
  readonly lostByFailover: number
  /** Its process was alive, and Redis was unavailable until another process could send the refresh token. */
  readonly lostUnstored: number
  readonly lostByTwo: number
  readonly lostThoughStored: number
  /** Sessions that exist at the server but whose calls never succeed after all faults have stopped. */
  readonly stuck: readonly string[]
  readonly killed: number
  readonly stopped: number
  readonly paused: number
  readonly restarted: number
  readonly failedOver: number
}

/** Outcomes that must never happen. */
export const isCleanFleet = ({ lostByTwo, lostThoughStored, stuck }: RedisStormResult): boolean =>
  lostByTwo + lostThoughStored + stuck.length === 0

interface Member extends Sender {
  readonly child: ChildProcess
  stop(ms: number): Promise<void>
  kill(): void
  wasDisturbedSince(at: number): boolean
}

/** Where the fleet's sessions are stored. */
async function startDatabase(isPair: boolean) {
  if (isPair) return startRedisPair()
  const one = await startRedis()
  const options: RedisOptions = { port: one.port, host: '127.0.0.1', retryStrategy: () => 100 }
  const never = () => Promise.reject(new Error('There is one server only.'))
  return { ...one, options, restart: never, failOver: never }
}

/** The processes of a fleet, which start and end. */
function createFleet(configuration: object) {
  const script = runnable('test/support/processes/use-redis.ts')
  const members = new Map<string, Member>()
  const calls: Record<string, number> = {}
  let started = 0
  const start = async () => {
    const name = `process-${++started}`
    const config = JSON.stringify({ ...configuration, name, seed: started })
    const child = spawn(process.execPath, [script, config], { stdio: ['ignore', 'pipe', 'inherit'] })
    let [isDead, isStopped, lastStopMs, thawedAt] = [false, false, 0, -10_000]
    members.set(name, {
      ...{ name, child },
      get isDead() {
        return isDead
      },
      get stoppedMs() {
        return performance.now() - thawedAt < 3000 ? lastStopMs : 0
      },
      async stop(ms) {
        isStopped = true
        child.kill('SIGSTOP')
        const from = performance.now()
        await wait(ms)
        lastStopMs = performance.now() - from
        thawedAt = performance.now()
        isStopped = false
        child.kill('SIGCONT')
      },
      wasDisturbedSince: at => isDead || isStopped || thawedAt > at,
      kill() {
        isDead = true
        if (isStopped) child.kill('SIGCONT')
        child.kill('SIGKILL')
      },
    })
    const ready = new Promise<void>(resolve => {
      child.once('close', () => resolve())
      child.stdout?.once('data', () => resolve())
    })
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      for (const line of text.split('\n').filter(one => one.startsWith('{')))
        for (const [what, count] of Object.entries(JSON.parse(line) as Record<string, number>))
          calls[what] = (calls[what] ?? 0) + count
    })
    await ready
  }
  const living = () => [...members.values()].filter(({ isDead }) => !isDead)
  return {
    ...{ calls, start, living },
    of: (name: string) => members.get(name),
    /** Makes all of them report what they did, and end. */
    async end() {
      const ended = living().map(({ child }) => once(child, 'close'))
      for (const { child } of living()) {
        child.kill('SIGCONT')
        child.kill('SIGTERM')
      }
      await Promise.all(ended)
    },
    async kill() {
      const left = living().filter(({ child }) => child.exitCode === null && child.signalCode === null)
      const ended = left.map(({ child }) => once(child, 'close'))
      for (const member of left) member.kill()
      await Promise.all(ended)
    },
  }
}

/**
 * Processes of a fleet that share sessions over a real Redis. The server rotates refresh tokens, has no grace period, and
 * ends a family whose old token is reused.
 */
export async function redisStorm(options: RedisStormOptions): Promise<RedisStormResult> {
  const { random, sessions, accessTokenSeconds, pair, say = () => {} } = options
  const database = await startDatabase(pair !== undefined)
  const connection = new Redis(database.options)
  connection.on('error', () => {})
  const store = redis(connection, { encryptionKey: KEY })
  const keyOf = (user: string) => `latchkey ${server.issuer} fleet of ${user} session`
  const failOvers: { readonly from: number; to: number }[] = []
  const done = { killed: 0, stopped: 0, paused: 0, restarted: 0, failedOver: 0 }

  const server = await startRotatingServer({
    ...{ random, accessTokenSeconds, say, senderOf: name => (name === JUDGE.name ? JUDGE : fleet.of(name)) },
    async storedFor(user) {
      for (;;) {
        const stored = await store.keyValue.get(keyOf(user)).then(
          value => ({ value }),
          () => undefined,
        )
        if (stored) return sessionOf(stored.value as SessionRecord)?.tokens.refreshToken
      }
    },
    wasDisturbedSince: (name, at) => fleet.of(name)?.wasDisturbedSince(at - 100) ?? false,
    wasFailedOverSince: at => failOvers.some(({ to }) => to > at - 1000),
  })
  const { issuer } = server
  const fleet = createFleet({ issuer, sessions, options: database.options, key: KEY })

  const signInAll = async () => {
    for (let index = 0; index < sessions; index++) {
      const user = `user-${index}`
      const { expiresAt, ...tokens } = server.signIn(user)
      // spread over time, like real sessions
      const left = ((index % 10) / 10) * accessTokenSeconds * 1000
      const record: SessionRecord = {
        ...{ schema: 1, sessionId: `session-${index}`, version: 1 },
        tokens: { ...tokens, scope: 'read', expiresAt: expiresAt - accessTokenSeconds * 1000 + left },
      }
      await store.keyValue.update(keyOf(user), () => record)
    }
  }

  const disturb = async () => {
    const end = Date.now() + options.seconds * 1000
    const every = async (ms: number, work: () => Promise<void>) => {
      for (;;) {
        const pauseMs = random.between(ms / 2, ms * 1.5)
        if (!ms || Date.now() + pauseMs > end) return
        await wait(pauseMs)
        await work()
      }
    }
    const stops: Promise<void>[] = []
    await Promise.all([
      wait(options.seconds * 1000),
      every(options.killEveryMs, async () => {
        done.killed++
        random.pick(fleet.living()).kill()
        await fleet.start()
      }),
      every(options.stopEveryMs, async () => {
        done.stopped++
        const ms = random.chance(0.3) ? LONG_STOP_MS : random.between(100, 4000)
        stops.push(random.pick(fleet.living()).stop(ms))
      }),
      every(options.pauseEveryMs, async () => {
        done.paused++
        if (pair && random.chance(0.5)) await database.command('DEBUG', 'SLEEP', '0.8')
        else await database.command('CLIENT', 'PAUSE', '700', 'ALL')
      }),
      every(pair?.restartEveryMs ?? 0, async () => {
        if (failOvers.some(({ to }) => to === Number.POSITIVE_INFINITY)) return
        await database.restart()
        done.restarted++
        say('Redis was restarted')
      }),
      every(pair?.failOverEveryMs ?? 0, async () => {
        const failOver = { from: performance.now(), to: Number.POSITIVE_INFINITY }
        failOvers.push(failOver)
        await database.failOver()
        failOver.to = performance.now()
        done.failedOver++
        say(`the primary was replaced within ${Math.round(failOver.to - failOver.from)} ms`)
      }),
    ])
    await Promise.all(stops)
  }

  /** After all faults have stopped, a newly started process uses each session. */
  const findStuck = async (): Promise<string[]> => {
    const stuck: string[] = []
    for (const family of server.families) {
      const { user } = family
      if (family.loss) continue
      const client = createClient({
        server: {
          ...{ issuer, authorization_endpoint: `${issuer}/authorize` },
          ...{ token_endpoint: `${issuer}/token?by=${JUDGE.name}`, jwks_uri: `${issuer}/jwks` },
        },
        ...{ clientId: 'fleet', scope: 'read', allowedOrigins: [issuer], store, session: user },
      })
      const answer = await client.fetch(`${issuer}/api`).then(
        ({ status }) => (status === 200 ? undefined : String(status)),
        error => String(error.code ?? error),
      )
      // this call may be the first to show a loss, which is then counted by its kind
      if (answer && !family.loss) stuck.push(`${user}: ${answer}`)
      client.dispose()
    }
    return stuck
  }

  try {
    await signInAll()
    await Promise.all(Array.from({ length: options.processes }, fleet.start))
    say(`${options.processes} processes use ${sessions} sessions`)
    await disturb()
    await fleet.end()
    const stuck = await findStuck()
    const lost = (loss: Family['loss']) => server.families.filter(family => family.loss === loss).length
    return {
      ...{ calls: fleet.calls, ...done, stuck },
      ...{ rotations: server.counts.rotations, presented: server.counts.presented },
      ...{ lostWithAnswer: lost('with-answer'), lostByFailover: lost('failover') },
      lostUnstored: lost('unstored'),
      ...{ lostByTwo: lost('by-two'), lostThoughStored: lost('though-stored') },
    }
  } finally {
    await fleet.kill()
    connection.disconnect()
    server.close()
    await database.close()
  }
}
