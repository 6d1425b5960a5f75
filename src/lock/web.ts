import type { Clock, Lock } from '../core/ports.ts'
import { HOLD_MS, lockTimeout } from '../core/waiting.ts'

/** How often a waiter checks who holds the lock. Pages in the background round a timer up to whole seconds. */
const CHECK_MS = 1900
/** So many pauses between checks are longer than anybody may hold, and shorter than a refresh waits. */
const CHECKS = Math.ceil((HOLD_MS + 1000) / CHECK_MS)
/** A waiter that bypasses a frozen holder waits this long for others that do the same. */
const QUEUE_MS = 1500

/**
 * Lock on the Web Locks API: one queue for all tabs and workers of the origin; a holder that dies lets go. One that is
 * frozen does not. Each hold has a name of its own in `query()`, and who has watched the same hold for longer than
 * anybody may hold bypasses it, under `lease`. That is safe without stealing anything:
 * - Its request stays in the queue until its work is done, so whoever asked later has to wait for it.
 * - Whoever asked earlier has waited as long, and works under the lease as well when it is granted the lock.
 * - Only checks are counted, not time: a waiter that slept has not watched.
 * What the frozen holder writes when it thaws is refused by the store's replace-if-unchanged.
 */
export const webLock = (locks: LockManager, clock: Clock, lease: Lock): Lock => {
  /** The work under the lease of those whose request is in the queue, by the name of the lock. */
  const bypassing = new Map<string, Promise<unknown>>()

  const bypass = <T>(name: string, work: () => Promise<T>, waitMs: number): Promise<T> => {
    const done = lease.run(name, work, waitMs)
    bypassing.set(
      name,
      Promise.allSettled([bypassing.get(name), done]).then(() => {}),
    )
    return done
  }

  /** Which hold it is: a holder that froze at once may have no name of its own. */
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
            // timers may be late, and clocks may be set
            isLate ||= Math.abs(clock.now() - asked) >= HOLD_MS
            const own = isLate ? lease.run(name, work, QUEUE_MS) : work()
            resolve(own)
            done = own.catch(() => {})
          }
          locks.request(`${name} held ${Math.random()}`, () => done).catch(() => {})
          return done
        }

        locks.request(name, { signal: waiting.signal }, granted).catch(cause => {
          stop()
          if (isBypassing) bypassing.delete(name)
          reject(waiting.signal.aborted ? lockTimeout(name, waitMs, { cause }) : cause)
        })
        // where it cannot be seen who holds the lock, nobody goes around the holder
        check('', 0).catch(() => {})
      })
    },
  }
}
