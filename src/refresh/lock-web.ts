import type { Clock, Lock } from '../core/ports.ts'
import { LockTimeoutError } from '../errors.ts'

/** Lock on the Web Locks API: one queue for all tabs and workers of the origin; a holder that dies lets go. */
export const webLock = (locks: LockManager, clock: Clock): Lock => ({
  run: async (name, work, waitMs) => {
    const waiting = new AbortController()
    let granted = false
    const cancel = clock.after(waitMs, () => waiting.abort())
    try {
      return await locks.request(name, { signal: waiting.signal }, () => {
        granted = true
        cancel()
        return work()
      })
    } catch (cause) {
      if (granted) throw cause
      throw new LockTimeoutError(`The lock "${name}" was not free within ${waitMs} ms. Try again.`, { cause })
    } finally {
      cancel()
    }
  },
})
