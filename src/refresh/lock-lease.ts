import type { Clock, KeyValue, Lock } from '../core/ports.ts'
import { pause } from '../core/time-limit.ts'
import { LockTimeoutError } from '../errors.ts'

/** A holder works for 12 s at most; a lease that is older has no living holder. */
const LEASE_MS = 14_000
const POLL_MS = 50

interface Lease {
  readonly owner: string
  readonly until: number
}
const isLease = (stored: unknown): stored is Lease =>
  typeof stored === 'object' && stored !== null && typeof (stored as Lease).until === 'number'

/**
 * Lock as a record with an owner and an end, over any KeyValue: for where there are no Web Locks. A holder that was
 * frozen past its end may wake up beside the next one; the store's replace-if-unchanged refuses what it then writes.
 */
export const leaseLock = (keyValue: KeyValue, clock: Clock, random: () => number = Math.random): Lock => ({
  run: async (name, work, waitMs) => {
    const key = `lock ${name}`
    const owner = `${clock.now()} ${random()}`
    const giveUpAt = clock.now() + waitMs
    const take = async () => {
      let taken = false
      await keyValue.update(key, stored => {
        const now = clock.now()
        // an end that lies further ahead than a lease lasts was written by a clock that has been set back since
        taken = !isLease(stored) || stored.until <= now || stored.until > now + LEASE_MS
        return taken ? ({ owner, until: now + LEASE_MS } satisfies Lease) : stored
      })
      return taken
    }
    while (!(await take())) {
      if (clock.now() >= giveUpAt) {
        throw new LockTimeoutError(`The lock "${name}" was not free within ${waitMs} ms. Try again.`)
      }
      await pause(clock, POLL_MS * (0.5 + random()))
    }
    try {
      return await work()
    } finally {
      await keyValue
        .update(key, stored => (isLease(stored) && stored.owner === owner ? undefined : stored))
        .catch(() => {}) // it ends by itself
    }
  },
})
