import type { AuthorizationServer } from 'oauth4webapi'
import type { ServerSettings } from '../core/authorization.ts'
import { baseOf, isConfidential, parseUrl } from '../core/destination.ts'
import type { Emit, Warn } from '../core/events.ts'
import { isMembers } from '../core/members.ts'
import type { Clock, KeyValue } from '../core/ports.ts'
import { ConfigurationError, type LatchkeyError, NetworkError, ServerError } from '../errors.ts'
import type { Transport } from './endpoint.ts'
import { type AcceptDeviation, toLatchkeyError } from './failure.ts'
import { responseCache } from './response-cache.ts'
import { readMembers } from './token-response.ts'

/**
 * The metadata of the authorization server, from the options or discovered.
 * @param stale metadata that names an endpoint where something else answers. It is fetched again, at most every five minutes.
 * @param isForRefresh whether metadata that another page has stored will do. If there is none, it is stored.
 */
export type Server = (stale?: AuthorizationServer, isForRefresh?: boolean) => Promise<AuthorizationServer>

export interface MetadataPorts {
  /** `strict`: the issuer must be the same string as in the app. */
  readonly settings: Pick<ServerSettings, 'issuer' | 'metadata' | 'strict'> &
    Partial<Pick<ServerSettings, 'plainHttp'>>
  readonly transport: Transport
  readonly clock: Clock
  readonly emit: Emit
  readonly acceptDeviation: AcceptDeviation
  /** Where to keep the metadata for other pages. Default: nowhere. */
  readonly keyValue?: KeyValue | undefined
  /** Checks fetched metadata before it is used. */
  watch(as: AuthorizationServer): Promise<void>
}

/** The origins that may be plain http in tests. They are kept with the metadata, because users of endpoints have only that. */
const PLAIN_HTTP = Symbol('plain http')

/** How long metadata is used before it is fetched again in the background. */
const METADATA_MS = 24 * 3_600_000
const RETRY_MS = 300_000
/** The same for stored metadata: the refresh that it was read for is sent by then. */
const STORED_MS = 1000

/** A request for a JSON document. latchkey follows a redirect within the same origin. */
export const JSON_REQUEST = { method: 'GET', redirect: 'follow', headers: { accept: 'application/json' } }

/** The URLs where a server may publish its metadata. */
const PLACES = {
  /** OpenID Connect Discovery section 4.1: after the issuer's path. */
  openid: (origin: string, path: string) => `${origin}${path}/.well-known/openid-configuration`,
  /** RFC 8414 section 3.1: before it. */
  oauth: (origin: string, path: string) => `${origin}/.well-known/oauth-authorization-server${path}`,
}

/** String() throws for an object whose `toString` is not a function. */
const textOf = (value: unknown): string => (typeof value === 'string' ? value : typeof value)

/** The statuses that mean: there is no document at this URL, and a retry would not help. */
const ABSENT = [400, 404, 405, 410]

/** A URL without metadata of the issuer, and the response. */
interface Miss {
  readonly url: string
  readonly message: string
  readonly error?: LatchkeyError
  /** Why a retry cannot help: there is no document, or it is of another issuer. */
  readonly definite?: 'absent' | 'other' | undefined
}

/** Describes the responses, as one if both URLs responded in the same way. */
function describeMisses(misses: readonly Miss[]): string {
  const [first, second] = misses
  const isSame = first && second && first.message.replace(first.url, second.url) === second.message
  return isSame
    ? first.message.replace(first.url, `${first.url} and ${second.url}`)
    : misses.map(({ message }) => message).join(' ')
}

/** The error if neither URL has the metadata. It contains both responses and what to do. */
function notFound(issuer: string, misses: readonly Miss[]): LatchkeyError {
  const errors = misses.flatMap(({ error }) => error ?? [])
  const refused = errors.find(error => error instanceof ServerError)
  if (refused) return refused
  const advice = 'Correct "issuer", or set "server" if the server publishes no metadata.'
  const message = `No metadata of the issuer ${issuer} was found. ${describeMisses(misses)} ${advice}`
  const isOther = ({ definite }: Miss) => definite === 'other'
  if (misses.some(isOther) || misses.every(({ definite }) => definite)) return new ConfigurationError(message)
  const all = errors.filter(error => error instanceof NetworkError)
  // a failure that may pass comes before one that stays
  const { reason, status, retryAfterMs } =
    all.find(({ reason, retryable }) => retryable && reason !== 'not_the_server') ?? all[0] ?? {}
  const retryable = all.some(error => error.retryable)
  return new NetworkError(message, reason ?? 'not_the_server', { status, retryAfterMs, retryable })
}

/** Finds the document of the configured issuer. */
function createDiscovery({ settings, transport, clock, emit, acceptDeviation }: MetadataPorts) {
  const { issuer, strict } = settings

  /** Whether the document is of the configured issuer. Some other spellings count as the same. */
  const isExpected = (named: unknown): boolean => {
    if (named === issuer) return true
    const url = parseUrl(named)
    if (!url) return false
    if (baseOf(url.href) === baseOf(issuer)) return !strict
    if (!String(named).includes('{tenantid}') || url.origin !== new URL(issuer).origin) return false
    acceptDeviation('issuer_template', 'has an issuer for each tenant')
    return true
  }

  const fetchFrom = async (url: string): Promise<{ found?: AuthorizationServer; miss?: Miss }> => {
    try {
      emit({ type: 'metadata-request', url })
      const response = await transport(url, JSON_REQUEST)
      const { status } = response
      const members = await readMembers(response, acceptDeviation)
      const named = members?.issuer
      if (status === 200 && isExpected(named)) return { found: members as unknown as AuthorizationServer }
      if (status === 200 && typeof named === 'string') {
        const message = `The document at ${url} names another issuer: ${named.slice(0, 100)}.`
        return { miss: { url, message, definite: 'other' } }
      }
      const error = toLatchkeyError({ code: 'NOT_CONFORM', response }, 'The metadata request', clock.now())
      const definite = ABSENT.includes(status) ? 'absent' : undefined
      return { miss: { url, message: `${url} answered with the status ${status}.`, error, definite } }
    } catch (thrown) {
      const error = toLatchkeyError(thrown, 'The metadata request', clock.now())
      const { message } = error
      return { miss: { url, message: message.includes(url) ? message : `${url}: ${message}`, error } }
    }
  }

  /**
   * Tries OpenID Connect Discovery first, then RFC 8414, no matter how the first URL responds.
   * @throws LatchkeyError
   */
  const discover = async (): Promise<AuthorizationServer> => {
    const { origin, pathname } = new URL(issuer)
    const misses: Miss[] = []
    for (const place of Object.values(PLACES)) {
      const { found, miss } = await fetchFrom(place(origin, pathname.replace(/\/$/, '')))
      if (found) return found
      if (miss) misses.push(miss)
      // do not wait twice as long
      if (miss?.error instanceof NetworkError && miss.error.reason === 'timeout') break
    }
    throw notFound(issuer, misses)
  }

  return { isExpected, discover }
}

/** Fetches the metadata once. After a failure, the next call tries again. */
export function createServer(ports: MetadataPorts): Server {
  const { clock, emit } = ports
  const { issuer, metadata, plainHttp } = ports.settings
  const { isExpected, discover } = createDiscovery(ports)
  // not the client's prefix: all sessions of an issuer use the same metadata
  const cache = responseCache(ports.keyValue, `latchkey ${issuer} metadata`, clock, METADATA_MS)
  /** The metadata that the app supplies replaces what was found. */
  const complete = (found: object): AuthorizationServer => ({
    ...(found as AuthorizationServer),
    ...metadata,
    ...(plainHttp?.size && { [PLAIN_HTTP]: plainHttp }),
  })
  const isWhole = metadata?.issuer !== undefined
  let known: Promise<AuthorizationServer> | undefined
  let renewAt = Number.POSITIVE_INFINITY
  /** Only a client that begins with a refresh stores what it fetches: a sign-in may be cancelled. */
  let stores = false

  const learn = async (): Promise<AuthorizationServer> => {
    if (isWhole) return complete({})
    const metadata = await discover()
    const server = complete(metadata)
    await ports.watch(server)
    if (stores) cache.write({ metadata })
    emit({ type: 'metadata-response', issuer: server.issuer, tokenEndpoint: textOf(server.token_endpoint) })
    renewAt = clock.now() + METADATA_MS
    return server
  }

  const recall = async (): Promise<AuthorizationServer> => {
    stores = true
    const { metadata } = await cache.read()
    if (!isMembers(metadata) || !isExpected(metadata.issuer)) return learn()
    renewAt = clock.now() + STORED_MS
    return complete(metadata)
  }

  let mayRenewAt = 0
  /** The old metadata stays in use until there is newer metadata. */
  const renew = async (): Promise<void> => {
    mayRenewAt = clock.now() + RETRY_MS
    renewAt = mayRenewAt
    const server = await learn().catch(() => {})
    if (server) known = Promise.resolve(server)
  }
  let renewing: Promise<void> | undefined

  return async (stale, isForRefresh) => {
    if (known && clock.now() >= renewAt) renewing = renew()
    known ??= (isForRefresh && !isWhole ? recall() : learn()).catch(error => {
      known = undefined
      throw error
    })
    if (stale && !isWhole && stale === (await known)) {
      if (clock.now() >= mayRenewAt) renewing = renew()
      await renewing
    }
    return known
  }
}

/**
 * Returns an endpoint of the server.
 * @param mtls whether to use the endpoint for mutual TLS if the server has one (RFC 8705 section 5).
 * @throws ConfigurationError if the server has no such endpoint, or it is not https. Loopback may be http, and so may the
 * origins that a test allows.
 */
export function endpointOf(
  server: AuthorizationServer,
  name: keyof AuthorizationServer,
  mtls?: boolean,
): URL {
  const aliases: Readonly<Record<string, unknown>> | undefined = mtls
    ? server.mtls_endpoint_aliases
    : undefined
  const value = textOf(aliases?.[name] ?? server[name])
  const url = parseUrl(value)
  const { [PLAIN_HTTP]: plainHttp } = server as { [PLAIN_HTTP]?: ReadonlySet<string> }
  if (!url || !isConfidential(url, plainHttp) || url.username || url.password) {
    const what = value === 'undefined' ? 'is missing' : `must be an https URL; got ${value.slice(0, 100)}`
    throw new ConfigurationError(
      `The authorization server's "${name}" ${what}. Correct its metadata or the option that names it.`,
    )
  }
  return url
}

/** Members of metadata that protect against attacks. An attacker would remove them. */
const PROTECTIONS = [
  'code_challenge_methods_supported',
  'authorization_response_iss_parameter_supported',
  'dpop_signing_alg_values_supported',
  'pushed_authorization_request_endpoint',
] as const

/**
 * Compares metadata with the protections that this client has seen before, and remembers new ones (RFC 9700 section 4.4).
 * Without `strict`, latchkey does not wait for the comparison, and only warns.
 * @throws ServerError with `strict`.
 */
export function watchProtections(keyValue: KeyValue, prefix: string, strict: boolean, warn: Warn) {
  const key = `${prefix} protections`
  const compare = async (as: AuthorizationServer) => {
    const stored = await keyValue.get(key).catch(() => {})
    const seen: unknown[] = Array.isArray(stored) ? stored : []
    const has = PROTECTIONS.filter(member => as[member])
    const lost = PROTECTIONS.filter(member => seen.includes(member) && !has.includes(member))
    const all = [...new Set([...seen, ...has])]
    if (all.length > seen.length) void keyValue.update(key, () => all).catch(() => {})
    if (!lost.length) return
    const message = `The metadata of ${as.issuer} no longer contains ${lost.join(', ')}. This could be a downgrade attack: ask the server's operator.`
    if (strict) throw new ServerError(message, { error: 'metadata_downgrade' })
    warn('metadata_downgrade', message)
  }
  return async (as: AuthorizationServer): Promise<void> => {
    const compared = compare(as)
    if (strict) await compared
  }
}
