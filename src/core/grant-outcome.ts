import {
  AuthorizationRequiredError,
  type EndReason,
  type LatchkeyError,
  NetworkError,
  ServerError,
} from '../errors.ts'

/** What follows from a failed refresh. */
export type GrantOutcome =
  /** Send it again after this pause. */
  | { readonly do: 'retry'; readonly afterMs: number; readonly spent: boolean }
  /** Keep the session. `spent`: the server may have rotated the refresh token although its answer was lost. */
  | { readonly do: 'keep'; readonly spent: boolean }
  /** The server no longer accepts this refresh token, or it cannot be sent any more for this reason. */
  | { readonly do: 'end'; readonly reason?: EndReason }

/** What says that nothing was done. Any other answer may stand for one that was lost behind a gateway. */
const UNTOUCHED = [408, 425, 429, 503]

/** At once, because a grace period may be running; then after a short pause. */
const PAUSES_MS = [0, 1000]

/**
 * The one place which judges a failed refresh (RFC 6749 section 5.2). Only `invalid_grant` ends a session, or the loss of
 * the key that it is bound to.
 * @param attempt 1 for the first.
 * @param remainingMs how long the lock may still be held.
 */
export function judgeRefreshFailure(
  error: LatchkeyError,
  attempt: number,
  remainingMs: number,
): GrantOutcome {
  if (error instanceof ServerError && error.error === 'invalid_grant') return { do: 'end' }
  if (error instanceof AuthorizationRequiredError) return { do: 'end', reason: error.reason }
  // an answer that came but was unfit has spent the refresh token all the same
  const isUnfit = error instanceof ServerError && error.error === 'invalid_response'
  if (!(error instanceof NetworkError)) return { do: 'keep', spent: isUnfit }
  const spent = !UNTOUCHED.includes(error.status ?? 0)
  const pause = PAUSES_MS[attempt - 1]
  // a request that timed out may still be at work on the server: sending it twice at once helps nobody
  if (pause === undefined || error.reason === 'timeout') return { do: 'keep', spent }
  const afterMs = Math.max(pause, error.retryAfterMs ?? 0)
  return afterMs < remainingMs ? { do: 'retry', afterMs, spent } : { do: 'keep', spent }
}
