import {
  AuthorizationRequiredError,
  type EndReason,
  type LatchkeyError,
  NetworkError,
  ServerError,
} from '../errors.ts'

/** What to do after a failed refresh. */
export type GrantOutcome =
  /** Send it again after this pause. */
  | { readonly do: 'retry'; readonly afterMs: number; readonly spent: boolean }
  /**
   * Keep the session. `spent`: the server may have rotated the refresh token, and its response was lost. `refused`: the
   * token endpoint itself refused, which counts in `refusals` at the next refresh.
   */
  | { readonly do: 'keep'; readonly spent: boolean; readonly refused: boolean }
  /** End the session: the server no longer accepts the refresh token, or latchkey can no longer send it for this reason. */
  | { readonly do: 'end'; readonly reason?: EndReason }

/** The circumstances of a failed refresh. */
export interface RefreshesBefore {
  /** How many refreshes in a row the token endpoint refused before this one, with a pause after each. */
  readonly refusals: number
  /** Whether the access token has expired, so that the session is unusable without a refresh. */
  readonly accessTokenExpired: boolean
  /** Whether latchkey ran a grant without user and refresh token instead of a refresh: no refusal is final then. */
  readonly isGrant?: boolean
}

/** The statuses of a request that was not processed. With others, a gateway may have lost the response of the server. */
const NOT_PROCESSED_STATUSES = [408, 425, 429, 503]

/** First immediately, because a grace period may be running; then after a short pause. */
const PAUSES_MS = [0, 1000]

/**
 * Errors that can only be about the refresh token: `invalid_grant` (RFC 6749 section 5.2), and what GitHub
 * (`bad_refresh_token`), Slack (`invalid_refresh_token`) and others send instead. Not `invalid_token` or `token_expired`,
 * which a gateway also sends about other tokens: they count as ordinary refusals.
 */
const INVALID_REFRESH_TOKEN_ERRORS =
  /^(invalid_grant|(bad|invalid|expired)_refresh_token|refresh_token_(invalid|expired))$/

/** Errors about something else: the client, the request, the server, or a user who has to do something. */
const UNRELATED_ERRORS =
  /^(invalid_(client|scope|target|resource|dpop_proof|authorization_details)|unauthorized_client|unsupported_grant_type|use_dpop_nonce|slow_down|temporarily_unavailable|server_error|.*_required)$/

/** Whether the token endpoint itself refused, and the reason may be the refresh token. */
const isRefusal = ({ error, status }: ServerError): boolean =>
  (status === 400 || status === 401) && error !== 'invalid_response' && !UNRELATED_ERRORS.test(error)

/**
 * Decides what to do after a failed refresh (RFC 6749 section 5.2). No other code decides this; docs/errors.md shows it as a
 * table. Only a refusal by the token endpoint ends a session, or the loss of the key that its tokens are bound to.
 * @param attempt 1 for the first.
 * @param remainingMs how long latchkey may still hold the lock.
 */
export function judgeRefreshFailure(
  error: LatchkeyError,
  attempt: number,
  remainingMs: number,
  { refusals, accessTokenExpired, isGrant }: RefreshesBefore,
): GrantOutcome {
  if (error instanceof AuthorizationRequiredError) return { do: 'end', reason: error.reason }
  if (error instanceof ServerError) {
    // no immediate retry: servers lock the account of a client that keeps sending a wrong secret
    if (isGrant) return { do: 'keep', spent: false, refused: error.error !== 'invalid_response' }
    if (INVALID_REFRESH_TOKEN_ERRORS.test(error.error)) return { do: 'end' }
    const refused = isRefusal(error)
    if (refused && refusals > 0 && accessTokenExpired) return { do: 'end', reason: 'expired' }
    // the server has used up the refresh token even if its response was invalid
    return { do: 'keep', spent: error.error === 'invalid_response', refused }
  }
  if (!(error instanceof NetworkError)) return { do: 'keep', spent: false, refused: false }
  const keep = {
    do: 'keep',
    spent: !NOT_PROCESSED_STATUSES.includes(error.status ?? 0),
    refused: false,
  } as const
  const pause = PAUSES_MS[attempt - 1]
  // after a timeout, the server may still be processing the request: do not send a second one. A proxy that answers instead
  // of the server would give the same answer a second later
  if (pause === undefined || error.reason === 'timeout' || error.reason === 'not_the_server') return keep
  const afterMs = Math.max(pause, error.retryAfterMs ?? 0)
  return afterMs < remainingMs ? { do: 'retry', afterMs, spent: keep.spent } : keep
}
