import type { LatchkeyError } from '../errors.ts'
import type { EpochMs } from './ports.ts'

/** The claims of a checked ID Token (OpenID Connect Core section 2). */
export interface IdTokenClaims {
  readonly iss: string
  readonly sub: string
  readonly aud: string | readonly string[]
  readonly exp: number
  readonly iat: number
  readonly [claim: string]: unknown
}

/** An access token and how long it lasts. */
export interface AccessToken {
  readonly accessToken: string
  /** What was granted, joined by spaces (RFC 6749 section 3.3). */
  readonly scope: string
  /** What was granted of authorization details, where the server said so (RFC 9396 section 7). */
  readonly authorizationDetails?: unknown
  /** From here on the access token is not used. Absent where the server did not say: used until a 401. */
  readonly expiresAt?: EpochMs
  /** From here on a refresh is begun beside the call. */
  readonly refreshAt?: EpochMs
}

/** What a session holds. */
export interface TokenSet extends AccessToken {
  readonly refreshToken?: string
  readonly idToken?: string
  /** Of the ID Token that began the session or the newest one after it. */
  readonly claims?: IdTokenClaims
}

/** A token response (RFC 6749 section 5.1) after its checks. */
export interface TokenResponse {
  readonly access_token: string
  readonly refresh_token?: string
  readonly id_token?: string
  readonly scope?: string
  readonly expires_in?: number
  readonly [member: string]: unknown
}

/** A token response with the claims of the ID Token that came with it. */
export interface Granted {
  readonly response: TokenResponse
  readonly claims: IdTokenClaims | undefined
  /** At a refresh: these claims did not pass their checks, and only tell whether it is somebody else. */
  readonly isDistrusted?: boolean
  /** At a refresh: nothing of this answer is to be used but its refresh token. */
  readonly refused?: LatchkeyError | undefined
}

/** Whether a refreshed ID Token is of the same sign-in as the one before (OpenID Connect Core section 12.2). */
const isContinued = (before: IdTokenClaims, after: IdTokenClaims): boolean =>
  [before.aud].flat().every(audience => [after.aud].flat().includes(audience)) &&
  ['iss', 'azp', 'auth_time', 'nonce'].every(
    name => (after[name] ?? before[name]) === (before[name] ?? after[name]),
  )

/** Ten years: longer than any token lives, and far from what dates and timers cannot hold. */
const LONGEST_LIFETIME_SECONDS = 10 * 365 * 24 * 3600

/**
 * The tokens after a response. What it leaves out keeps its old value (RFC 6749 section 5.1 and 6); so does an ID Token
 * whose successor is not one, as long as it is of the same user.
 * @param context.leewaySeconds refresh this early, but never more than a fifth of the lifetime: a margin longer than
 * the lifetime would refresh for ever.
 * @param context.scope what was asked for, where neither this answer nor an earlier one says what was granted.
 */
export function toTokenSet(
  { response, claims, isDistrusted }: Granted,
  context: { receivedAt: EpochMs; leewaySeconds: number; scope: string; previous?: TokenSet },
): TokenSet {
  const { receivedAt, leewaySeconds, previous } = context
  // no lifetime, or none worth the name: the token is used until a 401
  const seconds = Math.min(response.expires_in || Number.NaN, LONGEST_LIFETIME_SECONDS)
  const after = (wait: number) => (Number.isNaN(wait) ? undefined : receivedAt + wait * 1000)
  const old = previous?.claims
  const isRefused =
    claims && (old ? old.sub === claims.sub && (isDistrusted || !isContinued(old, claims)) : isDistrusted)
  return {
    accessToken: response.access_token,
    refreshToken: response.refresh_token ?? previous?.refreshToken,
    idToken: (isRefused ? undefined : response.id_token) ?? previous?.idToken,
    claims: (isRefused ? undefined : claims) ?? old,
    scope: response.scope ?? previous?.scope ?? context.scope,
    authorizationDetails: response.authorization_details ?? previous?.authorizationDetails,
    expiresAt: after(seconds),
    refreshAt: after(seconds - Math.min(leewaySeconds, seconds * 0.2)),
  }
}
