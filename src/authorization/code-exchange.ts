import { validateAuthResponse } from 'oauth4webapi'
import type { Granted, IdTokenClaims } from '../core/token-set.ts'
import { CallbackError, ServerError } from '../errors.ts'
import { toLatchkeyError } from './failure.ts'
import { type TokenRequest, type TokenRequestPorts, tokenRequest } from './token-request.ts'
import { readRefreshToken, unfit } from './token-response.ts'
import type { Transaction } from './transaction.ts'

/** OpenID Connect Core section 5.5.1.1, RFC 9470 section 5. An empty list: any will do, but one there must be. */
const isAcrMet = (asked: Transaction['acr'], claims: IdTokenClaims | undefined): boolean =>
  !asked || (typeof claims?.acr === 'string' && (!asked.length || asked.includes(claims.acr)))

const NO_ID_TOKEN =
  'has no ID Token, which the scope "openid" asks for. If this server supports OAuth 2 only, set a "scope" without "openid"'

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
  const received: TokenRequest['received'] = {}
  const judge: TokenRequest['judge'] = async (as, response) => {
    if (response.id_token === undefined) {
      if (nonce) throw unfit(NO_ID_TOKEN)
      return { claims: undefined }
    }
    const { claims, verify } = await ports.idTokens.judge(as, response, { nonce, maxAge })
    await verify()
    return { claims }
  }
  try {
    const as = await ports.server()
    const parameters = validateAuthResponse(as, { client_id: ports.settings.clientId }, answer, state)
    const [code, ...more] = parameters.getAll('code')
    if (!code || more.length) throw unfit('has no code, or more than one')
    const granted = await tokenRequest(ports, {
      ...{ grantType: 'authorization_code', sessionId: state, attempt: 1, received, judge },
      parameters: { code, redirect_uri: redirectUri, code_verifier: codeVerifier },
      secrets: [codeVerifier, code],
    })
    if (!isAcrMet(acr, granted.claims)) {
      throw new CallbackError(
        'The user was not authenticated in a way that "acrValues" or the essential claim "acr" asked for.',
        'acr_not_met',
      )
    }
    return granted
  } catch (cause) {
    // nobody will use what came
    const unused = readRefreshToken(received.text)
    if (unused) ports.revoke(unused.refresh_token)
    const error = toLatchkeyError(cause, 'The sign-in', ports.clock.now())
    if (!(error instanceof ServerError) || error.retryable) throw error
    const { message, errorDescription } = error
    const details = { cause: error, error: error.error, errorDescription }
    throw new CallbackError(message, 'invalid_response', details)
  }
}
