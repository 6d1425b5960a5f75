import { ConfigurationError } from '../errors.ts'

/** Whether traffic to this URL cannot be read on the way: https, or http that never leaves the machine. */
export const isConfidential = ({ protocol, hostname }: URL): boolean =>
  protocol === 'https:' || (protocol === 'http:' && isLoopback(hostname))

/** RFC 8252 section 8.3; `localhost` and what ends in it never leave the machine (RFC 6761 section 6.3). */
const isLoopback = (hostname: string): boolean =>
  /(^|\.)localhost$/.test(hostname) || hostname === '[::1]' || /^127(\.\d{1,3}){3}$/.test(hostname)

/** A URL that may receive an access token. */
export interface Destination {
  /** Without query and fragment, in which secrets may be. */
  readonly endpoint: string
  /** The API of `resources` that it belongs to, if it belongs to one. */
  readonly resource: string | undefined
}

/** Where a request goes, if it may carry an access token: compared as parsed origins, never as text.
 * @param address as it was handed to `fetch`.
 */
export function findDestination(
  address: string,
  base: string | undefined,
  to: { readonly allowedOrigins: ReadonlySet<string>; readonly resources: readonly string[] },
): Destination | undefined {
  let url: URL
  try {
    url = new URL(address, base)
  } catch {
    return undefined // what is no URL at all is left to fetch, which has its own words for it
  }
  const resource = findResource(url, to.resources)
  const isFit = isConfidential(url) && (resource !== undefined || to.allowedOrigins.has(url.origin))
  return isFit && !url.username && !url.password
    ? { endpoint: url.origin + url.pathname, resource }
    : undefined
}

/** An API that has an access token of its own (RFC 8707). */
export interface Resource {
  /** The URL that its requests begin with, without a slash at the end: also the name of its token in the record. */
  readonly url: string
  /** What a token request for it says. */
  readonly parameters: Readonly<Partial<Record<'resource' | 'audience' | 'scope', string>>>
}

/**
 * The name in the record of an access token with only a part of the scope: the API's URL, if it is for one, and the scopes.
 * @throws ConfigurationError for a scope that is none (RFC 6749 section 3.3).
 */
export function tokenName(url = '', scope: readonly string[]): string {
  const names = [...new Set(scope.join(' ').split(/\s+/).filter(Boolean))].sort()
  if (names.length && names.every(name => /^[!#-[\]-~]+$/.test(name))) return [url, ...names].join(' ')
  throw new ConfigurationError(`"scope" must be names such as "notes:read"; got ${JSON.stringify(scope)}.`)
}

/** The API that an access token of this name is for, and what its token request says. */
export function resourceOf(name: string, resources: readonly Resource[]): Resource | undefined {
  const [url, ...names] = name.split(' ')
  const known = resources.find(one => one.url === url)
  return names.length ? { url: name, parameters: { ...known?.parameters, scope: names.join(' ') } } : known
}

/** The API that a request to `url` goes to; of two that fit, the one which stands first. */
export const findResource = (url: URL, resources: readonly string[]): string | undefined => {
  const path = `${url.origin}${url.pathname}/`
  return resources.find(resource => path.startsWith(`${resource}/`))
}

/** Whether a text is an origin that tokens may be sent to, and no more than an origin. */
export const isOrigin = (text: unknown): text is string => {
  if (typeof text !== 'string' || !URL.canParse(text)) return false
  const url = new URL(text)
  return isConfidential(url) && url.href === `${url.origin}/`
}

/** A URL that others begin with, in one spelling: without a slash at the end. @throws TypeError for what is no URL. */
export const baseOf = (url: string): string => new URL(url).href.replace(/\/$/, '')
