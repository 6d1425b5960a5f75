import type { Clock, Lock } from '../core/ports.ts'
import { WAIT_MS } from '../core/time-limit.ts'
import { LockTimeoutError } from '../errors.ts'

/** Who goes around a frozen holder waits this long for others who do the same. */
const QUEUE_MS = 1500

/**
 * Lock on the Web Locks API: one queue for all tabs and workers of the origin; a holder that dies lets go. One that is
 * frozen does not, but whoever was made to wait for longer than anybody may hold goes around it, under `lease`. Its
 * request stays in the queue: all who went around the holder have their turn before the next one, and until then they
 * exclude one another by the lease. Nothing is ever stolen: what the holder writes when it thaws is refused by the
 * store's replace-if-unchanged.
 */
export const webLock = (locks: LockManager, clock: Clock, lease: Lock): Lock => {
  /** The newest work under the lease, by the name of a lock whose holder is frozen. */
  const around = new Map<string, Promise<unknown>>()

  const goAround = <T>(name: string, work: () => Promise<T>, waitMs: number): Promise<T> => {
    const done = lease.run(name, work, waitMs)
    around.set(
      name,
      done.catch(() => {}),
    )
    return done
  }
  const drained = async (name: string) => {
    let last: unknown
    while (last !== around.get(name)) {
      last = around.get(name)
      await last
    }
    around.delete(name)
  }

  return {
    run: (name, work, waitMs) => {
      if (around.has(name)) return goAround(name, work, waitMs)
      return new Promise((resolve, reject) => {
        const asked = clock.now()
        const waiting = new AbortController()
        let isLate = false
        const cancel = clock.after(waitMs, () => {
          isLate = true
          if (waitMs < WAIT_MS) waiting.abort()
          else resolve(goAround(name, work, QUEUE_MS))
        })
        const granted = async () => {
          cancel()
          // the timer may be late as well: those who asked after us are late, and go around
          const isLateBy = Math.abs(clock.now() - asked) - WAIT_MS
          if (!isLate && isLateBy < 0) {
            const done = work()
            resolve(done)
            return done.catch(() => {})
          }
          if (!isLate) resolve(goAround(name, work, QUEUE_MS))
          return drained(name)
        }
        locks.request(name, { signal: waiting.signal }, granted).catch(cause => {
          cancel()
          reject(
            waiting.signal.aborted
              ? new LockTimeoutError(`The lock "${name}" was not free within ${waitMs} ms. Try again.`, {
                  cause,
                })
              : cause,
          )
        })
      })
    },
  }
}
