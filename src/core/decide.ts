import type { EndReason } from '../errors.ts'
import type { EpochMs } from './ports.ts'
import { accessTokenOf, runsGrant, type SessionRecord } from './session.ts'

/** What to do for a call that needs an access token. */
export type Decision =
  /** Use this access token; `due` asks for a refresh beside the call. */
  | { readonly do: 'use'; readonly accessToken: string; readonly due: boolean }
  /** Nothing usable, but this can be redeemed; without a refresh token, the grant can be run again. */
  | { readonly do: 'refresh'; readonly refreshToken: string | undefined }
  /** Only the user can help. */
  | { readonly do: 'authorize'; readonly reason: EndReason }

/**
 * @param rejected the access token that a 401 came back for; a 401 beats the clock.
 * @param resource which API of `resources` it is for, if it is for one.
 */
export function decide(
  record: SessionRecord | undefined,
  now: EpochMs,
  rejected?: string,
  resource?: string,
): Decision {
  if (!record) return { do: 'authorize', reason: 'no_session' }
  const { refreshToken } = record.tokens
  const canRenew = refreshToken !== undefined || runsGrant(record)
  const { accessToken, expiresAt = Infinity, refreshAt = Infinity } = accessTokenOf(record, resource) ?? {}
  if (accessToken !== undefined && accessToken !== rejected && now < expiresAt) {
    // a refresh whose answer never came is tried again at once: a grace period may still cover it
    const due = canRenew && (now >= refreshAt || record.pending !== undefined)
    return { do: 'use', accessToken, due }
  }
  if (!canRenew) return { do: 'authorize', reason: 'no_refresh_token' }
  return { do: 'refresh', refreshToken }
}

/**
 * Why a session cannot be used without its user, as far as this device's clock says so. A call asks the server all the
 * same where there is a refresh token: the clock may be wrong.
 */
export function overByClock(record: SessionRecord, now: EpochMs): EndReason | undefined {
  const decision = decide(record, now)
  if (decision.do === 'authorize') return decision.reason
  const { refreshExpiresAt = Infinity } = record.tokens
  return decision.do === 'refresh' && now >= refreshExpiresAt && !runsGrant(record) ? 'expired' : undefined
}
