import {
  type AuthorizationServer,
  allowInsecureRequests,
  type Client,
  type ClientAuth,
  customFetch,
  getValidatedIdTokenClaims,
  JWT_TIMESTAMP_CHECK,
  processRefreshTokenResponse,
  refreshTokenGrantRequest,
  type TokenEndpointResponse,
} from 'oauth4webapi'
import type { ServerSettings } from '../core/authorization.ts'
import type { Emit, GrantType, Warn } from '../core/events.ts'
import type { Clock } from '../core/ports.ts'
import type { SessionRecord } from '../core/session.ts'
import type { Granted, IdTokenClaims } from '../core/token-set.ts'
import { abortable, withTimeLimit } from '../core/waiting.ts'
import { LatchkeyError, NetworkError, ServerError } from '../errors.ts'
import { identityOf } from './client-identity.ts'
import type { AcceptDeviation } from './deviation.ts'
import type { Transport } from './endpoint.ts'
import type { JoinedExtensions } from './extensions.ts'
import { toLatchkeyError } from './failure.ts'
import { type IdTokens, namedBy, peek } from './id-token.ts'
import { endpointOf, type Server } from './metadata.ts'
import type { ServerTime } from './server-time.ts'
import { readRefreshToken, readTokenAnswer, withMembers } from './token-response.ts'

/** How long a refresh waits for keys: its rotation is not stored yet. */
const KEYS_MS = 2000

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

/** What every request to the token endpoint shares. Each failure is a LatchkeyError without secrets. */
export async function tokenRequest(
  ports: TokenRequestPorts,
  request: {
    grantType: GrantType
    sessionId: string
    attempt: number
    secrets: string[]
    signal?: () => AbortSignal
    /** Sees every answer before it is read. */
    answered?(answer: Response): void
  },
  send: (
    as: AuthorizationServer,
    client: Client,
    authentication: ClientAuth,
    options: ReturnType<typeof requestOptions> & {
      readonly additionalParameters?: Readonly<Record<string, string>>
    },
  ) => Promise<TokenEndpointResponse>,
): Promise<Granted> {
  const { server, extensions, clock, emit } = ports
  const { clientAuthentication } = ports.settings
  const { grantType, sessionId, attempt, secrets } = request
  emit({ type: 'token-request', grantType, attempt })
  const as = server()
  try {
    endpointOf(await as, 'token_endpoint', clientAuthentication?.mtls)
    const options = requestOptions(ports, request)
    const response = await extensions.tokenRequest(sessionId, async more =>
      send(await as, ...identity(ports), { ...options, ...more }),
    )
    const refused = ofAnotherType(response, extensions)
    if (refused && grantType !== 'refresh_token') throw refused
    await extensions.tokenResponse(sessionId, response)
    const { expires_in, scope = '', refresh_token } = response
    const rotated = refresh_token !== undefined && !secrets.includes(refresh_token)
    emit({ type: 'token-response', grantType, expiresInSeconds: expires_in, scope, rotated })
    return { response, claims: getValidatedIdTokenClaims(response), refused }
  } catch (cause) {
    const sent = [...secrets, ...(clientAuthentication?.secrets?.() ?? [])]
    const failure = toLatchkeyError(cause, 'The token request', clock.now(), sent)
    const { code, error, status, reason } = failure as typeof failure & Partial<ServerError & NetworkError>
    const isNoWeather = code === 'ERR_SERVER' || reason === 'not_the_server'
    if (grantType === 'refresh_token' && isNoWeather)
      failure.message += ' If this lasts, signIn() begins anew.'
    emit({ type: 'token-error', grantType, code, error, status })
    if (reason !== 'not_the_server') throw failure
    // the server may have moved: a refresh token that it has not seen is sent where it is now, a code is not
    const [old, now] = [await as, await server(await as)]
    if (grantType !== 'refresh_token' || now.token_endpoint === old.token_endpoint) throw failure
    return tokenRequest(ports, request, send)
  }
}

/** A token that is bound to a key cannot be used without it, and none that is not may take its place (RFC 9449 section 5). */
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
    `The server gave an access token of type ${token_type} where ${tokenType} was asked for. ${advice}`,
    { error: 'invalid_response' },
  )
}

/** The client with the server's clock, where the answer tells it: ID Tokens are judged by that, not by this device's. */
export const atServerTime = (ports: TokenRequestPorts, client: Client): Client => ({
  ...client,
  ...identity(ports)[0],
})

/** http is refused by endpointOf(), but for loopback. */
const requestOptions = (
  { transport, extensions, acceptDeviation, warn }: TokenRequestPorts,
  {
    grantType,
    signal,
    answered,
  }: { grantType: GrantType; signal?: () => AbortSignal; answered?(answer: Response): void },
) => ({
  signal,
  [allowInsecureRequests]: true,
  async [customFetch](url: string, init: object) {
    const answer = await transport(url, init)
    answered?.(answer)
    extensions.answered(url, answer)
    const forgive = (what: string) => warn('token_response', `The authorization server's answer ${what}.`)
    return readTokenAnswer(answer, acceptDeviation, grantType === 'refresh_token' ? forgive : undefined)
  },
})

/**
 * A refresh (RFC 6749 section 6). The server has rotated by the time it answers: whatever is wrong with its answer, the
 * new refresh token in it is what the next refresh sends.
 * @param parameters for which API, if it is for one (RFC 8707 section 2.2).
 */
export async function refreshTokens(
  ports: TokenRequestPorts,
  { sessionId, tokens: { refreshToken, idToken } }: Pick<SessionRecord, 'sessionId' | 'tokens'>,
  attempt: number,
  signal: () => AbortSignal,
  parameters?: Readonly<Record<string, string>>,
): Promise<Granted> {
  const sent = refreshToken as string
  let judged: Pick<Granted, 'claims' | 'isDistrusted' | 'refused'> | undefined
  let newest: Response | undefined
  const answered = (answer: Response) => {
    newest = answer.clone()
  }
  try {
    const granted = await tokenRequest(
      ports,
      { grantType: 'refresh_token', sessionId, attempt, secrets: [sent], signal, answered },
      async (as, client, authentication, options) => {
        if (idToken) ports.idTokens.prepare()
        const additionalParameters = { ...options.additionalParameters, ...parameters }
        const request = { ...options, additionalParameters }
        const answer = await refreshTokenGrantRequest(as, client, authentication, sent, request)
        if (!answer.ok) return processRefreshTokenResponse(as, client, answer) // which says what is wrong with it
        const whole = await answer.text()
        const { id_token: next, ...bare } = JSON.parse(whole)
        const granted = await processRefreshTokenResponse(as, client, withMembers(answer, bare))
        if (next === undefined) return granted
        let isTrue = false
        try {
          const again = new Response(whole, answer)
          const judge = atServerTime(ports, client)
          const named = namedBy(as, String(next), ports.acceptDeviation)
          const tokens = await processRefreshTokenResponse(named, judge, again)
          await ports.idTokens.check(tokens)
          isTrue = true
          await inTime(ports, signal(), () => ports.idTokens.verify(named, again, tokens))
          return tokens
        } catch (cause) {
          const error = toLatchkeyError(cause, 'The refreshed ID Token', ports.clock.now(), [sent])
          // where only clocks differ, or keys are not to be had or do not fit, the old ID Token stays in use
          const isUsable = isTrue || (cause as { code?: string }).code === JWT_TIMESTAMP_CHECK
          judged = { ...distrusted(next), refused: isUsable ? undefined : error }
          const message = `${error.message} The one before it stays.`
          if (isUsable) ports.warn('id_token', message)
          return granted
        }
      },
    )
    return { ...granted, ...judged, refused: granted.refused ?? judged?.refused }
  } catch (error) {
    const kept = newest?.ok ? readRefreshToken(await newest.text()) : undefined
    if (!kept || !(error instanceof LatchkeyError)) throw error
    const response = { access_token: '', refresh_token: kept.refresh_token }
    return { response, ...distrusted(kept.id_token), refused: error }
  }
}

/** What an ID Token that did not pass its checks is good for: it may tell that it is of somebody else. */
function distrusted(idToken: unknown): Pick<Granted, 'claims' | 'isDistrusted'> {
  const claims = peek(String(idToken), 1) as IdTokenClaims
  return { claims: typeof claims.sub === 'string' ? claims : undefined, isDistrusted: true }
}

/** Work that a rotation waits for before it is stored. */
const inTime = <T>({ clock }: TokenRequestPorts, signal: AbortSignal, work: () => Promise<T>): Promise<T> => {
  const late = () => new NetworkError('The keys of the server did not come in time.', 'timeout')
  return abortable(withTimeLimit(clock, KEYS_MS, work, late), signal)
}
