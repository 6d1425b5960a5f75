import type { Clock, KeyValue } from '../core/ports.ts'
import { withTimeLimit } from '../core/waiting.ts'
import { LatchkeyError, StorageError } from '../errors.ts'

/** The time limit of one storage call: IndexedDB can hang forever. */
const STORAGE_CALL_MS = 2000

/** Gives every call of a KeyValue a time limit. The calls reject only with a StorageError. */
export function limited(keyValue: KeyValue, clock: Clock): KeyValue {
  const limit = async <T>(done: string, call: (late: AbortSignal) => Promise<T>): Promise<T> => {
    const late = () => new Error('Timed out.')
    try {
      return await withTimeLimit(clock, STORAGE_CALL_MS, async signal => call(signal), late)
    } catch (cause) {
      if (cause instanceof StorageError) throw cause
      const { message, retryable }: Partial<LatchkeyError> = cause instanceof LatchkeyError ? cause : {}
      throw new StorageError(message ?? `The token store could not be ${done}. Try again.`, {
        cause,
        retryable,
      })
    }
  }
  return {
    get: key => limit('read', () => keyValue.get(key)),
    // a call that timed out must not change the value later
    update: (key, change) =>
      limit('written', late => keyValue.update(key, stored => (late.aborted ? stored : change(stored)))),
    keys: prefix => limit('listed', () => keyValue.keys(prefix)),
  }
}
