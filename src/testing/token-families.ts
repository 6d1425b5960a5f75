import type { Clock } from '../extending.ts'
import type { SigningKey } from './signing-key.ts'

/** A user who signs in: the subject, or the claims of the ID Token (OpenID Connect Core section 2). */
export type User = string | ({ readonly sub: string } & Readonly<Record<string, unknown>>)

/** The granted sign-in that a token family belongs to. */
export interface Grant {
  readonly user: User
  readonly scope: string
  readonly nonce?: string | null | undefined
  /** The first of the `acr_values` that the sign-in asked for. */
  readonly acr?: string | undefined
  /** When the user authenticated, in seconds since 1970, if the sign-in asked for it with `max_age`. */
  readonly authTime?: number | undefined
  /** The thumbprint of the DPoP key that the tokens are bound to (RFC 9449 section 6). */
  readonly jkt?: string | undefined
  /** Whether there is a refresh token. Default true. */
  readonly isRefreshable?: boolean
}

type TokenAnswer = Record<string, unknown>

/** All tokens that were issued for one sign-in (RFC 9700 section 4.14.2). */
export interface Family extends Grant {
  readonly rotated: Map<string, { at: number; answer: TokenAnswer }>
  refreshToken: string
  alive: boolean
}

/** The facts about a valid access token. */
export interface AccessTokenInfo {
  readonly subject: string
  readonly scope: string
  /** The API that the access token is for (RFC 8707), if the client named one. */
  readonly resource?: string | undefined
  /** The thumbprint of the DPoP key that it is bound to, if any (RFC 9449 section 6). */
  readonly jkt?: string | undefined
}

/** The settings of future tokens. A test may change them. */
export interface TokenSettings {
  /** Overrides claims of the ID Tokens. */
  idTokenClaims: Record<string, unknown>
  /** Returns more claims for an ID Token, which may depend on the access token of the same response. */
  claimsFor: (accessToken: string) => Promise<Record<string, unknown>>
  /** The key that signs ID Tokens. The server publishes it at the `jwks_uri`. */
  key: SigningKey
  /** Adds members to every token response. */
  moreMembers: Record<string, unknown>
  /** How many seconds an access token lasts. */
  accessTokenSeconds: number
  /** How many times a client sent a refresh token that the server had already rotated. */
  reuses: number
}

export interface TokenFamiliesPorts {
  readonly issuer: string
  readonly clientId: string
  readonly clock: Clock
  /** How many milliseconds a rotated refresh token still works: the server repeats the tokens of its rotation. */
  readonly graceMs: number
  readonly settings: TokenSettings
  /** Records a secret. @returns the secret. */
  keep(value: string): string
}

/** A random value with a prefix that names its kind. */
export const secret = (kind: string): string => `${kind}-${crypto.randomUUID()}`

export const subjectOf = (user: User): string => (typeof user === 'string' ? user : user.sub)
const claimsOf = (user: User) => (typeof user === 'string' ? { sub: user } : user)

/**
 * Issues tokens, rotates a refresh token at every use, and ends the whole family if a refresh token is reused (RFC 9700
 * section 4.14.2).
 */
export function createTokenFamilies(ports: TokenFamiliesPorts) {
  const { issuer, clientId, clock, graceMs, settings, keep } = ports
  const families: Family[] = []
  const accessTokens = new Map<string, { family: Family; resource: string | undefined; expiresAt: number }>()

  const idTokenFor = async ({ user, acr, authTime }: Grant, accessToken: string, nonce?: string | null) => {
    const now = Math.floor(clock.now() / 1000)
    const claims = { iss: issuer, ...claimsOf(user), aud: clientId, iat: now, exp: now + 3600 }
    const asked = { nonce: nonce ?? undefined, acr, auth_time: authTime }
    const more = { ...(await settings.claimsFor(accessToken)), ...settings.idTokenClaims }
    return keep(await settings.key.sign({ ...claims, ...asked, ...more }))
  }

  /** Issues new tokens for a family. They replace its refresh token. */
  const issue = async (family: Family, nonce?: string | null, resource?: string): Promise<TokenAnswer> => {
    const { scope, jkt, isRefreshable = true } = family
    const accessToken = keep(secret('access'))
    if (isRefreshable) family.refreshToken = keep(secret('refresh'))
    const expiresAt = clock.now() + settings.accessTokenSeconds * 1000
    accessTokens.set(accessToken, { family, resource, expiresAt })
    return {
      access_token: accessToken,
      token_type: jkt ? 'DPoP' : 'Bearer',
      expires_in: settings.accessTokenSeconds,
      refresh_token: family.refreshToken || undefined,
      scope,
      id_token: scope.split(' ').includes('openid')
        ? await idTokenFor(family, accessToken, nonce)
        : undefined,
      ...settings.moreMembers,
    }
  }

  const end = (family: Family) => {
    family.alive = false
    for (const [token, entry] of accessTokens) if (entry.family === family) accessTokens.delete(token)
  }
  const ofRefreshToken = (sent: string) =>
    families.find(one => sent && (one.refreshToken === sent || one.rotated.has(sent)))

  return {
    end,
    /** Begins a family. @returns the family and its first tokens. */
    async begin(grant: Grant, resource?: string): Promise<{ family: Family; answer: TokenAnswer }> {
      const family: Family = { ...grant, rotated: new Map(), refreshToken: '', alive: true }
      families.push(family)
      return { family, answer: await issue(family, grant.nonce, resource) }
    },
    /** Rotates a refresh token. @returns the new tokens, or the OAuth error if the server refuses it. */
    async rotate(sent: string, jkt: string | undefined, resource?: string): Promise<TokenAnswer | string> {
      const family = ofRefreshToken(sent)
      if (!family?.alive) return 'invalid_grant'
      if (family.jkt !== jkt) return 'invalid_dpop_proof'
      const old = family.rotated.get(sent)
      if (old && clock.now() - old.at < graceMs) return old.answer
      if (old) {
        settings.reuses++
        end(family)
        return 'invalid_grant'
      }
      const answer = await issue(family, undefined, resource)
      family.rotated.set(sent, { at: clock.now(), answer })
      return answer
    },
    /** Revokes an access token, or the family of a refresh token (RFC 7009 section 2.1). */
    revoke(sent: string): void {
      const family = ofRefreshToken(sent)
      if (family) end(family)
      accessTokens.delete(sent)
    },
    /** The facts about an access token, unless it has expired or was revoked (RFC 7662). */
    introspect(accessToken: string): AccessTokenInfo | undefined {
      const entry = accessTokens.get(accessToken)
      if (!entry || clock.now() >= entry.expiresAt) return undefined
      const { user, scope, jkt } = entry.family
      return { subject: subjectOf(user), scope, resource: entry.resource, jkt }
    },
    /** The claims of the user that an access token belongs to. */
    userOf: (accessToken: string): Record<string, unknown> | undefined => {
      const family = accessTokens.get(accessToken)?.family
      return family && { ...claimsOf(family.user) }
    },
    revokeAccessTokens: () => accessTokens.clear(),
    endSessions: () => families.forEach(end),
  }
}
