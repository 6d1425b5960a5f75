import { HOLD_MS, lockTimeout } from '../core/lock-times.ts'
import type { Clock, Lock } from '../core/ports.ts'

/** How often a waiter checks who holds the lock. Browsers round timers of background pages up to whole seconds. */
const CHECK_MS = 1900
/** After this many pauses, more time has passed than a client may hold the lock, but less than a refresh waits for it. */
const CHECKS = Math.ceil((HOLD_MS + 1000) / CHECK_MS)
/** How long a waiter that bypasses a frozen holder waits for other waiters that do the same. */
const QUEUE_MS = 1500

/**
 * A lock on the Web Locks API: one queue for all tabs and workers of the origin. The browser releases the lock of a holder
 * that dies, but not of one that is frozen. Each hold has a unique name in `query()`. A waiter that has watched the same
 * hold for longer than a client may hold the lock bypasses the holder and works under `lease`. That is safe without
 * stealing the lock:
 * - The waiter's request stays in the queue until its work is done, so every later request waits for it.
 * - A client that asked earlier has waited at least as long. When the browser grants it the lock, it uses the lease too.
 * - A waiter counts checks, not time: while it sleeps, it does not watch.
 * When the frozen holder thaws, the store refuses its write (replace if unchanged).
 */
export const webLock = (locks: LockManager, clock: Clock, lease: Lock): Lock => {
  /** By lock name: the work that runs under the lease while its request is still in the queue. */
  const bypassing = new Map<string, Promise<unknown>>()

  const bypass = <T>(name: string, work: () => Promise<T>, waitMs: number): Promise<T> => {
    const done = lease.run(name, work, waitMs)
    bypassing.set(
      name,
      Promise.allSettled([bypassing.get(name), done]).then(() => {}),
    )
    return done
  }

  /** Identifies the current hold. A holder that froze immediately may not have its unique name yet. */
  const holdOf = async (name: string): Promise<string> => {
    const { held = [] } = await locks.query()
    const own = held.filter(one => one.name === name || one.name?.startsWith(`${name} held `))
    return own
      .map(one => `${one.name} ${one.clientId}`)
      .sort()
      .join()
  }

  return {
    isHeld: async name => (await holdOf(name)) !== '',
    run: (name, work, waitMs) => {
      if (bypassing.has(name)) return bypass(name, work, waitMs)
      return new Promise((resolve, reject) => {
        const asked = clock.now()
        const waiting = new AbortController()
        let isBypassing = false
        let isLate = false
        let isOver = false
        let stopChecking = () => {}
        const late = () => {
          isLate = true
        }
        const cancels = [clock.after(waitMs, () => waiting.abort()), clock.after(HOLD_MS, late, true)]
        const stop = () => {
          isOver = true
          stopChecking()
          for (const cancel of cancels) cancel()
        }

        const check = async (before: string, checks: number): Promise<void> => {
          const hold = await holdOf(name)
          if (isOver) return
          const seen = hold && hold === before ? checks + 1 : 0
          if (seen < CHECKS) {
            stopChecking = clock.after(CHECK_MS, () => void check(hold, seen).catch(() => {}), true)
            return
          }
          stop()
          isBypassing = true
          resolve(bypass(name, work, QUEUE_MS))
        }

        const granted = () => {
          stop()
          let done: Promise<unknown> | undefined
          if (isBypassing) {
            done = bypassing.get(name)
            bypassing.delete(name)
          } else {
            // a timer may fire late, and someone may set the clock
            isLate ||= Math.abs(clock.now() - asked) >= HOLD_MS
            const own = isLate ? lease.run(name, work, QUEUE_MS) : work()
            resolve(own)
            done = own.catch(() => {})
          }
          locks.request(`${name} held ${Math.random()}`, () => done).catch(() => {})
          return done
        }

        locks.request(name, { signal: waiting.signal }, granted).catch(cause => {
          // a browser that blocks storage blocks Web Locks too: a store that works nevertheless uses the lease
          const isBlocked = !isOver && cause?.name === 'SecurityError'
          stop()
          if (isBypassing) bypassing.delete(name)
          if (isBlocked) resolve(lease.run(name, work, waitMs))
          else reject(waiting.signal.aborted ? lockTimeout(name, waitMs, { cause }) : cause)
        })
        // if query() fails, this waiter never bypasses the holder
        check('', 0).catch(() => {})
      })
    },
  }
}
