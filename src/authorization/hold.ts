import { HOLD_MS, REQUESTS_MS } from '../core/lock-times.ts'
import type { Clock, WatchLeaving } from '../core/ports.ts'
import { withTimeLimit } from '../core/waiting.ts'
import { NetworkError } from '../errors.ts'

/** The time in which this client holds the lock of a refresh. */
export interface Hold {
  /** The signal for a request that is about to be sent. It is aborted when the rest of the time is needed for the store. */
  signal(): AbortSignal
  /** How many ms are left for requests. */
  remainingMs(): number
  /** The page of this client. If the user is leaving it, the browser aborts its requests. */
  readonly page: ReturnType<WatchLeaving> | undefined
}

export const tooLong = (): NetworkError =>
  new NetworkError(`The refresh did not end within ${HOLD_MS / 1000} s. Try again.`, 'timeout')

/** Runs `work` under a lock that this client holds. It rejects in time for the lock to be released. */
export function withinHold<T>(
  clock: Clock,
  watchLeaving: WatchLeaving | undefined,
  work: (hold: Hold) => Promise<T>,
): Promise<T> {
  const began = clock.now()
  const requests = new AbortController()
  const cancel = clock.after(REQUESTS_MS, () => requests.abort(tooLong()))
  const page = watchLeaving?.()
  const hold: Hold = {
    signal() {
      // after a freeze, another client may hold the lock, and the timer may not have fired yet
      if (Math.abs(clock.now() - began) >= REQUESTS_MS) requests.abort(tooLong())
      return requests.signal
    },
    remainingMs: () => REQUESTS_MS - (clock.now() - began),
    page,
  }
  return withTimeLimit(clock, HOLD_MS, () => work(hold), tooLong).finally(() => {
    cancel()
    page?.stop()
  })
}
