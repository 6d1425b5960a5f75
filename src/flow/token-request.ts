import {
  type AuthorizationServer,
  allowInsecureRequests,
  type Client,
  clockSkew,
  customFetch,
  getValidatedIdTokenClaims,
  JWT_TIMESTAMP_CHECK,
  None,
  processRefreshTokenResponse,
  processRevocationResponse,
  refreshTokenGrantRequest,
  revocationRequest,
  type TokenEndpointResponse,
} from 'oauth4webapi'
import type { Emit, GrantType } from '../core/events.ts'
import type { Clock } from '../core/ports.ts'
import type { Bend } from '../core/quirks.ts'
import { abortable, withTimeLimit } from '../core/time-limit.ts'
import type { Granted, IdTokenClaims, TokenSet } from '../core/token-set.ts'
import { NetworkError } from '../errors.ts'
import { readTokenAnswer, withMembers } from './answer.ts'
import { endpointOf, type Server } from './discovery.ts'
import { toLatchkeyError } from './failure.ts'
import { type IdTokens, namedBy, peek } from './id-token.ts'
import type { Transport } from './transport.ts'

/** How long a refresh waits for keys: its rotation is not stored yet. */
const KEYS_MS = 2000

export interface TokenRequestPorts {
  readonly server: Server
  readonly clientId: string
  readonly transport: Transport
  readonly clock: Clock
  readonly emit: Emit
  readonly bend: Bend
  readonly idTokens: IdTokens
}

/** What every request to the token endpoint shares. Each failure is a LatchkeyError without secrets. */
export async function tokenRequest(
  { server, clientId, transport, clock, emit, bend }: TokenRequestPorts,
  request: { grantType: GrantType; attempt: number; secrets: string[]; signal?: AbortSignal },
  send: (
    as: AuthorizationServer,
    client: Client,
    options: ReturnType<typeof requestOptions>,
  ) => Promise<TokenEndpointResponse>,
): Promise<Granted> {
  const { grantType, attempt, secrets, signal } = request
  const reader = (answer: Response) => readTokenAnswer(answer, bend, grantType === 'refresh_token')
  emit({ type: 'token-request', grantType, attempt })
  try {
    const as = await server()
    endpointOf(as, 'token_endpoint')
    const response = await send(as, { client_id: clientId }, requestOptions(transport, reader, signal))
    const { expires_in, scope = '', refresh_token } = response
    const rotated = refresh_token !== undefined && !secrets.includes(refresh_token)
    emit({ type: 'token-response', grantType, expiresInSeconds: expires_in, scope, rotated })
    return { response, claims: getValidatedIdTokenClaims(response) }
  } catch (cause) {
    const failure = toLatchkeyError(cause, 'The token request', clock.now(), secrets)
    const { code, error, status } = failure as typeof failure & { error?: string; status?: number }
    emit({ type: 'token-error', grantType, code, error, status })
    throw failure
  }
}

/** The client with the server's clock, where the answer tells it: ID Tokens are judged by that, not by this device's. */
export function atServerTime(client: Client, answer: Response, now: number): Client {
  const serverTime = Date.parse(answer.headers.get('date') ?? '') || now
  // oauth4webapi adds this to what it reads from Date itself
  return { ...client, [clockSkew]: Math.round((serverTime - Date.now()) / 1000) }
}

/** http is refused by endpointOf(), but for loopback. */
const requestOptions = (
  transport: Transport,
  reader: (answer: Response) => Promise<Response>,
  signal?: AbortSignal,
) => ({
  signal,
  [allowInsecureRequests]: true,
  [customFetch]: (url: string, init: object) => transport(url, init).then(reader),
})

/**
 * A refresh (RFC 6749 section 6). The server has rotated by the time it answers: no ID Token may cost the new refresh
 * token.
 * @param parameters for which API, if it is for one (RFC 8707 section 2.2).
 */
export async function refreshTokens(
  ports: TokenRequestPorts,
  { refreshToken, idToken }: Pick<TokenSet, 'refreshToken' | 'idToken'>,
  attempt: number,
  signal: AbortSignal,
  parameters?: Readonly<Record<string, string>>,
): Promise<Granted> {
  const sent = refreshToken as string
  let judged: Pick<Granted, 'claims' | 'isDistrusted' | 'refused'> | undefined
  const granted = await tokenRequest(
    ports,
    { grantType: 'refresh_token', attempt, secrets: [sent], signal },
    async (as, client, options) => {
      if (idToken) ports.idTokens.prepare()
      const request = { ...options, additionalParameters: parameters }
      const answer = await refreshTokenGrantRequest(as, client, None(), sent, request)
      if (!answer.ok) return processRefreshTokenResponse(as, client, answer) // which says what is wrong with it
      const whole = await answer.text()
      const { id_token: next, ...bare } = JSON.parse(whole)
      const granted = await processRefreshTokenResponse(as, client, withMembers(answer, bare))
      if (next === undefined) return granted
      let isTrue = false
      try {
        const again = new Response(whole, answer)
        const judge = atServerTime(client, answer, ports.clock.now())
        const named = namedBy(as, String(next), ports.bend)
        const tokens = await processRefreshTokenResponse(named, judge, again)
        await ports.idTokens.check(again, tokens)
        isTrue = true
        await inTime(ports, signal, () => ports.idTokens.verify(named, again, tokens))
        return tokens
      } catch (cause) {
        const error = toLatchkeyError(cause, 'The refreshed ID Token', ports.clock.now(), [sent])
        const claims = peek(String(next), 1) as IdTokenClaims
        // where only clocks differ, or keys are not to be had or do not fit, the old ID Token stays in use
        const isUsable = isTrue || (cause as { code?: string }).code === JWT_TIMESTAMP_CHECK
        judged = {
          claims: typeof claims.sub === 'string' ? claims : undefined,
          isDistrusted: true,
          refused: isUsable ? undefined : error,
        }
        const message = `${error.message} The one before it stays.`
        if (isUsable) ports.emit({ type: 'warning', about: 'id_token', message })
        return granted
      }
    },
  )
  return { ...granted, ...judged }
}

/** Work that a rotation waits for before it is stored. */
const inTime = <T>({ clock }: TokenRequestPorts, signal: AbortSignal, work: () => Promise<T>): Promise<T> => {
  const late = () => new NetworkError('The keys of the server did not come in time.', 'timeout')
  return abortable(withTimeLimit(clock, KEYS_MS, work, late), signal)
}

/** RFC 7009. */
export async function revoke(
  { server, clientId, transport, clock }: TokenRequestPorts,
  token: string,
  hint: 'refresh_token' | 'access_token',
): Promise<void> {
  try {
    const as = await server()
    endpointOf(as, 'revocation_endpoint')
    const answer = await revocationRequest(as, { client_id: clientId }, None(), token, {
      [allowInsecureRequests]: true,
      [customFetch]: (url, init) => transport(url, { ...init, keepalive: true }), // the page may be leaving
      additionalParameters: { token_type_hint: hint },
    })
    await processRevocationResponse(answer)
  } catch (error) {
    throw toLatchkeyError(error, 'The revocation request', clock.now(), [token])
  }
}
