import { memory } from '../src/node.ts'
import { redis } from '../src/redis.ts'
import { redisClients, startRedis } from '../test/support/redis-server.ts'
import { findRedisServer } from '../test/support/services.ts'
import type { Bursts, Idle, Paces } from './support/measure-services.ts'
import { importBundled } from './support/node-bundle.ts'
import { type Bench, interval, median, percent, range, ratioOf, type Table } from './support/report.ts'
import { shuffled } from './support/turns.ts'

type OnNode = typeof import('./support/measure-services.ts')

const CALLS_AT_ONCE = 10_000
const CALLS_IN_A_ROW = 20_000

/** The first of `found` is what all are compared with. */
function burstTable(found: Readonly<Record<string, Bursts>>, rounds: number): Table {
  const [[, base] = ['', undefined]] = Object.entries(found)
  const ratio = (of: 'coldMs' | 'warmMs', bursts: Bursts) =>
    bursts === base ? '' : (median(bursts[of]) / median(base?.[of] ?? [])).toFixed(2)
  return {
    title: `${CALLS_AT_ONCE} calls at once with one service token, to an API that answers at once; ${rounds} rounds`,
    columns: ['', 'token requests', 'calls failed', 'no token yet, ms', 'ratio', 'fresh token, ms', 'ratio'],
    rows: Object.entries(found).map(([name, bursts]) => [
      ...[name, range(bursts.requests), range(bursts.failed)],
      ...[Math.round(median(bursts.coldMs)), ratio('coldMs', bursts)],
      ...[median(bursts.warmMs).toFixed(1), ratio('warmMs', bursts)],
    ]),
  }
}

/** Calls with the token in memory, and with the token in Redis. */
async function measurePaces(onNode: OnNode, rounds: number): Promise<Readonly<Record<string, Paces>>> {
  const server = findRedisServer() ? await startRedis() : undefined
  const connection = server && (await redisClients.ioredis?.(server.port))
  const stores = {
    memory: () => memory(),
    ...(connection && { Redis: () => redis(connection.connection) }),
  }
  try {
    return await onNode.measurePaces(stores, CALLS_IN_A_ROW, rounds)
  } finally {
    await connection?.close()
    await server?.close()
  }
}

function paceTable(found: Readonly<Record<string, Paces>>, rounds: number): Table {
  const base = found.memory?.perSecond ?? []
  return {
    title: `client.fetch, one call after the other, to an API that answers at once; ${rounds} rounds`,
    columns: ['token in', 'calls per second', 'ratio', 'nine times in ten', 'first call of a new client, ms'],
    rows: Object.entries(found).map(([name, { perSecond, firstMs }]) => {
      const ratio = ratioOf(perSecond, base)
      const compared = perSecond === base ? ['', ''] : [percent(ratio.ratio), interval(ratio)]
      return [name, Math.round(median(perSecond)), ...compared, median(firstMs).toFixed(2)]
    }),
  }
}

/** All clients of 100,000 sessions would need gigabytes: the option "most" is there for them. */
const idleSettings = [
  { sessions: 1000, most: 1000 },
  { sessions: 10_000, most: 1000 },
  { sessions: 10_000, most: 10_000 },
  { sessions: 100_000, most: 1000 },
]

async function measureIdle(onNode: OnNode, rounds: number): Promise<Table> {
  const settings = idleSettings.map(setting => ({ ...setting, found: [] as Idle[] }))
  for (let round = 0; round < rounds; round++)
    for (const { sessions, most, found } of shuffled(settings))
      found.push(await onNode.measureIdle(sessions, most))
  return {
    title: `idle sessions of createClients(); ${rounds} rounds`,
    columns: ['sessions', 'clients kept', 'bytes per session', 'µs per session', 'timers, sockets'],
    rows: settings.map(({ sessions, most, found }) => [
      ...[sessions.toLocaleString('en'), most.toLocaleString('en')],
      Math.round(median(found.map(({ bytes }) => bytes))),
      median(found.map(({ micros }) => micros)).toFixed(1),
      range(found.map(({ handles }) => handles)),
    ]),
  }
}

/** What a service pays: for a burst without a token, for each call, and for sessions that nobody uses. */
export const bench: Bench = {
  title: 'tokens of services: bursts, stores and idle sessions',
  async run({ rounds = 9, say }) {
    const onNode = await importBundled<OnNode>('measure-services')
    const fewRounds = Math.min(rounds, 3)
    say(`${CALLS_AT_ONCE} calls at once`)
    const bursts = burstTable(await onNode.measureBursts(CALLS_AT_ONCE, fewRounds), fewRounds)
    say('calls per second')
    const paces = paceTable(await measurePaces(onNode, rounds), rounds)
    say('idle sessions')
    return {
      tables: [bursts, paces, await measureIdle(onNode, fewRounds)],
      notes: [
        'medians of rounds in which all take turns; ratios to the first row',
        'whoever needs more than 5 s for the calls without a token is measured once',
        'clients kept: the option "most", whose default is 1,000; a dropped session comes back from the store',
        ...(findRedisServer() ? [] : ['Redis is not measured: there is no redis-server here']),
      ],
    }
  },
}
