import { decodeJwtPart } from '../authorization/id-token.ts'
import type { ObtainPorts } from '../authorization/sign-in.ts'
import { readMembers } from '../authorization/token-response.ts'
import { isConfidential, parseUrl } from '../core/destination.ts'
import type { Grant } from '../core/grant.ts'
import type { Members } from '../core/members.ts'
import type { UserAgent } from '../core/ports.ts'
import { epochOf } from '../core/session.ts'
import type { IdTokenClaims } from '../core/token-set.ts'
import { CallbackError, ConfigurationError, LatchkeyError, NetworkError } from '../errors.ts'
import type { ServerMetadata } from '../options.ts'

export interface FirebaseOptions {
  /** The project's id, such as `my-project`. */
  projectId: string
  /** The web API key. It identifies the project and is not a secret. */
  apiKey: string
  /**
   * The URL of the Auth emulator, on loopback, such as `http://127.0.0.1:9099`. Its ID Tokens are not signed, so latchkey
   * does not check them, and APIs must not accept them. Default: latchkey uses the real service.
   */
  emulator?: string
}

/** The options that `firebase()` returns. */
export interface FirebaseClientOptions {
  clientId: string
  server: ServerMetadata
  issuer?: undefined
  scope: ''
  grant: Grant
  provider: () => { tokenAnswer(members: Members): Members }
}

const KEYS = 'https://www.googleapis.com/service_accounts/v1/jwk/securetoken@system.gserviceaccount.com'
/** The names of endpoints that firebase() adds to the metadata. */
const SIGN_IN = 'firebase_sign_in_endpoint'
const IS_EMULATOR = 'firebase_emulator'

/** Firebase's codes, in place of OAuth errors (RFC 6749 section 5.2), for a refresh token that will never work again. */
const FINAL = /^(TOKEN_EXPIRED|USER_DISABLED|USER_NOT_FOUND|INVALID_REFRESH_TOKEN)$/
/** Firebase's codes for temporary errors. */
const PASSING = /^(TOO_MANY_ATTEMPTS_TRY_LATER|QUOTA_EXCEEDED|RESOURCE_EXHAUSTED|UNAVAILABLE|INTERNAL.*)$/

/** The code in `{"error":{"message":"CODE : text"}}`, or else the `status` next to the message. */
function codeOf(members: Members | undefined): string | undefined {
  const { message, status } = Object(members?.error)
  const code = /^[A-Z][A-Z_]{2,99}(?= ?:|$)/.exec(String(message ?? ''))?.[0]
  return code ?? (typeof status === 'string' && /^[A-Z_]{3,100}$/.test(status) ? status : undefined)
}

/** Converts an error of Firebase's token endpoint to an OAuth error. Removes the unsigned ID Token of the emulator. */
function toTokenAnswer(members: Members, isEmulator: boolean): Members {
  if (typeof members.error === 'object' && members.error !== null) {
    const code = codeOf(members) ?? 'REFUSED'
    const error = FINAL.test(code)
      ? 'invalid_grant'
      : PASSING.test(code)
        ? 'temporarily_unavailable'
        : 'invalid_request'
    return { error, error_description: code }
  }
  if (!isEmulator) return members
  const { id_token: unsigned, ...others } = members
  return others
}

/**
 * Firebase Authentication. Firebase has no sign-in page: call `signIn({ userAgent })` with `withPassword()`,
 * `withNewUser()`, `anonymously()`, `withCustomToken()` or `withIdentityProvider()`. The access token is Firebase's ID
 * Token.
 * @returns options to spread into those of `createClient()`.
 * @throws ConfigurationError if `projectId` or `apiKey` is missing, or the emulator is not on loopback.
 */
export function firebase({ projectId, apiKey, emulator }: FirebaseOptions): FirebaseClientOptions {
  if (!projectId || !apiKey)
    throw new ConfigurationError('firebase() needs "projectId" and "apiKey": see your project\'s settings.')
  const local = parseUrl(emulator)
  if (emulator !== undefined && !(local?.protocol === 'http:' && isConfidential(local))) {
    throw new ConfigurationError(
      `"emulator" must be on loopback, such as "http://127.0.0.1:9099"; got ${JSON.stringify(emulator)}. Leave it out for the real service.`,
    )
  }
  const at = (host: string) => (local ? `${local.origin}/${host}` : `https://${host}`)
  const key = `key=${encodeURIComponent(apiKey)}`
  return {
    clientId: projectId,
    scope: '',
    server: {
      issuer: `https://securetoken.google.com/${projectId}`,
      // never used: no user is sent there
      authorization_endpoint: at('identitytoolkit.googleapis.com/v1/accounts'),
      token_endpoint: `${at('securetoken.googleapis.com/v1/token')}?${key}`,
      jwks_uri: KEYS,
      id_token_signing_alg_values_supported: ['RS256'],
      [SIGN_IN]: `${at('identitytoolkit.googleapis.com/v1/accounts:')}METHOD?${key}`,
      [IS_EMULATOR]: local !== undefined,
    },
    grant: { type: 'firebase', userAgent: withoutWay },
    provider: () => ({ tokenAnswer: members => toTokenAnswer(members, local !== undefined) }),
  }
}

/** The user agent of a `signIn()` without `userAgent`. */
const withoutWay: UserAgent = {
  name: 'firebase',
  begin() {
    throw new ConfigurationError(
      'Firebase has no page to sign in at. Call signIn({ userAgent: withPassword({ email, password }) }), or another way of latchkey/providers.',
    )
  },
}

const refusalOf = (code: string): CallbackError =>
  new CallbackError(
    `Firebase refused the sign-in: ${code}. Check what the user entered, and the settings of the project.`,
    'authorization_error',
    {
      error: PASSING.test(code) ? 'temporarily_unavailable' : code,
    },
  )

/** @throws CallbackError whose `error` is Firebase's code or `temporarily_unavailable`; NetworkError without an answer. */
async function requestTokens({ transport }: ObtainPorts, url: string, body: Members) {
  const answer = await transport(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', accept: 'application/json' },
    body: JSON.stringify({ ...body, returnSecureToken: true }),
  })
  const members = await readMembers(answer, () => {})
  const { idToken, refreshToken, expiresIn } = members ?? {}
  if (answer.ok && typeof idToken === 'string') {
    return {
      access_token: idToken,
      token_type: 'bearer',
      expires_in: Number(expiresIn) || 3600,
      ...(typeof refreshToken === 'string' && refreshToken && { refresh_token: refreshToken }),
    }
  }
  const code = codeOf(members)
  if (code) throw refusalOf(code)
  const { status } = answer
  throw new NetworkError(
    `Firebase did not answer the sign-in (status ${status}). Try again later.`,
    'unavailable',
    { status },
  )
}

/** Signs in with one request to `accounts:METHOD` and stores the session. @throws LatchkeyError */
async function obtain(ports: ObtainPorts, method: string, body: Members): Promise<void> {
  const { records, idTokens, emit } = ports
  await records.read()
  const epoch = epochOf(records.inStore)
  const server = await ports.server()
  const grantType = `firebase ${method}`
  emit({ type: 'token-request', grantType, attempt: 1 })
  try {
    const url = String(server[SIGN_IN]).replace('METHOD', method)
    const response = await requestTokens(ports, url, body)
    const { access_token: idToken, expires_in: expiresInSeconds } = response
    let claims = decodeJwtPart(idToken, 1) as IdTokenClaims
    if (!server[IS_EMULATOR]) {
      const judged = await idTokens.judge(server, { ...response, id_token: idToken })
      await judged.verify()
      claims = judged.claims
    }
    emit({ type: 'token-response', grantType, expiresInSeconds, scope: '', rotated: false })
    const sessionId = crypto.randomUUID()
    await ports.begin(sessionId, epoch, { response, claims })
    ports.changed(sessionId)
  } catch (cause) {
    const failure =
      cause instanceof LatchkeyError
        ? cause
        : new CallbackError(
            'The ID Token of Firebase did not pass its checks. Check "projectId" and the clock of this device.',
            'invalid_response',
          )
    const { error } = failure as { error?: string }
    emit({ type: 'token-error', grantType, code: failure.code, ...(error !== undefined && { error }) })
    throw failure
  }
}

const way = (method: string, body: Members): UserAgent => ({
  name: 'firebase',
  begin: () => ({
    redirectUri: '',
    authorize: async () => undefined,
    async obtain(ports) {
      await obtain(ports as ObtainPorts, method, body)
      return true
    },
    close() {},
  }),
})

/** Signs in with an e-mail address and a password. @param options.tenantId a tenant of Identity Platform. Default: none. */
export const withPassword = (options: { email: string; password: string; tenantId?: string }): UserAgent =>
  way('signInWithPassword', options)

/** Creates a user with an e-mail address and a password, and signs in. */
export const withNewUser = (options: { email: string; password: string; tenantId?: string }): UserAgent =>
  way('signUp', options)

/** Creates an anonymous user, and signs in. */
export const anonymously = (): UserAgent => way('signUp', {})

/** Signs in with a custom token, which your server creates with Firebase's Admin SDK. */
export const withCustomToken = (token: string): UserAgent => way('signInWithCustomToken', { token })

/**
 * Signs in with a token of another provider, such as one that a latchkey client for Google got.
 * @param options.providerId such as `google.com`, `apple.com` or `github.com`.
 * @param options.idToken that provider's ID Token. Set it or `accessToken`.
 * @param options.accessToken that provider's access token.
 * @param options.requestUri the `requestUri` of the request to Firebase. Default `http://localhost`.
 */
export function withIdentityProvider({
  providerId,
  idToken,
  accessToken,
  requestUri = 'http://localhost',
}: {
  providerId: string
  idToken?: string
  accessToken?: string
  requestUri?: string
}): UserAgent {
  const form = new URLSearchParams({ providerId })
  if (idToken) form.set('id_token', idToken)
  if (accessToken) form.set('access_token', accessToken)
  return way('signInWithIdp', { requestUri, postBody: form.toString(), returnIdpCredential: true })
}
