import {
  type AuthorizationServer,
  generateRandomState as newSecret, // oauth4webapi's nonces and code verifiers are the same: 32 random bytes
} from 'oauth4webapi'
import type { ServerSettings, SessionRecords } from '../core/authorization.ts'
import { base64url } from '../core/base64url.ts'
import { nameState } from '../core/callback.ts'
import type { Warn, Warning } from '../core/events.ts'
import { isTransaction } from '../core/keys.ts'
import type { Clock, KeyValue } from '../core/ports.ts'
import { epochOf } from '../core/session.ts'
import { CallbackError, ConfigurationError } from '../errors.ts'
import type { JoinedExtensions } from './extensions.ts'
import { endpointOf, type Server } from './metadata.ts'
import type { Transaction, Transactions } from './transaction.ts'

/** The choices for one authorization request. */
export interface AuthorizationChoice {
  readonly userAgent: string
  readonly scope: string
  readonly returnTo: string | undefined
  /** Parameters in addition to latchkey's own. */
  readonly parameters: Readonly<Record<string, string>>
  /** The parameters that `recover()` sends again. */
  readonly kept?: Readonly<Record<string, string>>
  /** The required authentication context classes, joined by spaces: the server must use one of them. */
  readonly acrValues?: string | undefined
  /** With `prompt=none`: the only user (`sub`) whose session latchkey accepts. */
  readonly subject?: string | undefined
  /** With `prompt=none`: the parameters of the request that follows if the server needs the user. */
  readonly otherwise?: Readonly<Record<string, string>> | undefined
  /** How often a user had signed out when the sign-in began. Default: the number in the store. */
  readonly epoch?: number | undefined
}

export interface AuthorizationRequestPorts {
  readonly settings: ServerSettings
  readonly server: Server
  readonly extensions: JoinedExtensions
  readonly transactions: Transactions
  readonly records: Pick<SessionRecords, 'current' | 'inStore' | 'read'>
  readonly keyValue: KeyValue
  readonly clock: Clock
  readonly warn: Warn
  warnings(): readonly Warning[]
  readonly origin: string | undefined
  /** Identifies this client and its store. */
  readonly owner: string
  hash(text: string): Promise<string>
}

/**
 * S256 (RFC 7636 section 4.2). Not by oauth4webapi, which rejects an ArrayBuffer of another realm: Web Crypto returns one in
 * jsdom.
 */
async function challengeOf(codeVerifier: string): Promise<string> {
  const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(codeVerifier))
  return base64url(digest)
}

const noCrypto = (origin = 'This runtime') =>
  `${origin} has no Web Crypto, which signing in needs. Serve the page over https or from localhost; in a test, give its environment Node's: globalThis.crypto = webcrypto.`

/** The mark in a client's `state`, by which the other clients of the page see that the response is not theirs. */
export const markOf = async (
  { hash, owner }: Pick<AuthorizationRequestPorts, 'hash' | 'owner'>,
  random: string,
): Promise<string> => (await hash(`${owner} ${random}`)).slice(0, 8)

/**
 * A loop: this many sign-ins came back within this time, or were begun, and still nobody is signed in. More may begin than
 * come back, because a user who goes back from the provider's page leaves a pending one.
 */
const LOOP = { returned: 3, begun: 6, ms: 60_000 }

/** @throws CallbackError if sign-ins follow each other and nobody is signed in: the next one would not end differently. */
export async function refuseLoop({ records, clock, transactions }: AuthorizationRequestPorts): Promise<void> {
  if (records.current) return
  const since = clock.now() - LOOP.ms
  const all = await transactions.all() // empty if they cannot be read; a store that cannot be written is reported next
  const recent = all.filter(one => one.createdAt > since)
  const returned = recent.filter(({ stage }) => stage === 'returned' || stage === 'failed').length
  const begun = returned + recent.filter(({ stage }) => stage === 'waiting').length
  if (returned < LOOP.returned && begun < LOOP.begun) return
  throw new CallbackError(
    `${begun} sign-ins within a minute ended without a session, so latchkey stopped a possible redirect loop. Check the error from start(). The user can try again in a minute.`,
    'redirect_loop',
  )
}

/**
 * Checks the server before a sign-in, and warns.
 * @throws ConfigurationError if signing in at this server would be unsafe.
 */
async function checkSignIn(
  ports: AuthorizationRequestPorts,
  as: AuthorizationServer,
  redirectUri: string,
): Promise<void> {
  if (![as.code_challenge_methods_supported ?? 'S256'].flat().includes('S256')) {
    const message = `${as.issuer} does not announce PKCE with S256`
    if (!ports.settings.quirks.has('pkce_not_announced')) {
      throw new ConfigurationError(
        `${message}, which latchkey requires. If the server supports it anyway, add "pkce_not_announced" to "quirks".`,
        { quirk: 'pkce_not_announced' },
      )
    }
    ports.warn('quirk', `${message}. latchkey sends PKCE anyway (pkce_not_announced).`)
  }
  if (!as.authorization_response_iss_parameter_supported) await checkMixUp(ports, redirectUri)
}

/**
 * If a server does not put its issuer into its responses (RFC 9207), no other server may use the same redirect URI
 * (RFC 9700 section 4.4.2). An app with one issuer gets no warning.
 */
async function checkMixUp(
  { settings: { issuer, strict }, keyValue, warn }: AuthorizationRequestPorts,
  redirectUri: string,
): Promise<void> {
  for (const key of await keyValue.keys('latchkey ').catch(() => [])) {
    const [, other] = key.split(' ')
    if (other === issuer || !isTransaction(key)) continue
    const stored = (await keyValue.get(key).catch(() => undefined)) as Partial<Transaction> | undefined
    if (stored?.redirectUri !== redirectUri) continue
    const message = `${issuer} does not identify itself in its responses (RFC 9207), and shares "redirectUri" with ${other}. Use a separate redirect URI for each issuer.`
    if (strict) throw new ConfigurationError(message)
    return warn('mix_up', message)
  }
}

/** The `acr` values that the parameter `claims` requests as essential (OpenID Connect Core section 5.5.1.1). */
function essentialAcr(claims: string | undefined): string[] | undefined {
  try {
    const { acr } = JSON.parse(claims as string).id_token
    return acr.essential ? [acr.values ?? acr.value ?? []].flat() : undefined
  } catch {
    return undefined // the server will report the error
  }
}

/** Builds the authorization request (RFC 6749 section 4.1.1, RFC 7636 section 4.3) and saves its transaction. */
export async function beginAuthorization(
  ports: AuthorizationRequestPorts,
  {
    userAgent,
    scope,
    returnTo,
    parameters,
    kept,
    acrValues,
    subject,
    otherwise,
    epoch: since,
  }: AuthorizationChoice,
  redirectUri: string,
): Promise<{ url: string; state: string }> {
  const { server, extensions, transactions, clock, records } = ports
  const { clientId, clientAuthentication, resources } = ports.settings
  if (!globalThis.crypto?.subtle) throw new ConfigurationError(noCrypto(ports.origin))
  const as = await server()
  const url = endpointOf(as, 'authorization_endpoint')
  endpointOf(as, 'token_endpoint', clientAuthentication?.mtls) // fails now, not after the user has signed in
  await checkSignIn(ports, as, redirectUri)
  const createdAt = clock.now()
  const random = newSecret()
  const state = nameState(userAgent, random, await markOf(ports, random))
  const codeVerifier = newSecret()
  const nonce = scope.split(' ').includes('openid') ? newSecret() : undefined
  const own = {
    ...parameters,
    client_id: clientId,
    response_type: 'code',
    redirect_uri: redirectUri,
    scope: scope || undefined,
    state,
    nonce,
    code_challenge: await challengeOf(codeVerifier),
    code_challenge_method: 'S256',
  }
  const request = new URLSearchParams()
  for (const [name, value] of Object.entries(own)) if (value !== undefined) request.set(name, value)
  const indicators = new Set(resources.map(({ parameters }) => parameters.resource))
  for (const indicator of indicators) if (indicator) request.append('resource', indicator) // RFC 8707 section 2.1
  const extended = { server: as, sessionId: state, parameters: request }
  await extensions.authorizationRequest(extended)
  if (as.require_pushed_authorization_requests && !extensions.pushRequest) {
    throw new ConfigurationError(
      `${as.issuer} accepts only pushed authorization requests (RFC 9126). Add par() of latchkey/par to "extensions".`,
    )
  }
  const silent = parameters.prompt === 'none' && !otherwise ? true : undefined
  const secrets = { state, codeVerifier, nonce }
  const acr = nonce ? (acrValues?.split(' ') ?? essentialAcr(parameters.claims)) : undefined
  const maxAge = nonce && /^\d+$/.test(parameters.max_age ?? '') ? Number(parameters.max_age) : undefined
  const demands = { silent, otherwise, subject, acr, maxAge, parameters: kept } as const
  const epoch =
    since ??
    (await records.read().then(
      () => epochOf(records.inStore),
      () => undefined,
    ))
  const begun = { epoch, stage: 'waiting', createdAt, warnings: [...ports.warnings()] } as const
  await transactions.save({ schema: 1, ...secrets, redirectUri, scope, returnTo, ...begun, ...demands })
  // as the last step: a `request_uri` may expire within seconds
  const sent = (await extensions.pushRequest?.(extended)) ?? request
  for (const name of new Set(sent.keys())) url.searchParams.delete(name) // latchkey's values replace those of the metadata
  for (const [name, value] of sent) url.searchParams.append(name, value)
  url.hash = ''
  return { url: url.href, state }
}
