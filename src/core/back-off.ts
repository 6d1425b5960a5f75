import type { LatchkeyError, NetworkError, ServerError } from '../errors.ts'
import type { Clock, EpochMs } from './ports.ts'
import type { StoredTrouble } from './trouble.ts'
import { abortable } from './waiting.ts'

/** Pauses after failed refreshes: `first` doubles up to `longest`. `refused`: after one refusal, and after more. */
const BACKOFF_MS = { first: 500, longest: 30_000, refused: [30_000, 60_000] }

/**
 * Counts one more failed refresh, and sets when the next one may start.
 * @param random from 0 to 1. It spreads the retries of many clients.
 */
export function addFailure(
  before: StoredTrouble | undefined,
  error: LatchkeyError,
  isRefusal: boolean,
  now: EpochMs,
  random: number,
): StoredTrouble {
  const { failures = 0, refusals = 0, since = now } = before ?? {}
  const { message, code } = error
  const { reason, status, retryable, retryAfterMs = 0 } = error as Partial<NetworkError>
  const { error: name, errorDescription: description, claims } = error as Partial<ServerError>
  const longest = Math.min(BACKOFF_MS.first * 2 ** failures, BACKOFF_MS.longest)
  const refused = BACKOFF_MS.refused[Math.min(refusals, 1)] as number
  const pauseMs = (isRefusal ? refused : longest) * (0.5 + random / 2)
  return {
    ...{ since, at: now, askedUntil: now + retryAfterMs, until: now + Math.max(pauseMs, retryAfterMs) },
    ...{ failures: failures + 1, refusals: isRefusal ? refusals + 1 : 0 },
    ...{ code, message, why: reason ?? name, status, description, claims },
    retryable: retryable ? undefined : false,
  }
}

/** Whether the next refresh has to wait. Ignores a failure in the future, which means that the clock was set back. */
export const isTooEarly = (
  { at, until, askedUntil }: StoredTrouble,
  now: EpochMs,
  wokeAt: EpochMs,
): boolean => at <= now && now < (wokeAt > at ? askedUntil : until)

/** Waits for `ms` milliseconds. Rejects with `signal.reason` if `signal` is aborted first. */
export const pause = (clock: Clock, ms: number, signal?: AbortSignal): Promise<void> => {
  let cancel = () => {}
  const waited = new Promise<void>(resolve => {
    cancel = clock.after(ms, resolve)
  })
  return abortable(waited, signal).finally(() => cancel())
}
