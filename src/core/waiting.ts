import { NetworkError } from '../errors.ts'
import type { Clock } from './ports.ts'

/**
 * Runs `work` for at most `ms` milliseconds, then aborts its signal and rejects with the error from `late`. latchkey uses it
 * wherever it waits for something that may not settle, so that no call hangs.
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

/** Returns a shared promise for one caller. The caller's `signal` ends only that caller's wait. */
export const abortable = <T>(shared: Promise<T>, signal: AbortSignal | null | undefined): Promise<T> =>
  signal
    ? new Promise((resolve, reject) => {
        const abort = () => reject(signal.reason)
        if (signal.aborted) abort()
        signal.addEventListener('abort', abort)
        shared.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort))
      })
    : shared

/** Runs `work` once and returns the same promise to all callers. After a rejection, the next call runs it again. */
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

/** Calls in the same turn share one run of `work`, which begins after all of them. */
export function batched<T>(work: () => Promise<T>): () => Promise<T> {
  let next: Promise<T> | undefined
  return () => {
    next ??= Promise.resolve().then(() => {
      next = undefined
      return work()
    })
    return next
  }
}

/** A part of latchkey that is loaded on first use. */
export interface Loadable<T> {
  /** The part, if it is loaded. */
  readonly loaded: T | undefined
  /** Loads it once for all callers. After a failure, the next call tries again. */
  get(): Promise<T>
}

/** @param loaded the part, if it is there from the beginning. */
export function loadable<T>(load: () => Promise<T>, loaded?: T): Loadable<T> {
  return {
    get loaded() {
      return loaded
    },
    get: once(() =>
      loaded === undefined
        ? load().then(part => {
            loaded = part
            return part
          })
        : Promise.resolve(loaded),
    ),
  }
}

/** Runs one `work` per key at a time: calls with the same key share the pending promise. */
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

/** Throws the error for a part of latchkey that `import()` could not load. */
export const notLoaded = (cause: unknown): never => {
  throw new NetworkError('Part of latchkey could not be loaded. Reload the page.', 'unreachable', { cause })
}
