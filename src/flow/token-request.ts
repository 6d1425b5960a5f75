import {
  type AuthorizationServer,
  allowInsecureRequests,
  type Client,
  type ClientAuth,
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
import type { ClientAuthentication, Extensions } from '../core/capability.ts'
import type { Emit, GrantType } from '../core/events.ts'
import type { Clock } from '../core/ports.ts'
import type { IdTokenClaims, TokenResponse } from '../core/token-set.ts'
import { NetworkError, ServerError } from '../errors.ts'
import { endpointOf, type Server } from './discovery.ts'
import { toLatchkeyError } from './failure.ts'
import type { ServerTime } from './server-time.ts'
import type { Transport } from './transport.ts'

/** A checked answer, with the claims of the ID Token that came with it. */
export interface Granted {
  readonly response: TokenResponse
  readonly claims: IdTokenClaims | undefined
}

export interface TokenRequestPorts {
  readonly server: Server
  readonly clientId: string
  readonly clientAuthentication: ClientAuthentication | undefined
  readonly extensions: Extensions
  readonly transport: Transport
  readonly clock: Clock
  readonly serverTime: ServerTime
  readonly emit: Emit
}

/** This client and its credentials, as oauth4webapi takes them. */
const identity = ({ clientId, clientAuthentication }: TokenRequestPorts): [Client, ClientAuth] => [
  { client_id: clientId, use_mtls_endpoint_aliases: clientAuthentication?.mtls ?? false },
  clientAuthentication?.authenticate ?? None(),
]

/** What every request to the token endpoint shares. Each failure is a LatchkeyError without secrets. */
export async function tokenRequest(
  ports: TokenRequestPorts,
  request: {
    grantType: GrantType
    sessionId: string
    attempt: number
    secrets: string[]
    signal?: AbortSignal
  },
  send: (
    as: AuthorizationServer,
    client: Client,
    authentication: ClientAuth,
    options: ReturnType<typeof requestOptions>,
  ) => Promise<TokenEndpointResponse>,
): Promise<Granted> {
  const { server, extensions, clock, emit } = ports
  const { grantType, sessionId, attempt, secrets, signal } = request
  emit({ type: 'token-request', grantType, attempt })
  try {
    const as = await server()
    endpointOf(as, 'token_endpoint')
    const options = requestOptions(ports, signal)
    const response = await extensions.tokenRequest(sessionId, more =>
      send(as, ...identity(ports), { ...options, ...more }),
    )
    checkTokenType(response, extensions)
    await extensions.tokenResponse(sessionId, response)
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

/** A token that is bound to a key cannot be used without it, and none that is not may take its place (RFC 9449 section 5). */
function checkTokenType({ token_type }: TokenEndpointResponse, extensions: Extensions): void {
  const tokenType: string = extensions.tokenType ?? 'bearer'
  if (token_type === tokenType) return
  const advice =
    tokenType === 'dpop'
      ? 'It does not bind tokens to keys for this client: leave dpop() out, or have it registered.'
      : 'Add dpop() of latchkey/dpop to "extensions".'
  throw new ServerError(
    `The server gave an access token of type ${token_type} where ${tokenType} was asked for. ${advice}`,
    { error: 'invalid_response' },
  )
}

/** The client with the server's clock, where the answer tells it: ID Tokens are judged by that, not by this device's. */
export const atServerTime = ({ serverTime, clock }: TokenRequestPorts, client: Client): Client => ({
  ...client,
  // oauth4webapi adds this to what it reads from Date itself
  [clockSkew]: Math.round((clock.now() + serverTime.aheadMs() - Date.now()) / 1000),
})

/** http is refused by endpointOf(), but for loopback. */
const requestOptions = ({ transport, extensions }: TokenRequestPorts, signal?: AbortSignal) => ({
  signal,
  [allowInsecureRequests]: true,
  async [customFetch](url: string, init: object) {
    const answer = await transport(url, init)
    extensions.presentation?.answered(url, answer)
    return readable(answer)
  },
})

/**
 * The answer as oauth4webapi can judge it: a challenge beside an error would hide the `error` in the body, and members
 * that are null or empty say the same as ones that are not there.
 * @throws NetworkError for a success that is not JSON: somebody else answered, or the answer was cut off.
 */
async function readable(answer: Response): Promise<Response> {
  const { status, ok } = answer
  const headers = new Headers(answer.headers)
  headers.delete('www-authenticate')
  const text = await answer.text()
  try {
    const body = rewrite(text, (_, value) => (value === null || value === '' ? undefined : value))
    return new Response(body, { status, headers })
  } catch {
    if (!ok) return new Response(text || null, { status, headers })
    const message = 'The answer was cut off, or is not of the authorization server. Try again later.'
    throw new NetworkError(message, 'not_the_server', { status })
  }
}

/** The same JSON with another value for some members. */
const rewrite = (text: string, change: (name: string, value: unknown) => unknown): string =>
  JSON.stringify(JSON.parse(text), change) ?? text

/** A refresh (RFC 6749 section 6). `parameters`: for which API, if it is for one (RFC 8707 section 2.2). */
export const refreshTokens = (
  ports: TokenRequestPorts,
  sessionId: string,
  refreshToken: string,
  attempt: number,
  signal: AbortSignal,
  parameters?: Readonly<Record<string, string>>,
) =>
  tokenRequest(
    ports,
    { grantType: 'refresh_token', sessionId, attempt, secrets: [refreshToken], signal },
    async (as, client, authentication, options) => {
      const request = { ...options, additionalParameters: parameters }
      const answer = await refreshTokenGrantRequest(as, client, authentication, refreshToken, request)
      if (!answer.ok) return processRefreshTokenResponse(as, client, answer) // which says what is wrong with it
      // the server has rotated: neither a lifetime that is none nor an ID Token may cost the new refresh token
      const whole = rewrite(await answer.text(), (name, value) =>
        name === 'expires_in' && !(Number(value) >= 0) ? undefined : value,
      )
      const bare = rewrite(whole, (name, value) => (name === 'id_token' ? undefined : value))
      const granted = await processRefreshTokenResponse(as, client, new Response(bare, answer))
      try {
        const judge = atServerTime(ports, client)
        return await processRefreshTokenResponse(as, judge, new Response(whole, answer))
      } catch (error) {
        // where only clocks differ, the old ID Token stays in use
        if ((error as { code?: string }).code === JWT_TIMESTAMP_CHECK) return granted
        throw error
      }
    },
  )

/** RFC 7009. */
export async function revoke(
  ports: TokenRequestPorts,
  token: string,
  hint: 'refresh_token' | 'access_token',
): Promise<void> {
  const { server, transport, clock } = ports
  try {
    const as = await server()
    endpointOf(as, 'revocation_endpoint')
    const answer = await revocationRequest(as, ...identity(ports), token, {
      [allowInsecureRequests]: true,
      [customFetch]: (url, init) => transport(url, { ...init, keepalive: true }), // the page may be leaving
      additionalParameters: { token_type_hint: hint },
    })
    await processRevocationResponse(answer)
  } catch (error) {
    throw toLatchkeyError(error, 'The revocation request', clock.now(), [token])
  }
}
