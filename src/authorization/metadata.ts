import type { AuthorizationServer } from 'oauth4webapi'
import type { ServerSettings } from '../core/authorization.ts'
import { baseOf, isConfidential, parseUrl } from '../core/destination.ts'
import type { Emit, Warn } from '../core/events.ts'
import type { Clock, KeyValue } from '../core/ports.ts'
import { ConfigurationError, type LatchkeyError, NetworkError, ServerError } from '../errors.ts'
import type { Transport } from './endpoint.ts'
import { type AcceptDeviation, toLatchkeyError } from './failure.ts'
import { readMembers } from './token-response.ts'

/**
 * The metadata of the authorization server, given or discovered.
 * @param stale what named an endpoint where something else answers: it is fetched anew, but not more often than every five minutes.
 */
export type Server = (stale?: AuthorizationServer) => Promise<AuthorizationServer>

export interface MetadataPorts {
  /** `strict`: the issuer has to be spelt as the app spells it. */
  readonly settings: Pick<ServerSettings, 'issuer' | 'metadata' | 'strict'> &
    Partial<Pick<ServerSettings, 'plainHttp'>>
  readonly transport: Transport
  readonly clock: Clock
  readonly emit: Emit
  readonly acceptDeviation: AcceptDeviation
  /** Looks at what was fetched before anybody uses it. */
  watch(as: AuthorizationServer): Promise<void>
}

/** On metadata, because whoever uses an endpoint has that at hand: the origins of tests that may be plain http. */
const PLAIN_HTTP = Symbol('plain http')

/** How long metadata is used before it is fetched again, beside the calls that use it. */
const METADATA_MS = 24 * 3_600_000
const RETRY_MS = 300_000

/** A request for a document in JSON. A redirect to another place of the same origin is followed. */
export const JSON_REQUEST = { method: 'GET', redirect: 'follow', headers: { accept: 'application/json' } }

/** Where a server publishes its metadata. */
const PLACES = {
  /** OpenID Connect Discovery section 4.1: after the issuer's path. */
  openid: (origin: string, path: string) => `${origin}${path}/.well-known/openid-configuration`,
  /** RFC 8414 section 3.1: before it. */
  oauth: (origin: string, path: string) => `${origin}/.well-known/oauth-authorization-server${path}`,
}

/** An object whose `toString` is no function cannot be made a text. */
const textOf = (value: unknown): string => (typeof value === 'string' ? value : typeof value)

/** What says that there is no document at an address, and will not be one in a moment. */
const ABSENT = [400, 404, 405, 410]

/** An address without metadata of the issuer, and what came back. */
interface Miss {
  readonly url: string
  readonly message: string
  readonly error?: LatchkeyError
  /** What makes it certain: nothing is there, or the document of another issuer. */
  readonly certain?: 'absent' | 'other' | undefined
}

/** What came back, and once where both addresses answered the same. */
function toldOf(misses: readonly Miss[]): string {
  const [first, second] = misses
  const isSame = first && second && first.message.replace(first.url, second.url) === second.message
  return isSame
    ? first.message.replace(first.url, `${first.url} and ${second.url}`)
    : misses.map(({ message }) => message).join(' ')
}

/** Neither address had it: all that came back, and what to do. */
function notFound(issuer: string, misses: readonly Miss[]): LatchkeyError {
  const errors = misses.flatMap(({ error }) => error ?? [])
  const refused = errors.find(error => error instanceof ServerError)
  if (refused) return refused
  const advice = 'Correct "issuer", or set "server" if the server publishes no metadata.'
  const message = `No metadata of the issuer ${issuer} was found. ${toldOf(misses)} ${advice}`
  const isCertain = ({ certain }: Miss) => certain === 'other'
  if (misses.some(isCertain) || misses.every(({ certain }) => certain)) return new ConfigurationError(message)
  const all = errors.filter(error => error instanceof NetworkError)
  // what may pass counts for more than what stays
  const { reason, status, retryAfterMs } =
    all.find(({ reason, retryable }) => retryable && reason !== 'not_the_server') ?? all[0] ?? {}
  const retryable = all.some(error => error.retryable)
  return new NetworkError(message, reason ?? 'not_the_server', { status, retryAfterMs, retryable })
}

/**
 * Fetches the metadata once; a failed fetch is forgotten, so that the next call tries again. OpenID Connect Discovery
 * first, then RFC 8414, whatever the first address answers.
 */
export function createServer(ports: MetadataPorts): Server {
  const { transport, clock, emit, acceptDeviation } = ports
  const { issuer, metadata, strict, plainHttp } = ports.settings
  const withPlainHttp = (as: AuthorizationServer): AuthorizationServer =>
    plainHttp?.size ? Object.assign({ ...as }, { [PLAIN_HTTP]: plainHttp }) : as
  const isWhole = metadata?.issuer !== undefined
  let known: Promise<AuthorizationServer> | undefined
  let renewAt = Number.POSITIVE_INFINITY

  /** Whether the document is of the configured issuer, by this or another spelling that counts as the same. */
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
        return {
          miss: {
            url,
            message: `The document at ${url} names another issuer: ${named.slice(0, 100)}.`,
            certain: 'other',
          },
        }
      }
      const error = toLatchkeyError({ code: 'NOT_CONFORM', response }, 'The metadata request', clock.now())
      const certain = ABSENT.includes(status) ? 'absent' : undefined
      return { miss: { url, message: `${url} answered with the status ${status}.`, error, certain } }
    } catch (thrown) {
      const error = toLatchkeyError(thrown, 'The metadata request', clock.now())
      const { message } = error
      return { miss: { url, message: message.includes(url) ? message : `${url}: ${message}`, error } }
    }
  }

  const discover = async (): Promise<AuthorizationServer> => {
    const { origin, pathname } = new URL(issuer)
    const misses: Miss[] = []
    for (const place of Object.values(PLACES)) {
      const { found, miss } = await fetchFrom(place(origin, pathname.replace(/\/$/, '')))
      if (found) return found
      if (miss) misses.push(miss)
      // nobody waits twice as long
      if (miss?.error instanceof NetworkError && miss.error.reason === 'timeout') break
    }
    throw notFound(issuer, misses)
  }

  const learn = async (): Promise<AuthorizationServer> => {
    const found = isWhole ? {} : await discover()
    const server = withPlainHttp({ ...found, ...metadata } as AuthorizationServer)
    if (isWhole) return server
    await ports.watch(server)
    emit({ type: 'metadata-response', issuer: server.issuer, tokenEndpoint: textOf(server.token_endpoint) })
    renewAt = clock.now() + METADATA_MS
    return server
  }

  let mayRenewAt = 0
  /** What there is stays in use until there is something newer. */
  const renew = async (): Promise<void> => {
    mayRenewAt = clock.now() + RETRY_MS
    renewAt = mayRenewAt
    const server = await learn().catch(() => {})
    if (server) known = Promise.resolve(server)
  }
  let renewing: Promise<void> | undefined

  return async stale => {
    if (known && clock.now() >= renewAt) renewing = renew()
    known ??= learn().catch(error => {
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
 * An endpoint of the server, as a URL that may be used.
 * @param mtls whether it is the one for mutual TLS, where the server has such (RFC 8705 section 5).
 * @throws ConfigurationError when the server has none, or one that is not https (loopback may be http, and what a test allows).
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

/** What metadata may announce against attacks, and an attacker would take out. */
const PROTECTIONS = [
  'code_challenge_methods_supported',
  'authorization_response_iss_parameter_supported',
  'dpop_signing_alg_values_supported',
  'pushed_authorization_request_endpoint',
] as const

/**
 * Compares metadata with the protections that this client has seen there before, and remembers new ones (RFC 9700
 * section 4.4). Without `strict` nobody waits for it, and a loss is only warned of.
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
