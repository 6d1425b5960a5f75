import {
  authorizationCodeGrantRequest,
  type Client,
  clockSkew,
  expectNoNonce,
  JWT_TIMESTAMP_CHECK,
  type ProcessAuthorizationCodeResponseOptions,
  processAuthorizationCodeResponse,
  validateApplicationLevelSignature,
  validateAuthResponse,
} from 'oauth4webapi'
import { CallbackError, ServerError } from '../errors.ts'
import { toLatchkeyError } from './failure.ts'
import { atServerTime, type Granted, type TokenRequestPorts, tokenRequest } from './token-request.ts'
import type { Transaction } from './transaction.ts'

/** A device's clock may be off by a time zone and a day, and still sign in. */
const MOST_SKEW_SECONDS = 2 * 24 * 3600

/**
 * Where only a clock stands between us and a sign-in: how far this device's is behind the server's. The ID Token was
 * made for this very request, which its nonce proves, so its `iat` is the server's time.
 */
async function skewOf(error: unknown, answer: Response): Promise<number | undefined> {
  if ((error as { code?: string }).code !== JWT_TIMESTAMP_CHECK) return undefined
  const { id_token } = (await answer.json()) as { id_token: string }
  const payload = atob((id_token.split('.')[1] as string).replaceAll('-', '+').replaceAll('_', '/'))
  const skew = Number(JSON.parse(payload).iat) - Math.floor(Date.now() / 1000)
  return Math.abs(skew) < MOST_SKEW_SECONDS ? skew : undefined
}

/**
 * Checks the authorization response (RFC 6749 section 4.1.2, RFC 9207) and exchanges its code (RFC 7636 section 4.5),
 * which is sent once: only a reload by the user sends it again. The ID Token is checked with its signature
 * (OpenID Connect Core section 3.1.3.7).
 * @throws CallbackError when this sign-in cannot succeed; NetworkError when the same callback may succeed later.
 */
export async function exchangeCode(
  ports: TokenRequestPorts,
  answer: URL,
  { state, redirectUri, codeVerifier, nonce }: Transaction,
): Promise<Granted> {
  const expected: ProcessAuthorizationCodeResponseOptions = {
    expectedNonce: nonce ?? expectNoNonce,
    requireIdToken: nonce !== undefined,
  }
  try {
    const as = await ports.server()
    const parameters = validateAuthResponse(as, { client_id: ports.clientId }, answer, state)
    const secrets = [codeVerifier, parameters.get('code') ?? '']
    return await tokenRequest(
      ports,
      { grantType: 'authorization_code', sessionId: state, attempt: 1, secrets },
      async (as, client, authentication, options) => {
        const request = [as, client, authentication, parameters, redirectUri, codeVerifier, options] as const
        const response = await authorizationCodeGrantRequest(...request)
        const [again, peek] = [response.clone(), response.clone()]
        const judge = async (by: Client, answer: Response) => {
          const tokens = await processAuthorizationCodeResponse(as, by, answer, expected)
          if (tokens.id_token) await validateApplicationLevelSignature(as, answer, options)
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
  } catch (cause) {
    const error = toLatchkeyError(cause, 'The sign-in', ports.clock.now())
    if (!(error instanceof ServerError) || error.retryable) throw error
    const message = `${error.message} Call signIn() to begin anew.`
    throw new CallbackError(message, 'invalid_response', { cause: error, error: error.error })
  }
}
