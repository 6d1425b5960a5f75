import { LockTimeoutError } from '../errors.ts'

/** The longest time to hold a lock, including all attempts and the writes to the store. */
export const HOLD_MS = 12_000
/** How much of it requests may take. The rest is for the write that stores their response. */
export const REQUESTS_MS = HOLD_MS - 2500
/** If a lock names the same holder for longer, that holder is frozen or dead. */
export const LEASE_MS = HOLD_MS + 2000
/** The longest time to wait for a lock: longer than any client holds it. */
export const WAIT_MS = 15_000

/** The error for a caller that did not get the lock in time. */
export const lockTimeout = (name: string, waitMs: number, options?: ErrorOptions): LockTimeoutError =>
  new LockTimeoutError(`The lock "${name}" was not free within ${waitMs} ms. Try again.`, options)
