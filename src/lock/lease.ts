import type { Clock, KeyValue, Lock } from '../core/ports.ts'
import { pause } from '../core/waiting.ts'
import { LockTimeoutError } from '../errors.ts'

/** A holder works for 12 s at most; a lease that has not changed for longer has no living holder. */
const LEASE_MS = 14_000
/** When it took longer than this to get a lease, what is left of it is too little for the work. */
const TAKING_MS = 2000
const POLL_MS = 50

const ownerOf = (stored: unknown): string | undefined =>
  typeof stored === 'object' && stored !== null ? (stored as { owner?: string }).owner : undefined

/**
 * Lock as a record that names its owner, over any KeyValue: for where there are no Web Locks. A lease is over when the
 * one who waits has seen it unchanged for its whole time: no clock is compared with another, or with itself earlier.
 */
export const leaseLock = (keyValue: KeyValue, clock: Clock, random: () => number = Math.random): Lock => {
  const watched = new Map<string, { owner: string; over: boolean; stop: () => void }>()

  const watch = (key: string, owner: string) => {
    if (watched.get(key)?.owner === owner) return
    watched.get(key)?.stop()
    const entry = { owner, over: false, stop: () => {} }
    const end = () => {
      entry.over = true
    }
    entry.stop = clock.after(LEASE_MS, end, true)
    watched.set(key, entry)
  }

  return {
    run: async (name, work, waitMs) => {
      const key = `lock ${name}`
      const owner = `${clock.now()} ${random()}`
      let waiting = true
      const cancel = clock.after(waitMs, () => {
        waiting = false
      })
      const give = () =>
        keyValue.update(key, stored => (ownerOf(stored) === owner ? undefined : stored)).catch(() => {}) // it ends by itself
      const take = async () => {
        const asked = clock.now()
        let other: string | undefined
        await keyValue.update(key, stored => {
          const found = ownerOf(stored)
          const known = watched.get(key)
          const isOver = known?.over && known.owner === found
          other = found === owner || isOver ? undefined : found
          return other === undefined ? { owner } : stored
        })
        if (other !== undefined) watch(key, other)
        else if (Math.abs(clock.now() - asked) < TAKING_MS) return true
        else await give()
        return false
      }
      try {
        while (!(await take())) {
          if (!waiting) {
            throw new LockTimeoutError(`The lock "${name}" was not free within ${waitMs} ms. Try again.`)
          }
          await pause(clock, POLL_MS * (0.5 + random()))
        }
      } finally {
        cancel()
      }
      try {
        return await work()
      } finally {
        await give()
      }
    },
  }
}
