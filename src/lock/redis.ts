import { LEASE_MS, lockTimeout } from '../core/lock-times.ts'
import type { Clock, Lock } from '../core/ports.ts'

/** If acquiring the lease took longer than this, too little of it is left for the work. */
const TAKING_MS = 1500
/** How often a waiting client tries again, unless it hears of a release. */
const POLL_MS = 100

/**
 * Acquires the lease and returns 0, or returns the remaining milliseconds of its holder: at least 1, because PTTL is 0
 * in the last millisecond of a key that still exists.
 */
export const TAKE = `
if redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2]) then return 0 end
return math.max(redis.call('PTTL', KEYS[1]), 1)`

/** Releases the lease if the caller still owns it, and publishes the release to waiting clients. */
export const RELEASE = `
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('DEL', KEYS[1])
redis.call('PUBLISH', ARGV[2], ARGV[3])
return 1`

/** Whether any client holds the lease. */
export const EXISTS = `return redis.call('EXISTS', KEYS[1])`

export interface RedisLockOptions {
  evaluate(script: string, keys: readonly string[], args: readonly string[]): Promise<unknown>
  readonly namespace: string
  /** The channel that releases are published on. */
  readonly channel: string
  readonly clock: Clock
  /** Calls `wake` whenever the lease of that name is released. @returns a function that stops it. */
  onRelease(name: string, wake: () => void): () => void
  random(): number
}

/**
 * A lock as a lease on the Redis server, timed by that server's clock. A lease excludes other clients for a limited time.
 * A holder that was stopped for longer notices it by its own clock before it sends a request, and the store compares
 * before it replaces a value.
 */
export function redisLock(options: RedisLockOptions): Lock {
  const { evaluate, namespace, channel, clock, onRelease, random } = options
  const keyOf = (name: string) => `${namespace}:lock:${name}`
  const release = (name: string, owner: string) =>
    evaluate(RELEASE, [keyOf(name)], [owner, channel, JSON.stringify({ released: name })]).catch(() => {}) // it expires

  /** @returns 0 if the lease is acquired, otherwise for how many milliseconds another client may still hold it. */
  const take = async (name: string, owner: string): Promise<number> => {
    const asked = clock.now()
    try {
      const left = Number(await evaluate(TAKE, [keyOf(name)], [owner, String(LEASE_MS)]))
      if (left !== 0 || Math.abs(clock.now() - asked) < TAKING_MS) return left
    } catch (error) {
      void release(name, owner) // the server may still run the command once it is reachable again
      throw error
    }
    await release(name, owner)
    return POLL_MS
  }

  /** Waits until the lease is released, but at most `ms`. */
  const wait = (name: string, ms: number) =>
    new Promise<void>(resolve => {
      const stop = onRelease(name, () => done())
      const cancel = clock.after(ms, () => done())
      const done = () => {
        stop()
        cancel()
        resolve()
      }
    })

  return {
    isHeld: async name => Number(await evaluate(EXISTS, [keyOf(name)], [])) === 1,
    async run(name, work, waitMs) {
      const owner = crypto.randomUUID()
      let isWaiting = true
      const cancel = clock.after(waitMs, () => {
        isWaiting = false
      })
      try {
        for (;;) {
          const left = await take(name, owner)
          if (left === 0) break
          if (!isWaiting) throw lockTimeout(name, waitMs)
          await wait(name, Math.min(POLL_MS * (0.5 + random()), left))
        }
      } finally {
        cancel()
      }
      return work().finally(() => release(name, owner))
    },
  }
}
