import type { Lock } from '../core/ports.ts'
import { LatchkeyError, StorageError } from '../errors.ts'

/** The same lock, whose own failures are LatchkeyErrors too; what the work under it throws passes through. */
export const typedLock = (lock: Lock): Lock => ({
  run: async (name, work, waitMs) => {
    let begun = false
    try {
      return await lock.run(
        name,
        () => {
          begun = true
          return work()
        },
        waitMs,
      )
    } catch (cause) {
      if (begun || cause instanceof LatchkeyError) throw cause
      throw new StorageError('The lock of the token store failed. Try again.', { cause })
    }
  },
})
