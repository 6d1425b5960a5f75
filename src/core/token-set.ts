import type { LatchkeyError } from '../errors.ts'
import type { EpochMs } from './ports.ts'

/** The standard claims about a user (OpenID Connect Core section 5.1), as far as the server gives them. */
export interface StandardClaims {
  readonly name?: string
  readonly given_name?: string
  readonly family_name?: string
  readonly middle_name?: string
  readonly nickname?: string
  readonly preferred_username?: string
  readonly profile?: string
  readonly picture?: string
  readonly website?: string
  readonly email?: string
  readonly email_verified?: boolean
  readonly gender?: string
  readonly birthdate?: string
  readonly zoneinfo?: string
  readonly locale?: string
  readonly phone_number?: string
  readonly phone_number_verified?: boolean
  readonly address?: {
    readonly formatted?: string
    readonly street_address?: string
    readonly locality?: string
    readonly region?: string
    readonly postal_code?: string
    readonly country?: string
  }
  /** In seconds since 1970. */
  readonly updated_at?: number
}

/** The claims of a checked ID Token (OpenID Connect Core section 2). */
export interface IdTokenClaims extends StandardClaims {
  readonly iss: string
  readonly sub: string
  readonly aud: string | readonly string[]
  readonly exp: number
  readonly iat: number
  /** When the user authenticated, in seconds since 1970. */
  readonly auth_time?: number
  readonly acr?: string
  readonly amr?: readonly string[]
  readonly [claim: string]: unknown
}

/** An access token and its lifetime. */
export interface AccessToken {
  readonly accessToken: string
  /** The granted scopes, joined by spaces (RFC 6749 section 3.3). */
  readonly scope: string
  /** The granted authorization details, if the server sent them (RFC 9396 section 7). */
  readonly authorizationDetails?: unknown
  /** When the access token expires. Absent if the server did not say: latchkey uses the token until a 401. */
  readonly expiresAt?: EpochMs
  /** When calls begin to refresh in the background. */
  readonly refreshAt?: EpochMs
}

/** The tokens of a session. */
export interface TokenSet extends AccessToken {
  readonly refreshToken?: string
  readonly idToken?: string
  /** When the refresh token expires, if the server said so. */
  readonly refreshExpiresAt?: EpochMs | undefined
  /** The members of the token responses that the option `responseParameters` names. */
  readonly parameters?: Readonly<Record<string, unknown>> | undefined
  /** The claims of the newest valid ID Token. */
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
  /** At a refresh: the claims failed a check. latchkey uses them only to see whether they name another user. */
  readonly isDistrusted?: boolean
  /** At a refresh: why latchkey uses only the refresh token of this response. */
  readonly refused?: LatchkeyError | undefined
}
