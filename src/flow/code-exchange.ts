import {
  authorizationCodeGrantRequest,
  expectNoNonce,
  None,
  processAuthorizationCodeResponse,
  validateApplicationLevelSignature,
  validateAuthResponse,
} from 'oauth4webapi'
import { CallbackError, NetworkError, ServerError } from '../errors.ts'
import { toLatchkeyError } from './failure.ts'
import { type Granted, type TokenRequestPorts, tokenRequest } from './token-request.ts'
import type { Transaction } from './transaction.ts'

/** How often the code is sent when no answer comes. */
const ATTEMPTS = 2

/**
 * Checks the authorization response (RFC 6749 section 4.1.2, RFC 9207) and exchanges its code (RFC 7636 section 4.5).
 * The ID Token is checked with its signature (OpenID Connect Core section 3.1.3.7).
 * @throws CallbackError when this sign-in cannot succeed; NetworkError when the same callback may succeed later.
 */
export async function exchangeCode(
  ports: TokenRequestPorts,
  answer: URL,
  transaction: Transaction,
): Promise<Granted> {
  const { state, redirectUri, codeVerifier, nonce } = transaction
  try {
    const as = await ports.server()
    const parameters = validateAuthResponse(as, { client_id: ports.clientId }, answer, state)
    const secrets = [codeVerifier, parameters.get('code') ?? '']
    for (let attempt = 1; ; attempt++) {
      try {
        return await tokenRequest(
          ports,
          { grantType: 'authorization_code', attempt, secrets },
          async (as, client, options) => {
            const response = await authorizationCodeGrantRequest(
              as,
              client,
              None(),
              parameters,
              redirectUri,
              codeVerifier,
              options,
            )
            const tokens = await processAuthorizationCodeResponse(as, client, response, {
              expectedNonce: nonce ?? expectNoNonce,
              requireIdToken: nonce !== undefined,
            })
            if (tokens.id_token) await validateApplicationLevelSignature(as, response, options)
            return tokens
          },
        )
      } catch (error) {
        if (attempt === ATTEMPTS || !(error instanceof NetworkError) || error.reason === 'timeout')
          throw error
      }
    }
  } catch (cause) {
    const error = toLatchkeyError(cause, 'The sign-in', ports.clock.now())
    if (!(error instanceof ServerError) || error.retryable) throw error
    throw new CallbackError(`${error.message} Call signIn() to begin anew.`, 'invalid_response', {
      cause: error,
      error: error.error,
    })
  }
}
