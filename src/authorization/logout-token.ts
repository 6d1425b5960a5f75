import {
  type AuthorizationServer,
  allowInsecureRequests,
  clockSkew,
  customFetch,
  skipStateCheck,
  validateJwtAuthResponse,
} from 'oauth4webapi'
import { fromBase64 } from '../core/base64url.ts'
import { isMembers } from '../core/members.ts'
import type { Clock } from '../core/ports.ts'
import { NetworkError, ServerError } from '../errors.ts'
import type { Transport } from './endpoint.ts'
import { endpointOf } from './metadata.ts'

/** The sessions to log out (OpenID Connect Back-Channel Logout section 2.4). Has `subject`, `sessionId` or both. */
export interface LoggedOut {
  readonly issuer: string
  /** The claim `sub`. Without `sessionId`, all sessions of this user. */
  readonly subject: string | undefined
  /** The claim `sid`, as in the ID Token of the session. */
  readonly sessionId: string | undefined
}

export interface LogoutToken extends LoggedOut {
  /** The claim `jti`, unique for each logout token of this issuer. */
  readonly id: string
  /** The claim `iat`, in seconds since 1970. */
  readonly issuedAt: number
}

export interface LogoutTokenPorts {
  readonly clientId: string
  readonly transport: Transport
  readonly clock: Clock
}

const EVENT = 'http://schemas.openid.net/event/backchannel-logout'

/** The greatest age of a logout token. Its id has to be remembered only for this long. */
export const OLDEST_SECONDS = 600

const isText = (value: unknown): value is string => typeof value === 'string' && value !== ''

const decode = (part = ''): Record<string, unknown> => JSON.parse(new TextDecoder().decode(fromBase64(part)))

/**
 * Checks a logout token (OpenID Connect Back-Channel Logout section 2.6). It is signed like an ID Token.
 * @throws ServerError for an invalid one; NetworkError if the server's keys cannot be fetched.
 */
export async function parseLogoutToken(
  { clientId, transport, clock }: LogoutTokenPorts,
  as: AuthorizationServer,
  token: string,
): Promise<LogoutToken> {
  const refuse = (why: string) =>
    new ServerError(`The logout token was refused: ${why}. Check who sent it.`, { error: 'invalid_request' })
  endpointOf(as, 'jwks_uri')
  try {
    // checks signature, alg, iss, aud, exp and nbf, which are the same as in a JWT authorization response
    await validateJwtAuthResponse(
      as,
      { client_id: clientId, [clockSkew]: Math.round((clock.now() - Date.now()) / 1000) },
      new URLSearchParams({ response: token }),
      skipStateCheck,
      { [allowInsecureRequests]: true, [customFetch]: (url: string, init: object) => transport(url, init) },
    )
  } catch (error) {
    if (error instanceof NetworkError) throw error
    // oauth4webapi's error contains the token
    throw refuse(
      `its signature, issuer, audience or time is not right (${(error as { code?: string }).code})`,
    )
  }
  const [header, claims] = token.split('.')
  const { typ = 'JWT' } = decode(header)
  const { iss, sub, sid, jti, iat, events, nonce } = decode(claims)
  // refuses other kinds of JWT from the same issuer (RFC 8725 section 3.11)
  if (!/^(application\/)?(logout\+)?jwt$/i.test(String(typ)))
    throw refuse('its typ is of another kind of token')
  if (nonce !== undefined) throw refuse('it has a nonce, as an ID Token has')
  if (!isMembers(events) || !isMembers(events[EVENT])) throw refuse('its events have no logout')
  if (!isText(jti)) throw refuse('it has no jti')
  if (![sub, sid].some(isText) || ![sub, sid].every(one => one === undefined || isText(one))) {
    throw refuse('it has neither sub nor sid')
  }
  if (typeof iat !== 'number' || Math.abs(clock.now() / 1000 - iat) > OLDEST_SECONDS) {
    throw refuse('it was not issued in the last ten minutes')
  }
  return {
    issuer: iss as string,
    subject: sub as string | undefined,
    sessionId: sid as string | undefined,
    id: jti,
    issuedAt: iat,
  }
}

/** The metadata for oauth4webapi's check of logout tokens, which are signed like ID Tokens. */
export const asSigner = (as: AuthorizationServer, alg: string | undefined): AuthorizationServer => ({
  ...as,
  authorization_signing_alg_values_supported: alg ? [alg] : as.id_token_signing_alg_values_supported,
})
