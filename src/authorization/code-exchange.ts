import {
  authorizationCodeGrantRequest,
  type Client,
  clockSkew,
  expectNoNonce,
  JWT_TIMESTAMP_CHECK,
  type ProcessAuthorizationCodeResponseOptions,
  processAuthorizationCodeResponse,
  validateAuthResponse,
} from 'oauth4webapi'
import type { Granted, IdTokenClaims } from '../core/token-set.ts'
import { CallbackError, ServerError } from '../errors.ts'
import { toLatchkeyError } from './failure.ts'
import { MOST_SKEW_SECONDS, namedBy, peek } from './id-token.ts'
import { atServerTime, type TokenRequestPorts, tokenRequest } from './token-request.ts'
import { readRefreshToken } from './token-response.ts'
import type { Transaction } from './transaction.ts'

/**
 * Where only a clock stands between us and a sign-in: how far this device's is behind the server's. The ID Token was
 * made for this very request, which its nonce proves, so its `iat` is the server's time.
 */
async function skewOf(error: unknown, answer: Response): Promise<number | undefined> {
  if ((error as { code?: string }).code !== JWT_TIMESTAMP_CHECK) return undefined
  const { id_token } = (await answer.json()) as { id_token: string }
  const skew = Number(peek(id_token, 1).iat) - Math.floor(Date.now() / 1000)
  return Math.abs(skew) < MOST_SKEW_SECONDS ? skew : undefined
}

/** OpenID Connect Core section 5.5.1.1, RFC 9470 section 5. An empty list: any will do, but one there must be. */
const isAcrMet = (asked: Transaction['acr'], claims: IdTokenClaims | undefined): boolean =>
  !asked || (typeof claims?.acr === 'string' && (!asked.length || asked.includes(claims.acr)))

/**
 * Checks the authorization response (RFC 6749 section 4.1.2, RFC 9207) and exchanges its code (RFC 7636 section 4.5),
 * which is sent once: only a reload by the user sends it again. The ID Token is checked with its signature
 * (OpenID Connect Core section 3.1.3.7).
 * @throws CallbackError when this sign-in cannot succeed; NetworkError when the same callback may succeed later.
 */
export async function exchangeCode(
  ports: TokenRequestPorts & { revoke(refreshToken: string): void },
  answer: URL,
  { state, redirectUri, codeVerifier, nonce, acr, maxAge }: Transaction,
): Promise<Granted> {
  const expected: ProcessAuthorizationCodeResponseOptions = {
    expectedNonce: nonce ?? expectNoNonce,
    requireIdToken: nonce !== undefined,
    ...(maxAge !== undefined && { maxAge }), // "auth_time" is asked for and compared then, by the server's clock
  }
  let newest: Response | undefined
  const answered = (answer: Response) => {
    newest = answer.clone()
  }
  try {
    const as = await ports.server()
    const parameters = validateAuthResponse(as, { client_id: ports.settings.clientId }, answer, state)
    const secrets = [codeVerifier, parameters.get('code') ?? '']
    const granted = await tokenRequest(
      ports,
      { grantType: 'authorization_code', sessionId: state, attempt: 1, secrets, answered },
      async (as, client, authentication, options) => {
        const request = [as, client, authentication, parameters, redirectUri, codeVerifier, options] as const
        const response = await authorizationCodeGrantRequest(...request)
        if (!response.ok) return processAuthorizationCodeResponse(as, client, response) // which says what is wrong
        const [again, peek] = [response.clone(), response.clone()]
        const judge = async (by: Client, answer: Response) => {
          const { id_token: idToken } = await answer.clone().json()
          const named = namedBy(as, String(idToken), ports.acceptDeviation)
          const tokens = await processAuthorizationCodeResponse(named, by, answer, expected)
          await ports.idTokens.check(tokens)
          await ports.idTokens.verify(named, answer, tokens)
          return tokens
        }
        try {
          return await judge(atServerTime(ports, client), response)
        } catch (error) {
          const skew = await skewOf(error, peek)
          if (skew === undefined) throw error
          ports.serverTime.learn(skew * 1000 + Date.now() - ports.clock.now())
          return judge({ ...client, [clockSkew]: skew }, again)
        }
      },
    )
    if (!isAcrMet(acr, granted.claims)) {
      const message = 'The user was not authenticated in the way that was asked for ("acr").'
      throw new CallbackError(`${message} Call signIn() to try again.`, 'acr_not_met')
    }
    return granted
  } catch (cause) {
    // nobody will use what came
    const unused = newest?.ok ? readRefreshToken(await newest.text()) : undefined
    if (unused) ports.revoke(unused.refresh_token)
    const error = toLatchkeyError(cause, 'The sign-in', ports.clock.now())
    if (!(error instanceof ServerError) || error.retryable) throw error
    const injected =
      error.error === 'invalid_grant'
        ? ' If this page was not loaded twice, somebody may have slipped in a stolen code (RFC 9700 section 4.5).'
        : ''
    const message = `${error.message}${injected} Call signIn() to begin anew.`
    throw new CallbackError(message, 'invalid_response', { cause: error, error: error.error })
  }
}
