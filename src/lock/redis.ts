import type { Clock, Lock } from '../core/ports.ts'
import { LEASE_MS, lockTimeout } from '../core/waiting.ts'

/** When it took longer than this to get a lease, what is left of it is too little for the work. */
const TAKING_MS = 1500
/** How often who waits asks again, unless it hears that the lease was released. */
const POLL_MS = 100

/** Takes a lease, or returns how long it lasts at most. */
const TAKE = `
if redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2]) then return 0 end
return redis.call('PTTL', KEYS[1])`

/** Releases a lease that is still one's own, and says so to those who wait. */
const RELEASE = `
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('DEL', KEYS[1])
redis.call('PUBLISH', ARGV[2], ARGV[3])
return 1`

const EXISTS = `return redis.call('EXISTS', KEYS[1])`

export interface RedisLockOptions {
  evaluate(script: string, keys: readonly string[], args: readonly string[]): Promise<unknown>
  readonly namespace: string
  /** Where releases are published. */
  readonly channel: string
  readonly clock: Clock
  /** Calls `wake` when the lease of that name was released, until the returned function is called. */
  onRelease(name: string, wake: () => void): () => void
  random(): number
}

/**
 * Lock as a lease on the server. A lease excludes others for a time, not for ever: a holder that was stopped for longer
 * finds out by its own clock before it sends anything, and what it writes is compared with what is there. Only the server's own
 * clock counts a lease.
 */
export function redisLock(options: RedisLockOptions): Lock {
  const { evaluate, namespace, channel, clock, onRelease, random } = options
  const keyOf = (name: string) => `${namespace}:lock:${name}`
  const release = (name: string, owner: string) =>
    evaluate(RELEASE, [keyOf(name)], [owner, channel, JSON.stringify({ released: name })]).catch(() => {}) // it expires

  /** @returns 0 with the lease, or for how long somebody else has it. */
  const take = async (name: string, owner: string): Promise<number> => {
    const asked = clock.now()
    try {
      const left = Number(await evaluate(TAKE, [keyOf(name)], [owner, String(LEASE_MS)]))
      if (left !== 0 || Math.abs(clock.now() - asked) < TAKING_MS) return left
    } catch (error) {
      void release(name, owner) // the command may be carried out when the server is there again
      throw error
    }
    await release(name, owner)
    return POLL_MS
  }

  /** Waits until the lease is released, or for a moment. */
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
          await wait(name, Math.min(POLL_MS * (0.5 + random()), Math.max(left, 1)))
        }
      } finally {
        cancel()
      }
      return work().finally(() => release(name, owner))
    },
  }
}
