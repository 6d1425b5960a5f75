import { HOLD_MS, WAIT_MS } from './core/lock-times.ts'
import type { Lock, Store } from './core/ports.ts'
import { withTimeLimit } from './core/waiting.ts'
import { ConfigurationError } from './errors.ts'
import { redisLock } from './lock/redis.ts'
import { deviceClock } from './platform/device.ts'
import { createCipher, type EncryptionKey } from './storage/encrypted.ts'
import { boundedEvaluate, redisKeyValue } from './storage/redis.ts'
import { type RedisCommands, type RedisConnection, redisCommands } from './storage/redis-connection.ts'
import { redisNews } from './storage/redis-news.ts'

export type { EncryptionKey } from './storage/encrypted.ts'
export type { RedisCommands, RedisConnection } from './storage/redis-connection.ts'

export interface RedisStoreOptions {
  /**
   * Encrypts the stored values: 32 random bytes, or a list. The first key of a list encrypts; the others decrypt values that
   * are already stored. Default: no encryption.
   */
  encryptionKey?: EncryptionKey | readonly EncryptionKey[]
  /** The prefix of every key, as `{<namespace>}`, so that all keys are on one node of a cluster. Default `latchkey`. */
  namespace?: string
  /** How many seconds a session is kept after its last change, 60 or more. Default 2,592,000 (30 days). */
  ttlSeconds?: number
}

export interface RedisStore extends Store {
  /**
   * Resolves when no refresh of this process is under way, after 27 s at most. Await it before your program closes the
   * connection and ends: a refresh that is cut off loses the new refresh token.
   */
  idle(): Promise<void>
}

/** Wraps a lock and keeps track of the work that runs or waits under it. */
function watchedLock(inner: Lock) {
  const runs = new Set<Promise<unknown>>()
  const settle = async () => {
    while (runs.size > 0) await Promise.allSettled(runs)
  }
  const lock: Lock = {
    ...inner,
    run(name, work, waitMs) {
      const run = inner.run(name, work, waitMs)
      runs.add(run)
      return run.finally(() => runs.delete(run))
    },
  }
  const idle = () =>
    withTimeLimit(deviceClock, WAIT_MS + HOLD_MS, settle, () => new Error('late')).catch(() => {})
  return { lock, idle }
}

/**
 * Keeps tokens in Redis or Valkey, shared by every process that uses the same server. One process refreshes under a lease,
 * and all processes use the new tokens. While Redis is unreachable, valid access tokens continue to work, and everything
 * else rejects with a retryable StorageError: no process refreshes without the lease.
 * @param connection of `redis`, `ioredis`, `iovalkey` or `@valkey/valkey-glide`. Your program opens and closes it.
 * @throws ConfigurationError for a wrong connection or option.
 */
export function redis(connection: RedisConnection, options: RedisStoreOptions = {}): RedisStore {
  const { encryptionKey, namespace = 'latchkey', ttlSeconds = 30 * 24 * 3600 } = options
  if (!(ttlSeconds >= 60)) throw new ConfigurationError(`"ttlSeconds" must be 60 or more; got ${ttlSeconds}.`)
  if (!/^[^{}\s]+$/.test(namespace))
    throw new ConfigurationError('"namespace" must be a name without spaces and braces, such as "latchkey".')
  const commands: RedisCommands = redisCommands(connection)
  const tag = `{${namespace}}`
  const evaluate = boundedEvaluate(commands, deviceClock)
  const cipher = encryptionKey === undefined ? undefined : createCipher(encryptionKey)
  const { channel, onRelease, name } = redisNews({ commands, evaluate, namespace: tag })
  const { lock, idle } = watchedLock(
    redisLock({
      ...{ evaluate, namespace: tag, clock: deviceClock, onRelease },
      channel: name,
      random: Math.random,
    }),
  )
  return {
    name: 'redis',
    keyValue: redisKeyValue({ evaluate, namespace: tag, cipher, ttlSeconds }),
    lock,
    channel,
    idle,
  }
}
