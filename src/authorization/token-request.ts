import {
  type AuthorizationServer,
  allowInsecureRequests,
  customFetch,
  genericTokenEndpointRequest,
  JWT_TIMESTAMP_CHECK,
  processGenericTokenEndpointResponse,
  type TokenEndpointResponse,
} from 'oauth4webapi'
import type { ServerSettings } from '../core/authorization.ts'
import type { Emit, GrantType, Warn } from '../core/events.ts'
import type { Clock } from '../core/ports.ts'
import type { SessionRecord } from '../core/session.ts'
import type { Granted, IdTokenClaims, TokenResponse } from '../core/token-set.ts'
import { abortable, withTimeLimit } from '../core/waiting.ts'
import { LatchkeyError, type NetworkError, ServerError } from '../errors.ts'
import { identityOf, type ServerTime, type Transport } from './endpoint.ts'
import type { JoinedExtensions } from './extensions.ts'
import { type AcceptDeviation, tidy, toLatchkeyError } from './failure.ts'
import { decodeJwtPart, type IdTokens, type JudgedIdToken } from './id-token.ts'
import { endpointOf, type Server } from './metadata.ts'
import { keysAreLate } from './signing-keys.ts'
import { readRefreshToken, readTokenAnswer, respell, textOf, withMembers } from './token-response.ts'

/** How long a refresh waits for keys. It has not stored the rotated token yet. */
const KEYS_MS = 2000
/** Many servers and gateways accept no more than 8 KB in a header. */
const LONG_TOKEN = 8000

export interface TokenRequestPorts {
  readonly settings: ServerSettings
  readonly server: Server
  readonly extensions: JoinedExtensions
  readonly transport: Transport
  readonly clock: Clock
  readonly serverTime: ServerTime
  readonly emit: Emit
  readonly warn: Warn
  readonly acceptDeviation: AcceptDeviation
  readonly idTokens: IdTokens
}

export const identity = (ports: TokenRequestPorts) =>
  identityOf(ports.settings, ports.clock, ports.serverTime.aheadMs())

export interface TokenRequest {
  readonly grantType: GrantType
  readonly sessionId: string
  readonly attempt: number
  readonly parameters: Readonly<Record<string, string>>
  /** Secrets that no error may contain. */
  readonly secrets: readonly string[]
  readonly signal?: () => AbortSignal
  /** The body of the newest successful response. It may contain a refresh token even if it is otherwise invalid. */
  readonly received: { text?: string }
  /** Judges the ID Token in a token response that has passed all other checks. */
  judge(as: AuthorizationServer, response: TokenResponse): Promise<Omit<Granted, 'response'>>
}

/** The options that extensions add to a token request. */
interface Extended {
  readonly additionalParameters?: Readonly<Record<string, string>>
}

/** One request to the token endpoint (RFC 6749 section 3.2). Each failure is a LatchkeyError without secrets. */
export async function tokenRequest(ports: TokenRequestPorts, request: TokenRequest): Promise<Granted> {
  const { server, extensions, clock, emit } = ports
  const { clientAuthentication } = ports.settings
  const { grantType, sessionId, attempt, parameters, secrets } = request
  emit({ type: 'token-request', grantType, attempt })
  const as = server()
  try {
    endpointOf(await as, 'token_endpoint', clientAuthentication?.mtls)
    const options = requestOptions(ports, request)
    const granted = await extensions.tokenRequest(sessionId, async (more: Extended) => {
      const [client, authentication] = identity(ports)
      const form = { ...more.additionalParameters, ...parameters }
      const sender = [await as, client, authentication] as const
      const answer = await genericTokenEndpointRequest(...sender, grantType, form, { ...options, ...more })
      const { id_token: idToken, ...members } = await answer.json().catch(() => ({}))
      const checked = answer.ok ? withMembers(answer, members) : answer
      const bare = await processGenericTokenEndpointResponse(await as, client, checked)
      const response = { ...bare, ...(idToken !== undefined && { id_token: idToken }) }
      const judged = await request.judge(await as, response)
      return { ...judged, response: judged.isDistrusted ? bare : response }
    })
    const { response } = granted
    const refused = ofAnotherType(response, extensions)
    if (refused && grantType !== 'refresh_token') throw refused
    await extensions.tokenResponse(sessionId, response)
    if (response.access_token.length > LONG_TOKEN) {
      const message = `An access token has more than ${LONG_TOKEN} characters: many APIs and gateways refuse such a header (400, 431). Configure the server to put fewer claims into it.`
      ports.warn('access_token', message)
    }
    const { expires_in, refresh_token } = response
    const scope = tidy(response.scope, secrets) ?? ''
    const rotated = refresh_token !== undefined && !secrets.includes(refresh_token)
    emit({ type: 'token-response', grantType, expiresInSeconds: expires_in, scope, rotated })
    return { ...granted, refused: refused ?? granted.refused }
  } catch (cause) {
    const sent = [...secrets, ...(clientAuthentication?.secrets?.() ?? [])]
    const failure = toLatchkeyError(cause, 'The token request', clock.now(), sent)
    const { code, error, errorDescription, status, reason } = failure as typeof failure &
      Partial<ServerError & NetworkError>
    const isOther = reason === 'not_the_server'
    // RFC 6749 section 2.3.1 encodes the secret twice, and some servers decode it once
    if (error === 'invalid_client' && clientAuthentication?.method === 'client_secret_basic')
      failure.message +=
        ' Some servers do not decode the secret of client_secret_basic: try clientSecretPost().'
    const isRefresh = grantType === 'refresh_token'
    if (isRefresh && (isOther || code === 'ERR_SERVER'))
      failure.message += ' If this continues, call signIn() to begin a new session.'
    emit({ type: 'token-error', grantType, code, error, errorDescription, status })
    // the server may have moved: latchkey sends the refresh token to the new endpoint, but never a code
    if (isOther) {
      const [old, now] = [await as, await server(await as)]
      if (isRefresh && now.token_endpoint !== old.token_endpoint) return tokenRequest(ports, request)
    }
    throw failure
  }
}

/** The error for an access token of another type: one that is bound to a key, or one that is not (RFC 9449 section 5). */
function ofAnotherType(
  { token_type }: TokenEndpointResponse,
  extensions: JoinedExtensions,
): ServerError | undefined {
  const tokenType: string = extensions.tokenType ?? 'bearer'
  if (token_type === tokenType) return undefined
  const advice =
    tokenType === 'dpop'
      ? 'It does not bind tokens to keys for this client: leave dpop() out, or have it registered.'
      : 'Add dpop() of latchkey/dpop to "extensions".'
  return new ServerError(
    `The server returned an access token of type ${token_type} instead of ${tokenType}. ${advice}`,
    { error: 'invalid_response' },
  )
}

/** endpointOf() has already refused plain http, except to loopback. */
const requestOptions = (
  { transport, extensions, acceptDeviation, warn }: TokenRequestPorts,
  { grantType, signal, received }: TokenRequest,
) => ({
  signal,
  [allowInsecureRequests]: true,
  async [customFetch](url: string, init: object) {
    const answer = await transport(url, init)
    extensions.answered(url, answer)
    const text = respell(await textOf(answer, acceptDeviation), extensions.tokenAnswer)
    received.text = answer.ok ? text : undefined
    const forgive = (what: string) => warn('token_response', `The authorization server's answer ${what}.`)
    const leniently = grantType === 'refresh_token' ? forgive : undefined
    return readTokenAnswer(answer, acceptDeviation, leniently, text)
  },
})

/**
 * Refreshes (RFC 6749 section 6). The server has rotated the refresh token when it responds. The next refresh sends the new
 * one even if the rest of the response is invalid.
 * @param parameters those that name one API (RFC 8707 section 2.2).
 */
export async function refreshTokens(
  ports: TokenRequestPorts,
  { sessionId, tokens: { refreshToken, idToken } }: Pick<SessionRecord, 'sessionId' | 'tokens'>,
  attempt: number,
  signal: () => AbortSignal,
  parameters?: Readonly<Record<string, string>>,
): Promise<Granted> {
  const sent = refreshToken as string
  const received: TokenRequest['received'] = {}
  const judge: TokenRequest['judge'] = async (as, response) => {
    if (response.id_token === undefined) return { claims: undefined }
    let judged: JudgedIdToken | undefined
    try {
      judged = await ports.idTokens.judge(as, response)
      await inTime(ports, signal(), judged.verify)
      return { claims: judged.claims }
    } catch (cause) {
      const error = toLatchkeyError(cause, 'The refreshed ID Token', ports.clock.now(), [sent])
      // the old ID Token stays in use if only the clocks differ, or if the keys are unavailable or do not match
      const isUsable = judged || (cause as { code?: string }).code === JWT_TIMESTAMP_CHECK
      if (isUsable) ports.warn('id_token', `${error.message} latchkey keeps the previous ID Token.`)
      return { ...distrusted(response.id_token), refused: isUsable ? undefined : error }
    }
  }
  if (idToken) ports.idTokens.prepare().catch(() => {})
  try {
    const form = { ...parameters, refresh_token: sent }
    const common = { sessionId, attempt, secrets: [sent], signal, received, judge }
    return await tokenRequest(ports, { grantType: 'refresh_token', parameters: form, ...common })
  } catch (error) {
    const kept = readRefreshToken(received.text)
    if (!kept || !(error instanceof LatchkeyError)) throw error
    const response = { access_token: '', refresh_token: kept.refresh_token }
    return { response, ...distrusted(kept.id_token), refused: error }
  }
}

/** The claims of an ID Token that failed its checks. latchkey only uses them to notice another user. */
function distrusted(idToken: unknown): Pick<Granted, 'claims' | 'isDistrusted'> {
  const claims = decodeJwtPart(String(idToken), 1) as IdTokenClaims
  return { claims: typeof claims.sub === 'string' ? claims : undefined, isDistrusted: true }
}

/** Limits the time of work that delays storing a rotated token. */
const inTime = <T>({ clock }: TokenRequestPorts, signal: AbortSignal, work: () => Promise<T>): Promise<T> =>
  abortable(withTimeLimit(clock, KEYS_MS, work, keysAreLate), signal)
