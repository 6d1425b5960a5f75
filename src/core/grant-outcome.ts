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
  /**
   * Keep the session. `spent`: the server may have rotated the refresh token although its answer was lost. `refused`: the
   * token endpoint itself would not have it, which counts in `before` the next time.
   */
  | { readonly do: 'keep'; readonly spent: boolean; readonly refused: boolean }
  /** The server no longer accepts this refresh token, or it cannot be sent any more for this reason. */
  | { readonly do: 'end'; readonly reason?: EndReason }

/** What went before a failed refresh. */
export interface RefreshesBefore {
  /** How many refreshes in a row, before this one and a pause apart, the token endpoint refused (`refused`). */
  readonly refusals: number
  /** Whether the access token has expired, so that the session is of no use as it is. */
  readonly accessTokenExpired: boolean
  /** Whether it was no refresh, but a grant that needs neither user nor refresh token: no refusal is for good. */
  readonly isGrant?: boolean
}

/** What says that nothing was done. Any other answer may stand for one that was lost behind a gateway. */
const UNTOUCHED = [408, 425, 429, 503]

/** At once, because a grace period may be running; then after a short pause. */
const PAUSES_MS = [0, 1000]

/**
 * Says that the refresh token is at fault, and can mean nothing else: RFC 6749 section 5.2, and what GitHub
 * (`bad_refresh_token`), Slack (`invalid_refresh_token`) and others say in its place. Not `invalid_token` or
 * `token_expired`, which a gateway says of other tokens too: those count as any refusal.
 */
const DEAD = /^(invalid_grant|(bad|invalid|expired)_refresh_token|refresh_token_(invalid|expired))$/

/** Says that something else is at fault: the client, what was asked for, the server, or that the user is needed. */
const OTHER =
  /^(invalid_(client|scope|target|resource|dpop_proof|authorization_details)|unauthorized_client|unsupported_grant_type|use_dpop_nonce|slow_down|temporarily_unavailable|server_error|.*_required)$/

/** Whether the token endpoint itself refused, for a reason that may be the refresh token. */
const isRefusal = ({ error, status }: ServerError): boolean =>
  (status === 400 || status === 401) && error !== 'invalid_response' && !OTHER.test(error)

/**
 * The one place which judges a failed refresh (RFC 6749 section 5.2); docs/errors.md has it as a table. Only the token
 * endpoint ends a session, or the loss of the key that it is bound to.
 * @param attempt 1 for the first.
 * @param remainingMs how long the lock may still be held.
 */
export function judgeRefreshFailure(
  error: LatchkeyError,
  attempt: number,
  remainingMs: number,
  { refusals, accessTokenExpired, isGrant }: RefreshesBefore,
): GrantOutcome {
  if (error instanceof AuthorizationRequiredError) return { do: 'end', reason: error.reason }
  if (error instanceof ServerError) {
    // a wrong secret that is sent again and again locks accounts
    if (isGrant) return { do: 'keep', spent: false, refused: error.error !== 'invalid_response' }
    if (DEAD.test(error.error)) return { do: 'end' }
    const refused = isRefusal(error)
    if (refused && refusals > 0 && accessTokenExpired) return { do: 'end', reason: 'expired' }
    // an answer that came but was unfit has spent the refresh token all the same
    return { do: 'keep', spent: error.error === 'invalid_response', refused }
  }
  if (!(error instanceof NetworkError)) return { do: 'keep', spent: false, refused: false }
  const keep = { do: 'keep', spent: !UNTOUCHED.includes(error.status ?? 0), refused: false } as const
  const pause = PAUSES_MS[attempt - 1]
  // a request that timed out may still be at work on the server: sending it twice at once helps nobody. What stands in
  // between answers the same a second later
  if (pause === undefined || error.reason === 'timeout' || error.reason === 'not_the_server') return keep
  const afterMs = Math.max(pause, error.retryAfterMs ?? 0)
  return afterMs < remainingMs ? { do: 'retry', afterMs, spent: keep.spent } : keep
}
