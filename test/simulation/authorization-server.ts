import type { TokenResponse } from '../../src/core/token-set.ts'
import type { Parameters } from './parameters.ts'
import type { Scheduler } from './scheduler.ts'

/** All tokens from one sign-in. */
export interface Family {
  readonly id: string
  /** Why none of its tokens is accepted any more. */
  over?: 'reuse' | 'revoked'
}

interface RefreshToken {
  readonly family: Family
  usedAt?: number
  successor?: string
}

interface AccessToken {
  readonly family: Family
  readonly expiresAt: number
  revoked: boolean
}

/** A strict one: it rotates, and a used refresh token that is sent again after the grace period ends the session. */
export interface AuthorizationServer {
  /** Redeems an authorization code. */
  signIn(subject: string): { family: Family; response: TokenResponse }
  /** The tokens for a refresh token, or `undefined`: `invalid_grant`. */
  redeem(refreshToken: string): TokenResponse | undefined
  /** The result of introspecting an access token for a resource server. */
  accepts(accessToken: string): boolean
  /** RFC 7009: revoking the refresh token revokes the whole grant. */
  revoke(refreshToken: string): void
  revokeAccessTokens(): void
  revokeSessions(): void
  isOver(sessionId: string): boolean
  familyOf(refreshToken: string): Family | undefined
}

export function createAuthorizationServer(
  { server: { graceMs, successor, reuse, accessTokenSeconds, revokesOldAccessTokens } }: Parameters,
  scheduler: Scheduler,
  say: (what: string) => void,
): AuthorizationServer {
  const families: Family[] = []
  const refreshTokens = new Map<string, RefreshToken>()
  const accessTokens = new Map<string, AccessToken>()
  let issued = 0

  const end = (family: Family, over: 'reuse' | 'revoked') => {
    if (family.over) return
    family.over = over
    say(`session ${family.id} is over: ${over}`)
  }
  const grant = (family: Family, refreshToken = `${family.id}.R${++issued}`): TokenResponse => {
    if (revokesOldAccessTokens) {
      for (const token of accessTokens.values()) if (token.family === family) token.revoked = true
    }
    const accessToken = `${family.id}.A${++issued}`
    const expiresAt = scheduler.now + accessTokenSeconds * 1000
    accessTokens.set(accessToken, { family, expiresAt, revoked: false })
    if (!refreshTokens.has(refreshToken)) refreshTokens.set(refreshToken, { family })
    return { access_token: accessToken, refresh_token: refreshToken, expires_in: accessTokenSeconds }
  }

  return {
    signIn(subject) {
      const family: Family = { id: `${subject}${families.length + 1}` }
      families.push(family)
      return { family, response: grant(family) }
    },
    redeem(refreshToken) {
      const found = refreshTokens.get(refreshToken)
      if (!found || found.family.over) return undefined
      const next = found.successor ? refreshTokens.get(found.successor) : undefined
      if (found.usedAt !== undefined && scheduler.now - found.usedAt > graceMs) {
        if (reuse === 'kills') end(found.family, 'reuse')
        return undefined
      }
      found.usedAt ??= scheduler.now
      const same = successor === 'same' && next && next.usedAt === undefined
      const response = grant(found.family, same ? found.successor : undefined)
      found.successor ??= response.refresh_token
      return response
    },
    accepts(accessToken) {
      const found = accessTokens.get(accessToken)
      return !!found && !found.family.over && !found.revoked && scheduler.now < found.expiresAt
    },
    revoke(refreshToken) {
      const found = refreshTokens.get(refreshToken)
      if (found) end(found.family, 'revoked')
    },
    revokeAccessTokens() {
      for (const token of accessTokens.values()) token.revoked = true
    },
    revokeSessions() {
      for (const family of families) end(family, 'revoked')
    },
    isOver: sessionId => families.some(({ id, over }) => id === sessionId && over),
    familyOf: refreshToken => refreshTokens.get(refreshToken)?.family,
  }
}
