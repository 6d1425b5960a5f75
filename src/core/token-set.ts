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
