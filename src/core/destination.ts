import { ConfigurationError } from '../errors.ts'

/** Parses a URL, also in Safari before 17, which has no `URL.canParse`. @returns `undefined` for any other value. */
export function parseUrl(text: unknown, base?: string): URL | undefined {
  if (typeof text !== 'string') return undefined
  try {
    return new URL(text, base)
  } catch {
    return undefined
  }
}

/**
 * Whether nobody in the network can read requests to this URL: https, or http that never leaves the machine.
 * @param plainHttp origins that a test accepts anyway.
 */
export const isConfidential = (
  { protocol, hostname, origin }: URL,
  plainHttp?: ReadonlySet<string>,
): boolean =>
  protocol === 'https:' || (protocol === 'http:' && (isLoopback(hostname) || Boolean(plainHttp?.has(origin))))

/** RFC 8252 section 8.3. Requests to `localhost` and `*.localhost` never leave the machine (RFC 6761 section 6.3). */
const isLoopback = (hostname: string): boolean =>
  /(^|\.)localhost$/.test(hostname) || hostname === '[::1]' || /^127(\.\d{1,3}){3}$/.test(hostname)

/** A URL that may receive an access token. */
export interface Destination {
  /** The URL without query and fragment, which may contain secrets. */
  readonly endpoint: string
  /** The API in `resources` that it belongs to. `undefined`: it is in `allowedOrigins`. */
  readonly resource: string | undefined
}

/**
 * Returns where a request goes if it may carry an access token. Compares parsed origins, never text.
 * @param address the URL that was passed to `fetch`.
 */
export function findDestination(
  address: string,
  base: string | undefined,
  to: {
    readonly allowedOrigins: ReadonlySet<string>
    readonly resources: readonly string[]
    readonly plainHttp?: ReadonlySet<string>
  },
): Destination | undefined {
  const url = parseUrl(address, base)
  if (!url) return undefined // fetch reports it
  const resource = findResource(url, to.resources)
  const isFit =
    isConfidential(url, to.plainHttp) && (resource !== undefined || to.allowedOrigins.has(url.origin))
  return isFit && !url.username && !url.password
    ? { endpoint: url.origin + url.pathname, resource }
    : undefined
}

/** An API with a separate access token (RFC 8707). */
export interface Resource {
  /** The URL that its requests begin with, without a slash at the end. It is also the name of its token in the record. */
  readonly url: string
  /** The parameters of a token request for it. */
  readonly parameters: Readonly<Partial<Record<'resource' | 'audience' | 'scope', string>>>
}

/**
 * The name in the record of an access token for a part of the scope: the API's URL or '', then the scopes.
 * @throws ConfigurationError for an invalid scope (RFC 6749 section 3.3).
 */
export function tokenName(url = '', scope: readonly string[]): string {
  const names = [...new Set(scope.join(' ').split(/\s+/).filter(Boolean))].sort()
  if (names.length && names.every(name => /^[!#-[\]-~]+$/.test(name))) return [url, ...names].join(' ')
  throw new ConfigurationError(`"scope" must be names such as "notes:read"; got ${JSON.stringify(scope)}.`)
}

/** The API that a request to `url` goes to: the first match. */
export const findResource = (url: URL, resources: readonly string[]): string | undefined => {
  const path = `${url.origin}${url.pathname}/`
  return resources.find(resource => path.startsWith(`${resource}/`))
}

/** Whether a text is only an origin, and latchkey may send tokens to it. */
export const isOrigin = (text: unknown, plainHttp?: ReadonlySet<string>): text is string => {
  const url = parseUrl(text)
  return url !== undefined && isConfidential(url, plainHttp) && url.href === `${url.origin}/`
}

/** Normalizes the URL of an API: no slash at the end. @throws TypeError for an invalid URL. */
export const baseOf = (url: string): string => new URL(url).href.replace(/\/$/, '')
