import { LockTimeoutError, NetworkError } from '../errors.ts'
import type { Clock } from './ports.ts'

/** How long a lock is held at most: all attempts, the store's writes, and aborts. */
export const HOLD_MS = 12_000
/** Of that, what requests may take: the rest is for the write that makes their answer durable. */
export const REQUESTS_MS = HOLD_MS - 2500
/** A lock that names its holder for longer has no living one: it is frozen, or died where nobody here can see it. */
export const LEASE_MS = HOLD_MS + 2000
/** How long a lock is waited for at most: longer than anybody holds it. */
export const WAIT_MS = 15_000

/** For a caller that has waited for a lock for too long. */
export const lockTimeout = (name: string, waitMs: number, options?: ErrorOptions): LockTimeoutError =>
  new LockTimeoutError(`The lock "${name}" was not free within ${waitMs} ms. Try again.`, options)

/**
 * Runs `work`, but no longer than `ms`: then its signal is aborted and the answer rejects with what `late` makes.
 * Whatever waits in latchkey waits through this, so that no call ever hangs.
 */
export const withTimeLimit = <T>(
  clock: Clock,
  ms: number,
  work: (signal: AbortSignal) => Promise<T>,
  late: () => Error,
): Promise<T> =>
  new Promise((resolve, reject) => {
    const controller = new AbortController()
    const cancel = clock.after(ms, () => {
      const error = late()
      reject(error)
      controller.abort(error)
    })
    work(controller.signal).then(resolve, reject).finally(cancel)
  })

/** Waits, unless `signal` is aborted first. */
export const pause = (clock: Clock, ms: number, signal?: AbortSignal): Promise<void> => {
  let cancel = () => {}
  const waited = new Promise<void>(resolve => {
    cancel = clock.after(ms, resolve)
  })
  return abortable(waited, signal).finally(() => cancel())
}

/** The same promise for one caller, whose `signal` ends only that caller's waiting. */
export const abortable = <T>(shared: Promise<T>, signal: AbortSignal | null | undefined): Promise<T> =>
  signal
    ? new Promise((resolve, reject) => {
        const abort = () => reject(signal.reason)
        if (signal.aborted) abort()
        signal.addEventListener('abort', abort)
        shared.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort))
      })
    : shared

/** The same promise for all who ask. One that rejects is forgotten, so that the next caller tries again. */
export function once<T>(work: () => Promise<T>): () => Promise<T> {
  let running: Promise<T> | undefined
  return () => {
    running ??= work().catch(error => {
      running = undefined
      throw error
    })
    return running
  }
}

/** One promise per key: who asks while it is pending gets the same one; when it settles it is forgotten. */
export function singleFlight<T>(): (key: string, work: () => Promise<T>) => Promise<T> {
  const flights = new Map<string, Promise<T>>()
  return (key, work) => {
    const flying = flights.get(key)
    if (flying) return flying
    const flight = work().finally(() => flights.delete(key))
    flights.set(key, flight)
    return flight
  }
}

/** What is thrown where a part of latchkey that is loaded by `import()` does not come. */
export const notLoaded = (cause: unknown): never => {
  throw new NetworkError(
    'A file of this app with a part of latchkey could not be loaded. Reload the page to try again.',
    'unreachable',
    { cause },
  )
}
