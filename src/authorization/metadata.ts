import type { AuthorizationServer } from 'oauth4webapi'
import type { ServerSettings } from '../core/authorization.ts'
import { baseOf, isConfidential } from '../core/destination.ts'
import type { Emit, Warn } from '../core/events.ts'
import type { Clock, KeyValue } from '../core/ports.ts'
import { ConfigurationError, NetworkError, ServerError } from '../errors.ts'
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
  readonly settings: Pick<ServerSettings, 'issuer' | 'metadata' | 'strict'>
  readonly transport: Transport
  readonly clock: Clock
  readonly emit: Emit
  readonly acceptDeviation: AcceptDeviation
  /** Looks at what was fetched before anybody uses it. */
  watch(as: AuthorizationServer): Promise<void>
}

/** How long metadata is used before it is fetched again, beside the calls that use it. */
const METADATA_MS = 24 * 3_600_000
const RETRY_MS = 300_000

/** A request for a document in JSON. */
export const JSON_REQUEST = { method: 'GET', redirect: 'manual', headers: { accept: 'application/json' } }

/** Where a server publishes its metadata. */
const PLACES = {
  /** OpenID Connect Discovery section 4.1: after the issuer's path. */
  openid: (origin: string, path: string) => `${origin}${path}/.well-known/openid-configuration`,
  /** RFC 8414 section 3.1: before it. */
  oauth: (origin: string, path: string) => `${origin}/.well-known/oauth-authorization-server${path}`,
}

/** An object whose `toString` is no function cannot be made a text. */
const textOf = (value: unknown): string => (typeof value === 'string' ? value : typeof value)

/**
 * Fetches the metadata once; a failed fetch is forgotten, so that the next call tries again. OpenID Connect Discovery
 * first, then RFC 8414 where that document does not exist.
 */
export function createServer(ports: MetadataPorts): Server {
  const { transport, clock, emit, acceptDeviation } = ports
  const { issuer, metadata, strict } = ports.settings
  let known: Promise<AuthorizationServer> | undefined
  let renewAt = Number.POSITIVE_INFINITY

  /** Whether the document is of the configured issuer, by this or another spelling that counts as the same. */
  const isExpected = (named: unknown): boolean => {
    if (named === issuer) return true
    if (typeof named !== 'string' || !URL.canParse(named)) return false
    if (baseOf(named) === baseOf(issuer)) return !strict
    if (!named.includes('{tenantid}') || new URL(named).origin !== new URL(issuer).origin) return false
    acceptDeviation('issuer_template', 'has an issuer for each tenant')
    return true
  }

  const discover = async (place = PLACES.openid): Promise<AuthorizationServer> => {
    const { origin, pathname } = new URL(issuer)
    const url = place(origin, pathname.replace(/\/$/, ''))
    let named: unknown
    let server: AuthorizationServer
    try {
      emit({ type: 'metadata-request', url })
      const response = await transport(url, JSON_REQUEST)
      if (response.status === 404 && place === PLACES.openid) return await discover(PLACES.oauth)
      const members = await readMembers(response, acceptDeviation)
      named = members?.issuer
      if (response.status !== 200 || !isExpected(named)) {
        throw toLatchkeyError({ code: 'NOT_CONFORM', response }, 'The metadata request', clock.now())
      }
      server = members as unknown as AuthorizationServer
    } catch (error) {
      // a document that was cut off is none
      const isOther =
        error instanceof NetworkError && (error.reason === 'not_the_server' || error.status === 200)
      if (!isOther) throw error
      const other = typeof named === 'string' ? ` (it is of ${named.slice(0, 100)})` : ''
      throw new NetworkError(
        `${url} is not the metadata of the issuer ${issuer}${other}. Correct "issuer", or give "server" where there is no such document.`,
        'not_the_server',
      )
    }
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
    const server = await discover().catch(() => {})
    if (server) known = Promise.resolve(server)
  }
  let renewing: Promise<void> | undefined

  return async stale => {
    if (known && clock.now() >= renewAt) renewing = renew()
    known ??= (metadata ? Promise.resolve(metadata) : discover()).catch(error => {
      known = undefined
      throw error
    })
    if (stale && !metadata && stale === (await known)) {
      if (clock.now() >= mayRenewAt) renewing = renew()
      await renewing
    }
    return known
  }
}

/**
 * An endpoint of the server, as a URL that may be used.
 * @param mtls whether it is the one for mutual TLS, where the server has such (RFC 8705 section 5).
 * @throws ConfigurationError when the server has none, or one that is not https (loopback may be http).
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
  const url = URL.canParse(value) ? new URL(value) : undefined
  if (!url || !isConfidential(url) || url.username || url.password) {
    throw new ConfigurationError(
      `The authorization server's "${name}" must be an https URL; it is ${value.slice(0, 100)}.`,
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
    const message = `The metadata of ${as.issuer} has lost ${lost.join(', ')}, which it had before.`
    if (strict) throw new ServerError(message, { error: 'metadata_downgrade' })
    warn('metadata_downgrade', message)
  }
  return async (as: AuthorizationServer): Promise<void> => {
    const compared = compare(as)
    if (strict) await compared
  }
}
