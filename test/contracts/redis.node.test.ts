import { Redis as Ioredis } from 'ioredis'
import { createClient as createNodeRedis } from 'redis'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Store } from '../../src/core/ports.ts'
import { ConfigurationError, LockTimeoutError, StorageError } from '../../src/errors.ts'
import { TAKE } from '../../src/lock/redis.ts'
import { redis } from '../../src/redis.ts'
import { redisCommands } from '../../src/storage/redis-connection.ts'
import { freePort } from '../support/free-port.ts'
import { gate } from '../support/gate.ts'
import {
  type OpenConnection,
  type RedisServer,
  redisClients,
  redisClusterClients,
  startRedis,
  startRedisCluster,
} from '../support/redis-server.ts'
import { hasService } from '../support/services.ts'
import { channelContract } from './channel.ts'
import { keyValueContract } from './key-value.ts'
import { lockContract } from './lock.ts'

const encryptionKey = '1'.repeat(64)
let made = 0

test('an invalid connection, namespace or key is rejected immediately', () => {
  const connection = { evaluate: async () => null }
  expect(() => redis({} as never)).toThrow(ConfigurationError)
  expect(() => redis(undefined as never)).toThrow(/ioredis/)
  expect(() => redis(connection, { namespace: 'a{b}' })).toThrow(/"namespace"/)
  expect(() => redis(connection, { ttlSeconds: 1 })).toThrow(/"ttlSeconds"/)
  expect(() => redis(connection, { encryptionKey: 'short' })).toThrow(/32 random bytes/)
  expect(() => redis(connection, { encryptionKey: [] })).toThrow(/"encryptionKey"/)
})

test('a refused connection is reported as refused, and no retry is promised [F8.15]', async () => {
  const store = redis({
    evaluate: () => Promise.reject(new Error("NOPERM User app has no permissions to run the 'eval' command")),
  })
  await expect(store.keyValue.get('a')).rejects.toMatchObject({
    code: 'ERR_STORAGE',
    retryable: false,
    message: expect.stringMatching(/^Redis refuses this connection \(NOPERM\)\. Correct/),
  })
  const silent = redis({ evaluate: () => Promise.reject(new Error('Connection is closed.')) })
  await expect(silent.keyValue.get('a')).rejects.toMatchObject({ code: 'ERR_STORAGE', retryable: true })
})

test('all keys of a store have one hash tag, so that a cluster keeps them on one node', async () => {
  const keys: string[] = []
  const store = redis({
    evaluate: async (_script, all) => {
      keys.push(...all)
      return all.length > 1 ? [1, ''] : 0
    },
  })
  await store.keyValue.update('latchkey a session', () => 1)
  await store.keyValue.keys('').catch(() => {})
  await store.lock.run('latchkey a', async () => {}, 100)
  expect(keys.length).toBeGreaterThan(4)
  for (const key of keys) expect(key).toMatch(/^\{latchkey\}:/)
})

test('a client whose subscription failed subscribes again with the next news that it sends', async () => {
  let hear = (_message: string) => {}
  let tries = 0
  const store = redis({
    evaluate: async (_script, _keys, [, message = '']) => hear(message),
    async subscribe(_channel, tell) {
      if (tries++ === 0) throw new Error('Connection is closed.')
      hear = tell
    },
  })
  const heard: unknown[] = []
  const [own, other] = [store.channel('room'), store.channel('room')]
  other.listen(news => heard.push(news))
  await expect
    .poll(() => {
      own.post({ type: 'session-changed' })
      return heard[0]
    })
    .toEqual({ type: 'session-changed' })
  expect(tries).toBe(2)
})

describe.each(['ioredis', 'redis'])('while Redis is unreachable, %s', library => {
  /** A connection to nothing, that tries again every 10 ms. `made`: how many were made of it for news. */
  const unreachable = async (isPatient: boolean) => {
    const port = await freePort()
    const seen = { attempts: 0, made: 0 }
    const tryAgain = () => {
      seen.attempts++
      return 10
    }
    const connection: { duplicate(): object } =
      library === 'ioredis'
        ? new Ioredis({
            ...{ port, host: '127.0.0.1', lazyConnect: true, retryStrategy: tryAgain },
            maxRetriesPerRequest: isPatient ? null : 0,
          })
        : createNodeRedis({ socket: { port, host: '127.0.0.1', reconnectStrategy: isPatient && tryAgain } })
    const duplicate = connection.duplicate.bind(connection)
    connection.duplicate = () => {
      seen.made++
      return duplicate()
    }
    /** Whether a connection goes on trying. */
    const isTrying = async () => {
      const before = seen.attempts
      await new Promise(resolve => setTimeout(resolve, 100))
      return seen.attempts > before
    }
    return { seen, isTrying, store: redis(connection as never) }
  }

  test('a connection for news is closed with its last listener, even if it was never established', async () => {
    const { seen, isTrying, store } = await unreachable(true)
    const stop = store.channel('room').listen(() => {})
    await expect.poll(isTrying).toBe(true)
    stop()
    await expect.poll(isTrying).toBe(false)
    expect(seen.made).toBe(1)
  })

  test('a connection for news that could not be established is closed, and the next listener opens another', async () => {
    const { seen, isTrying, store } = await unreachable(false)
    const stop = store.channel('room').listen(() => {})
    await expect.poll(() => seen.made).toBe(1)
    await expect.poll(isTrying).toBe(false)
    stop()
    store.channel('room').listen(() => {})()
    expect(seen.made).toBe(2)
    await expect.poll(isTrying).toBe(false)
  })
})

/** Starts a server before the tests of a suite. After them, closes it and the connections in `opened`. */
function startedFor(start: () => Promise<RedisServer>) {
  let started: RedisServer | undefined
  const opened: OpenConnection[] = []
  beforeAll(async () => {
    started = await start()
  })
  afterAll(async () => {
    for (const one of opened) await one.close()
    await started?.close()
  })
  return { server: () => started as RedisServer, opened }
}

/** The suites of the ports, over each client library. @param where a word for the titles. */
function contracts(where: string, clients: typeof redisClients, start: () => Promise<RedisServer>) {
  const { server, opened } = startedFor(start)

  for (const [library, connect] of Object.entries(clients)) {
    const name = `redis() with ${library}${where}`
    let connection: OpenConnection['connection']
    beforeAll(async () => {
      const one = await connect(server().port)
      opened.push(one)
      connection = one.connection
    })
    let namespace = ''
    const store = (isNew: boolean): Store => {
      if (isNew) namespace = `test-${++made}`
      return redis(connection, { namespace, ...(made % 2 && { encryptionKey }) })
    }
    keyValueContract(name, {
      create: () => store(true).keyValue,
      again: () => store(false).keyValue,
      damage: key =>
        server()
          .command('SET', `{${namespace}}:value:${key}`, '{"word": "gr')
          .then(() => {}),
    })
    lockContract(name, {
      create: () => store(true).lock,
      again: () => store(false).lock,
    })
    if (library !== '@valkey/valkey-glide') {
      let own: Store | undefined
      channelContract(name, {
        open(room) {
          own ??= redis(connection, { namespace: 'news' })
          return own.channel(room)
        },
        postForeign(room, message) {
          void server().command(
            'PUBLISH',
            '{news}:news',
            JSON.stringify({ to: room, from: 'x', news: message }),
          )
        },
      })
    }
  }
}

// elsewhere the tests do not exist, instead of being skipped
const whereFound = hasService('Redis') ? describe : () => {}
whereFound('with a real cluster', () => contracts(' and a cluster', redisClusterClients, startRedisCluster))
whereFound('with a real server', () => {
  const { server, opened } = startedFor(startRedis)

  contracts('', redisClients, startRedis)

  describe('redis()', () => {
    const fresh = async (options: Parameters<typeof redis>[1] = {}) => {
      const one = await (redisClients.ioredis as (port: number) => Promise<OpenConnection>)(server().port)
      opened.push(one)
      const namespace = `own-${++made}`
      return {
        ...one,
        namespace,
        store: redis(one.connection, { namespace, ...options }),
        again: (more: Parameters<typeof redis>[1] = {}) => redis(one.connection, { namespace, ...more }),
      }
    }

    test("stored data is encrypted with the app's key, and a key can be replaced", async () => {
      const { store, again, namespace } = await fresh({ encryptionKey })
      await store.keyValue.update('latchkey a session', () => ({ refreshToken: 'a-secret' }))
      const raw = String(await server().command('GET', `{${namespace}}:value:latchkey a session`))
      expect(raw).not.toContain('a-secret')
      const newer = again({ encryptionKey: ['2'.repeat(64), encryptionKey] }).keyValue
      expect(await newer.get('latchkey a session')).toEqual({ refreshToken: 'a-secret' })
      await newer.update('latchkey a session', stored => ({ ...(stored as object), version: 2 }))
      await expect(store.keyValue.get('latchkey a session')).rejects.toBeInstanceOf(StorageError)
      await expect(store.keyValue.update('latchkey a session', () => 'lost')).rejects.toThrow(/encryptionKey/)
      const only = again({ encryptionKey: '2'.repeat(64) }).keyValue
      expect(await only.get('latchkey a session')).toEqual({ refreshToken: 'a-secret', version: 2 })
    })

    test('an entry that was copied from another one, or is not encrypted, reads as undefined', async () => {
      const { store, namespace } = await fresh({ encryptionKey })
      await store.keyValue.update('a session', () => 'of alice')
      const raw = String(await server().command('GET', `{${namespace}}:value:a session`))
      await server().command('SET', `{${namespace}}:value:b session`, raw)
      await server().command('SET', `{${namespace}}:value:c session`, '"planted"')
      expect(await store.keyValue.get('b session')).toBeUndefined()
      expect(await store.keyValue.get('c session')).toBeUndefined()
    })

    test('records and their names expire when no client writes them any more', async () => {
      const { store, namespace } = await fresh({ ttlSeconds: 60 })
      await store.keyValue.update('a session', () => 1)
      await store.keyValue.update('a transaction 1', () => 1)
      const ttl = async (name: string) =>
        Number(await server().command('PTTL', `{${namespace}}:value:${name}`))
      expect(await ttl('a session')).toBeGreaterThan(55_000)
      expect(await ttl('a session')).toBeLessThanOrEqual(60_000)
      expect(await ttl('a transaction 1')).toBeGreaterThan(7_000_000)
      await server().command('PEXPIRE', `{${namespace}}:value:a session`, '1')
      await expect.poll(() => store.keyValue.keys('a ')).toEqual(['a transaction 1'])
      expect(await server().command('ZCARD', `{${namespace}}:names`)).toBe(1)
    })

    test("a missing holder's lease lasts until it ends by the server's clock", async () => {
      const { store, namespace } = await fresh()
      const serverMs = async () => {
        const [seconds, micros] = (await server().command('TIME')) as [string, string]
        return Number(seconds) * 1000 + Number(micros) / 1000
      }
      const since = await serverMs()
      await server().command('SET', `{${namespace}}:lock:a`, 'somebody who was killed', 'PX', '600')
      expect(await store.lock.isHeld?.('a')).toBe(true)
      expect(await store.lock.run('a', serverMs, 5000)).toBeGreaterThanOrEqual(since + 600)
      expect(await store.lock.isHeld?.('a')).toBe(false)
    })

    test('a lease is not acquired in the last millisecond of its holder', async () => {
      const { connection, namespace } = await fresh()
      const { evaluate } = redisCommands(connection)
      const key = `{${namespace}}:lock:a`
      for (let lease = 0; lease < 20; lease++) {
        await server().command('SET', key, 'the holder', 'PX', '4')
        // without a pause, as many waiting processes do together: one of them asks in that millisecond
        while (Number(await evaluate(TAKE, [key], ['the next', '60000'])) !== 0) {}
        expect(await server().command('GET', key)).toBe('the next')
        await server().command('DEL', key)
      }
    })

    test('a waiting client acquires the lease when its release is published, without asking at intervals', async () => {
      const { connection, namespace } = await fresh()
      const commands = redisCommands(connection)
      let asked = 0
      let isNews = false
      const store = redis(
        {
          async evaluate(script, ...all) {
            // only news can lead to the lease: who asks at intervals is told that it is held
            if (script === TAKE && ++asked > 2 && !isNews) return 1000
            return commands.evaluate(script, ...all)
          },
          subscribe: async (channel, tell, over) =>
            commands.subscribe?.(
              channel,
              async message => {
                isNews = true
                tell(message)
                for (let step = 0; step < 20; step++) await undefined // no timer runs in between
                isNews = false
              },
              over,
            ),
        },
        { namespace },
      )
      let isSubscribed = false
      const stop = store.channel('room').listen(() => {
        isSubscribed = true
      })
      await expect
        .poll(() => {
          store.channel('room').post({ type: 'session-changed' })
          return isSubscribed
        })
        .toBe(true)

      const { open: release, opened: held } = gate()
      const holder = store.lock.run('a', () => held, 5000)
      await expect.poll(() => store.lock.isHeld?.('a')).toBe(true)
      const next = store.lock.run('a', async () => 'acquired', 5000)
      await expect.poll(() => asked).toBeGreaterThan(2)
      release()
      await holder
      expect(await next).toBe('acquired')
      stop()
    })

    test('the previous holder does not release a lease that has a new holder', async () => {
      const { store, namespace } = await fresh()
      await store.lock.run(
        'a',
        async () => void (await server().command('SET', `{${namespace}}:lock:a`, 'the next holder')),
        1000,
      )
      expect(await server().command('GET', `{${namespace}}:lock:a`)).toBe('the next holder')
      await expect(store.lock.run('a', async () => {}, 200)).rejects.toBeInstanceOf(LockTimeoutError)
    })

    test('while the server does not respond, every call rejects in time with a retryable StorageError', async () => {
      const { store } = await fresh()
      await store.keyValue.update('a session', () => 1)
      await server().command('CLIENT', 'PAUSE', '3000', 'ALL')
      let isPaused = true
      const paused = server()
        .command('PING')
        .then(() => {
          isPaused = false
        })
      const calls = [
        store.keyValue.get('a session'),
        store.keyValue.update('a session', () => 2),
        store.keyValue.keys(''),
        store.lock.run('a', async () => 'never', 15_000),
      ]
      for (const settled of await Promise.allSettled(calls)) {
        expect(settled).toMatchObject({
          status: 'rejected',
          reason: { code: 'ERR_STORAGE', retryable: true },
        })
      }
      expect(isPaused).toBe(true)
      await paused
      // the lease that was requested while the server slept is released
      await expect.poll(() => store.lock.isHeld?.('a').catch(() => true)).toBe(false)
      expect(await store.lock.run('a', async () => 'again', 15_000)).toBe('again')
    })
  })
})
