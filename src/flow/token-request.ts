import * as oauth from 'oauth4webapi'
import type { Emit, GrantType } from '../core/events.ts'
import type { Clock } from '../core/ports.ts'
import type { IdTokenClaims, TokenResponse } from '../core/token-set.ts'
import { NetworkError, ServerError } from '../errors.ts'
import { endpointOf, type Server } from './discovery.ts'
import { toLatchkeyError } from './failure.ts'
import type { Transport } from './transport.ts'

/** A checked answer, with the claims of the ID Token that came with it. */
export interface Granted {
  readonly response: TokenResponse
  readonly claims: IdTokenClaims | undefined
}

export interface CodeExchange {
  /** What `validateAuthResponse` let through. */
  readonly callbackParameters: URLSearchParams
  readonly redirectUri: string
  readonly codeVerifier: string
  readonly nonce: string | undefined
  readonly attempt: number
}

/** The one caller of the grant functions. Every failure is a LatchkeyError without secrets. */
export interface TokenRequests {
  /** RFC 6749 section 4.1.3 with RFC 7636 section 4.5; the ID Token's signature is checked. */
  exchangeCode(exchange: CodeExchange): Promise<Granted>
  /** RFC 6749 section 6. */
  refresh(refreshToken: string, attempt: number, signal: AbortSignal): Promise<Granted>
  /** RFC 7009. */
  revoke(token: string, hint: 'refresh_token' | 'access_token'): Promise<void>
}

export function createTokenRequests({
  server,
  clientId,
  transport,
  clock,
  emit,
}: {
  server: Server
  clientId: string
  transport: Transport
  clock: Clock
  emit: Emit
}): TokenRequests {
  const client: oauth.Client = { client_id: clientId }
  const authentication = oauth.None()

  const options = (signal?: AbortSignal) => ({
    signal,
    [oauth.allowInsecureRequests]: true, // endpointOf() refuses http, but for loopback
    [oauth.customFetch]: (url: string, init: object) => transport(url, init as RequestInit),
  })

  const told = async (
    grantType: GrantType,
    attempt: number,
    secrets: string[],
    request: () => Promise<Granted>,
  ): Promise<Granted> => {
    emit({ type: 'token-request', grantType, attempt })
    try {
      const granted = await request()
      const { expires_in, scope, refresh_token } = granted.response
      emit({
        type: 'token-response',
        grantType,
        expiresInSeconds: expires_in,
        scope: scope ?? '',
        rotated: refresh_token !== undefined && !secrets.includes(refresh_token),
      })
      return granted
    } catch (cause) {
      const error = toLatchkeyError(cause, 'The token request', clock.now(), secrets)
      emit({
        type: 'token-error',
        grantType,
        code: error.code,
        error: error instanceof ServerError ? error.error : undefined,
        status: error instanceof ServerError || error instanceof NetworkError ? error.status : undefined,
      })
      throw error
    }
  }

  /**
   * The ID Token of a refresh, checked on its own: the rotated refresh token beside it must not be lost because keys
   * cannot be had or clocks differ. In that case the old ID Token stays in use.
   */
  const refreshedIdToken = async (as: oauth.AuthorizationServer, answer: Response, signal: AbortSignal) => {
    try {
      const result = await oauth.processRefreshTokenResponse(as, client, answer)
      await oauth.validateApplicationLevelSignature(as, answer, options(signal))
      return { idToken: result.id_token, claims: oauth.getValidatedIdTokenClaims(result) }
    } catch (error) {
      const { code } = error as { code?: unknown }
      if (
        error instanceof NetworkError ||
        code === oauth.JWT_TIMESTAMP_CHECK ||
        code === oauth.KEY_SELECTION
      ) {
        return { idToken: undefined, claims: undefined }
      }
      throw error
    }
  }

  return {
    exchangeCode: exchange =>
      told('authorization_code', exchange.attempt, [exchange.codeVerifier], async () => {
        const as = await server()
        endpointOf(as, 'token_endpoint')
        const answer = await oauth
          .authorizationCodeGrantRequest(
            as,
            client,
            authentication,
            exchange.callbackParameters,
            exchange.redirectUri,
            exchange.codeVerifier,
            options(),
          )
          .then(readable)
        const response = await oauth.processAuthorizationCodeResponse(as, client, answer, {
          expectedNonce: exchange.nonce ?? oauth.expectNoNonce,
          requireIdToken: exchange.nonce !== undefined,
        })
        if (response.id_token) await oauth.validateApplicationLevelSignature(as, answer, options())
        return { response, claims: oauth.getValidatedIdTokenClaims(response) }
      }),

    refresh: (refreshToken, attempt, signal) =>
      told('refresh_token', attempt, [refreshToken], async () => {
        const as = await server()
        endpointOf(as, 'token_endpoint')
        const answer = await oauth
          .refreshTokenGrantRequest(as, client, authentication, refreshToken, options(signal))
          .then(readable)
        const whole = answer.clone()
        const response = await oauth.processRefreshTokenResponse(
          as,
          client,
          await without(answer, 'id_token'),
        )
        const { idToken, claims } = await refreshedIdToken(as, whole, signal)
        return { response: { ...response, id_token: idToken }, claims }
      }),

    async revoke(token, hint) {
      const as = await server()
      endpointOf(as, 'revocation_endpoint')
      try {
        const answer = await oauth.revocationRequest(as, client, authentication, token, {
          ...options(),
          additionalParameters: { token_type_hint: hint },
        })
        await oauth.processRevocationResponse(answer)
      } catch (error) {
        throw toLatchkeyError(error, 'The revocation request', clock.now(), [token])
      }
    },
  }
}

/**
 * The answer as oauth4webapi can judge it: a challenge beside an error would hide the `error` in the body, and members
 * that are null or empty say the same as ones that are not there.
 */
async function readable(answer: Response): Promise<Response> {
  const headers = new Headers(answer.headers)
  headers.delete('www-authenticate')
  const text = await answer.text()
  return new Response(compact(text) ?? text, { status: answer.status, headers })
}

const without = async (answer: Response, member: string): Promise<Response> =>
  new Response(compact(await answer.text(), member), { status: answer.status, headers: answer.headers })

/** The JSON object in `text` without its null and empty members and without `leftOut`; undefined if it is none. */
function compact(text: string, leftOut?: string): string | undefined {
  try {
    const body: unknown = JSON.parse(text)
    if (typeof body !== 'object' || body === null || Array.isArray(body)) return undefined
    const kept = Object.entries(body).filter(
      ([name, value]) => value !== null && !(name === 'refresh_token' && value === '') && name !== leftOut,
    )
    return JSON.stringify(Object.fromEntries(kept))
  } catch {
    return undefined
  }
}
