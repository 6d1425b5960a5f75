import { validateAuthResponse } from 'oauth4webapi'
import { pause } from '../core/back-off.ts'
import { REQUESTS_MS } from '../core/lock-times.ts'
import type { Clock, EpochMs } from '../core/ports.ts'
import type { Granted, IdTokenClaims } from '../core/token-set.ts'
import { withTimeLimit } from '../core/waiting.ts'
import { CallbackError, NetworkError, ServerError } from '../errors.ts'
import { toLatchkeyError } from './failure.ts'
import { keysAreLate } from './signing-keys.ts'
import { type TokenRequest, type TokenRequestPorts, tokenRequest } from './token-request.ts'
import { invalidResponse, readRefreshToken } from './token-response.ts'
import type { Transaction } from './transaction.ts'

/** The longest time to wait for the server's keys before latchkey sends the code. */
const KEYS_MS = 5000
/** The pause between two requests for a missing key. The code is used up by then, so latchkey cannot ask for new tokens. */
const KEYS_PAUSE_MS = 1000

/** Verifies a signature. If the server's keys cannot be fetched, retries until `giveUpAt`. */
async function verifyPatiently(clock: Clock, verify: () => Promise<void>, giveUpAt: EpochMs): Promise<void> {
  for (;;) {
    const remainingMs = Math.max(giveUpAt - clock.now(), KEYS_PAUSE_MS)
    try {
      return await withTimeLimit(clock, remainingMs, verify, keysAreLate)
    } catch (error) {
      const isPassing = error instanceof NetworkError && error.reason !== 'not_the_server'
      if (!isPassing || clock.now() + KEYS_PAUSE_MS >= giveUpAt) throw error
      await pause(clock, KEYS_PAUSE_MS)
    }
  }
}

/** OpenID Connect Core section 5.5.1.1, RFC 9470 section 5. An empty list accepts any `acr`, but requires one. */
const isAcrMet = (asked: Transaction['acr'], claims: IdTokenClaims | undefined): boolean =>
  !asked || (typeof claims?.acr === 'string' && (!asked.length || asked.includes(claims.acr)))

/**
 * Checks the authorization response (RFC 6749 section 4.1.2, RFC 9207) and exchanges its code (RFC 7636 section 4.5).
 * latchkey sends the code once: only a reload by the user sends it again. Also verifies the signature of the ID Token
 * (OpenID Connect Core section 3.1.3.7).
 * @throws CallbackError if this sign-in cannot succeed; NetworkError if the same callback may succeed later.
 */
export async function exchangeCode(
  ports: TokenRequestPorts & { revoke(refreshToken: string): void },
  answer: URL,
  { state, redirectUri, codeVerifier, nonce, acr, maxAge, stage }: Transaction,
): Promise<Granted> {
  const { clock } = ports
  const giveUpAt = clock.now() + REQUESTS_MS
  const received: TokenRequest['received'] = {}
  let isAnswered = false
  const judge: TokenRequest['judge'] = async (as, response) => {
    if (response.id_token === undefined) {
      if (!nonce) return { claims: undefined }
      throw invalidResponse(
        'has no ID Token, which the scope "openid" asks for',
        'If this server supports OAuth 2 only, set a "scope" without "openid".',
      )
    }
    isAnswered = true
    const { claims, verify } = await ports.idTokens.judge(as, response, { nonce, maxAge })
    await verifyPatiently(clock, verify, giveUpAt)
    return { claims }
  }
  try {
    const as = await ports.server()
    const parameters = validateAuthResponse(as, { client_id: ports.settings.clientId }, answer, state)
    const [code, ...more] = parameters.getAll('code')
    if (!code || more.length) throw invalidResponse('has no code, or more than one')
    // if this fails, a reload can still use the code
    if (nonce) await withTimeLimit(clock, KEYS_MS, ports.idTokens.prepare, keysAreLate)
    const granted = await tokenRequest(ports, {
      ...{ grantType: 'authorization_code', sessionId: state, attempt: 1, received, judge },
      parameters: { code, redirect_uri: redirectUri, code_verifier: codeVerifier },
      secrets: [codeVerifier, code],
    })
    if (!isAcrMet(acr, granted.claims)) {
      throw new CallbackError(
        'The "acr" of the ID Token does not match the requested "acrValues" or essential claim "acr". Request one that the server supports.',
        'acr_not_met',
      )
    }
    return granted
  } catch (cause) {
    // latchkey drops the tokens
    const unused = readRefreshToken(received.text)
    if (unused) ports.revoke(unused.refresh_token)
    const error = toLatchkeyError(cause, 'The sign-in', clock.now())
    if (isAnswered && error instanceof NetworkError) {
      const message = `latchkey discarded the tokens, because it could not fetch the keys to verify them: ${error.message} Sign in again.`
      throw new CallbackError(message, 'invalid_response', { cause: error })
    }
    if (!(error instanceof ServerError) || error.retryable) throw error
    const isLost = error.error === 'invalid_grant' && stage === 'returned'
    const lost = isLost ? ' An earlier try may have sent this code, and its answer was lost.' : ''
    const { errorDescription } = error
    throw new CallbackError(error.message + lost, 'invalid_response', {
      cause: error,
      error: error.error,
      errorDescription,
    })
  }
}
