import { pause } from '../core/back-off.ts'
import { LEASE_MS, lockTimeout } from '../core/lock-times.ts'
import { type Clock, type KeyValue, type Lock, updateAndGet } from '../core/ports.ts'

/** If acquiring the lease took longer than this, too little of it is left for the work. */
const TAKING_MS = 2000
const POLL_MS = 50

const ownerOf = (stored: unknown): string | undefined =>
  typeof stored === 'object' && stored !== null ? (stored as { owner?: string }).owner : undefined

/**
 * A lock for runtimes without Web Locks: a record in any KeyValue that names its owner. A lease has expired when a waiting
 * client has seen it unchanged for the whole lease. A timer measures that, so setting a clock does no harm.
 */
export const leaseLock = (keyValue: KeyValue, clock: Clock, random: () => number = Math.random): Lock => {
  const watched = new Map<string, { readonly owner: string | undefined; hasExpired: boolean }>()

  const watch = (key: string, owner: string | undefined) => {
    if (watched.get(key)?.owner === owner) return
    const lease = { owner, hasExpired: false }
    const expire = () => {
      lease.hasExpired = true
    }
    watched.set(key, lease)
    clock.after(LEASE_MS, expire, true)
  }

  return {
    run: async (name, work, waitMs) => {
      const key = `lock ${name}`
      let isWaiting = true
      const cancel = clock.after(waitMs, () => {
        isWaiting = false
      })
      const give = (owner: string) =>
        keyValue.update(key, stored => (ownerOf(stored) === owner ? undefined : stored)).catch(() => {}) // it expires
      /** @returns the name of the lease that it has acquired. */
      const take = async (): Promise<string | undefined> => {
        const asked = clock.now()
        // another name each time: a client that was stopped may have seen the lease expire that was given back before
        const owner = `${asked} ${random()}`
        const stored = await updateAndGet(keyValue, key, found => {
          const other = ownerOf(found)
          const lease = watched.get(key)
          const isFree = !other || other === owner || (lease?.hasExpired && lease.owner === other)
          return isFree ? { owner } : found
        })
        if (ownerOf(stored) !== owner) watch(key, ownerOf(stored))
        else if (Math.abs(clock.now() - asked) < TAKING_MS) return owner
        else await give(owner)
        return undefined
      }
      const acquire = async (): Promise<string> => {
        for (;;) {
          const owner = await take()
          if (owner) return owner
          if (!isWaiting) throw lockTimeout(name, waitMs)
          await pause(clock, POLL_MS * (0.5 + random()))
        }
      }
      const owner = await acquire().finally(cancel)
      return work().finally(() => give(owner))
    },
  }
}
