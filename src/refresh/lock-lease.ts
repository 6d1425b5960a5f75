import type { Clock, KeyValue, Lock } from '../core/ports.ts'
import { pause } from '../core/time-limit.ts'
import { LockTimeoutError } from '../errors.ts'

/** A holder works for 12 s at most: a lease that stayed the same for so long has no living holder. */
const LEASE_MS = 13_000
const POLL_MS = 50

/**
 * Lock as a record that names its owner, over any KeyValue: for where there are no Web Locks. Who waits measures by
 * its own timers how long the same owner has stood there: no clock is compared with another, so none that jumps or
 * sleeps breaks a lease. A holder that was frozen for longer may wake up beside the next one; the store's
 * replace-if-unchanged refuses what it then writes.
 */
export const leaseLock = (keyValue: KeyValue, clock: Clock, random: () => number = Math.random): Lock => ({
  run: async (name, work, waitMs) => {
    const key = `lock ${name}`
    const me = `${clock.now()} ${random()}`
    let waited = 0
    let before: unknown
    let since = 0
    for (;;) {
      let owner: unknown
      await keyValue.update(key, stored => {
        owner = stored
        const isGone = stored === before && waited - since >= LEASE_MS
        return stored === undefined || isGone ? me : stored
      })
      if (owner === undefined || (owner === before && waited - since >= LEASE_MS)) break
      if (owner !== before) since = waited
      before = owner
      if (waited >= waitMs)
        throw new LockTimeoutError(`The lock "${name}" was not free within ${waitMs} ms. Try again.`)
      const wait = POLL_MS * (0.5 + random())
      await pause(clock, wait)
      waited += wait
    }
    try {
      return await work()
    } finally {
      // it ends by itself where this fails
      await keyValue.update(key, stored => (stored === me ? undefined : stored)).catch(() => {})
    }
  },
})
