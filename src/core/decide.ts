import type { EndReason } from '../errors.ts'
import type { EpochMs } from './ports.ts'
import { accessTokenOf, runsGrant, type SessionRecord } from './session.ts'

/** What to do for a call that needs an access token. */
export type Decision =
  /** Use this access token. `due`: also refresh in the background. */
  | { readonly do: 'use'; readonly accessToken: string; readonly due: boolean }
  /** There is no usable access token: redeem this refresh token, or run the grant again if there is none. */
  | { readonly do: 'refresh'; readonly refreshToken: string | undefined }
  /** Only the user can continue the session, by signing in. */
  | { readonly do: 'authorize'; readonly reason: EndReason }

/** Whether latchkey can get the next access token without the user. */
export const canRenew = (record: SessionRecord): boolean =>
  record.tokens.refreshToken !== undefined || runsGrant(record)

/**
 * Decides how a call gets an access token.
 * @param rejected an access token that an API answered with 401: it is unusable even if it has not expired.
 * @param resource the API in `resources` that the access token is for. Default: the access token for `allowedOrigins`.
 */
export function decide(
  record: SessionRecord | undefined,
  now: EpochMs,
  rejected?: string,
  resource?: string,
): Decision {
  if (!record) return { do: 'authorize', reason: 'no_session' }
  const { accessToken, expiresAt = Infinity, refreshAt = Infinity } = accessTokenOf(record, resource) ?? {}
  if (accessToken !== undefined && accessToken !== rejected && now < expiresAt) {
    // retry a refresh without a response immediately: the server's grace period may still accept the old refresh token
    const due = canRenew(record) && (now >= refreshAt || record.pending !== undefined)
    return { do: 'use', accessToken, due }
  }
  if (!canRenew(record)) return { do: 'authorize', reason: 'no_refresh_token' }
  return { do: 'refresh', refreshToken: record.tokens.refreshToken }
}

/**
 * Why a session needs its user, according to this device's clock. A call with a refresh token still asks the server,
 * because the clock may be wrong.
 */
export function expiredByLocalClock(record: SessionRecord, now: EpochMs): EndReason | undefined {
  const decision = decide(record, now)
  if (decision.do === 'authorize') return decision.reason
  const { refreshExpiresAt = Infinity } = record.tokens
  return decision.do === 'refresh' && now >= refreshExpiresAt && !runsGrant(record) ? 'expired' : undefined
}
