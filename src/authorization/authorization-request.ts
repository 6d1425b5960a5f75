import {
  type AuthorizationServer,
  generateRandomCodeVerifier,
  generateRandomNonce,
  generateRandomState,
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

/** What is asked for this time. */
export interface AuthorizationChoice {
  readonly userAgent: string
  readonly scope: string
  readonly returnTo: string | undefined
  /** Beside latchkey's own. */
  readonly parameters: Readonly<Record<string, string>>
  /** What a recovery of the session asks for again. */
  readonly kept?: Readonly<Record<string, string>>
  /** One of these authentication context classes, joined by spaces, is a must. */
  readonly acrValues?: string | undefined
  /** With `prompt=none`: nobody else than this user. */
  readonly subject?: string | undefined
  /** With `prompt=none`: the parameters that follow where the server needs the user. */
  readonly otherwise?: Readonly<Record<string, string>> | undefined
  /** How often somebody had signed out when it was asked for. Default: as the store says. */
  readonly epoch?: number | undefined
}

export interface AuthorizationRequestPorts {
  readonly settings: ServerSettings
  readonly server: Server
  readonly extensions: JoinedExtensions
  readonly transactions: Transactions
  readonly records: Pick<SessionRecords, 'current' | 'read'>
  readonly keyValue: KeyValue
  readonly clock: Clock
  readonly warn: Warn
  warnings(): readonly Warning[]
  readonly origin: string | undefined
  /** This client and its store. */
  readonly owner: string
  hash(text: string): Promise<string>
}

/**
 * S256 (RFC 7636 section 4.2). Not by oauth4webapi, which does not know the ArrayBuffer of another realm: in jsdom that is
 * what Web Crypto returns.
 */
async function challengeOf(codeVerifier: string): Promise<string> {
  const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(codeVerifier))
  return base64url(digest)
}

const noCrypto = (origin = 'This runtime') =>
  `${origin} has no Web Crypto, which signing in needs. Serve the page over https or from localhost; in a test, give its environment Node's: globalThis.crypto = webcrypto.`

/**
 * The mark of one client's `state`: only who knows that client sees whose it is, so that others of the page leave it alone.
 */
export const markOf = async (
  { hash, owner }: Pick<AuthorizationRequestPorts, 'hash' | 'owner'>,
  random: string,
): Promise<string> => (await hash(`${owner} ${random}`)).slice(0, 8)

/**
 * So many sign-ins that came back within this time, or that never did, and still nobody is signed in. Who goes Back at the
 * provider's page leaves a few more.
 */
const LOOP = { returned: 3, begun: 6, ms: 60_000 }

/** A further sign-in within a minute that follows others, and nobody is signed in: it would go on like this. */
export async function refuseLoop({ records, clock, transactions }: AuthorizationRequestPorts): Promise<void> {
  if (records.current) return
  const since = clock.now() - LOOP.ms
  const all = await transactions.all() // what cannot be read is no loop; a store that cannot be written is reported next
  const recent = all.filter(one => one.createdAt > since)
  const returned = recent.filter(({ stage }) => stage === 'returned' || stage === 'failed').length
  const begun = returned + recent.filter(({ stage }) => stage === 'waiting').length
  if (returned < LOOP.returned && begun < LOOP.begun) return
  throw new CallbackError(
    `${begun} sign-ins began within a minute and none left a session. Look at what start() rejected with; a user's click a minute later may try again.`,
    'redirect_loop',
  )
}

/**
 * Looks at a sign-in before it begins, and warns.
 * @throws ConfigurationError for a server that must not be signed in to like this.
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
        `${message}, without which latchkey does not sign in. If it supports it all the same, add "pkce_not_announced" to "quirks".`,
        { quirk: 'pkce_not_announced' },
      )
    }
    ports.warn('quirk', `${message}: it is sent all the same (pkce_not_announced).`)
  }
  if (!as.authorization_response_iss_parameter_supported) await checkMixUp(ports, redirectUri)
}

/**
 * Where a server does not say whose an answer is (RFC 9207), another server must not send its answers to the same place
 * (RFC 9700 section 4.4.2). Who signs in at one issuer only hears nothing of this.
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
    const message = `${issuer} does not say in its answers that they are its own (RFC 9207), and ${other} answers to the same "redirectUri". Give each issuer one of its own.`
    if (strict) throw new ConfigurationError(message)
    return warn('mix_up', message)
  }
}

/** What `claims` asks for as essential (OpenID Connect Core section 5.5.1.1). */
function essentialAcr(claims: string | undefined): string[] | undefined {
  try {
    const { acr } = JSON.parse(claims as string).id_token
    return acr.essential ? [acr.values ?? acr.value ?? []].flat() : undefined
  } catch {
    return undefined // the server will say what is wrong with it
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
  endpointOf(as, 'token_endpoint', clientAuthentication?.mtls) // better to fail before the user has signed in than after
  await checkSignIn(ports, as, redirectUri)
  const createdAt = clock.now()
  const random = generateRandomState()
  const state = nameState(userAgent, random, await markOf(ports, random))
  const codeVerifier = generateRandomCodeVerifier()
  const nonce = scope.split(' ').includes('openid') ? generateRandomNonce() : undefined
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
      `${as.issuer} takes pushed authorization requests only (RFC 9126): add par() of latchkey/par to "extensions".`,
    )
  }
  const silent = parameters.prompt === 'none' && !otherwise ? true : undefined
  const secrets = { state, codeVerifier, nonce }
  const acr = nonce ? (acrValues?.split(' ') ?? essentialAcr(parameters.claims)) : undefined
  const maxAge = nonce && /^\d+$/.test(parameters.max_age ?? '') ? Number(parameters.max_age) : undefined
  const demands = { silent, otherwise, subject, acr, maxAge, parameters: kept } as const
  const epoch = since ?? (await records.read().then(epochOf, () => undefined))
  const begun = { epoch, stage: 'waiting', createdAt, warnings: [...ports.warnings()] } as const
  await transactions.save({ schema: 1, ...secrets, redirectUri, scope, returnTo, ...begun, ...demands })
  // last of all: what it gives may hold for seconds only
  const sent = (await extensions.pushRequest?.(extended)) ?? request
  for (const name of new Set(sent.keys())) url.searchParams.delete(name) // ours count
  for (const [name, value] of sent) url.searchParams.append(name, value)
  url.hash = ''
  return { url: url.href, state }
}
