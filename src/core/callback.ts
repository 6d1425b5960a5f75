import { parseUrl } from './destination.ts'

/** Distinguishes latchkey's `state` from those of other libraries, whose responses may come to the same page. */
export const STATE_PREFIX = 'lk.'
/** Marks a `state` whose response belongs to the page that opened this one. */
const POPUP_PREFIX = `${STATE_PREFIX}p.`

/** A URL that looks like the response to an authorization request of latchkey. */
export interface Callback {
  /** The unchanged URL. */
  readonly address: URL
  /** The URL with the response in its query. Some servers send it in the fragment. */
  readonly url: URL
  readonly state: string
  /** `popup` if the page that opened this one waits for the response. */
  readonly userAgent: 'popup' | undefined
}

export const nameState = (userAgent: string, random: string, mark: string): string =>
  `${userAgent === 'popup' ? POPUP_PREFIX : STATE_PREFIX}${random}.${mark}`

/** Parses a `state`. Returns `undefined` for one of version 0.1.0, which has no mark of its client. */
export function readMark(state: string): { random: string; mark: string } | undefined {
  const [, random, mark] = /^lk\.(?:p\.)?([\w-]+)\.([\da-f]{8})$/.exec(state) ?? []
  return random && mark ? { random, mark } : undefined
}

/** Returns `undefined` for a URL that does not answer a sign-in of latchkey. */
export function parseCallback(address: string | URL): Callback | undefined {
  const given = parseUrl(String(address))
  if (!given) return undefined
  for (const url of [given, withFragmentAsQuery(given)]) {
    const state = url.searchParams.get('state')
    if (!state?.startsWith(STATE_PREFIX)) continue
    if (!['code', 'error', 'access_token'].some(name => url.searchParams.has(name))) continue
    const userAgent = state.startsWith(POPUP_PREFIX) ? 'popup' : undefined
    return { address: given, url, state, userAgent }
  }
  return undefined
}

/** Moves a response's parameters from the fragment to the end of the query. Leaves any other fragment as it is. */
export function withFragmentAsQuery(address: string | URL): URL {
  const url = new URL(address)
  if (!FRAGMENT_ANSWER.test(url.hash)) return url
  url.search = [url.search.slice(1), url.hash.slice(1)].filter(Boolean).join('&')
  url.hash = ''
  return url
}

/** Removes differences that web hosts cause: a final slash, index.html, and the case of letters. */
const plainPath = (pathname: string): string =>
  pathname
    .toLowerCase()
    .replace(/\/index\.html?$/, '')
    .replace(/\/$/, '')

/**
 * Whether a URL is at the redirect URI: it has the same scheme and host, and the same path apart from the differences that
 * web hosts cause.
 */
export const matchesRedirectUri = (url: URL, redirectUri: string): boolean => {
  const expected = parseUrl(redirectUri)
  return (
    expected !== undefined && // otherwise it is relative, and there is no page to resolve it against
    url.protocol === expected.protocol &&
    url.host.toLowerCase() === expected.host.toLowerCase() &&
    plainPath(url.pathname) === plainPath(expected.pathname)
  )
}

/** A fragment that is a server's response: only parameters, with a `state` of latchkey, an error or tokens. */
const FRAGMENT_ANSWER = /^#(?:[^/?#]*&)?(?:state=lk\.|error=|access_token=|id_token=)/

/** Shows a URL of the app with its router or, if that throws, with `otherwise`. Does not wait for the router. */
export function showBy(
  navigate: (path: string) => unknown,
  address: string,
  otherwise: (address: string) => void,
): void {
  const { pathname, search, hash } = new URL(address)
  try {
    Promise.resolve(navigate(pathname + search + hash)).catch(() => {})
  } catch {
    otherwise(address)
  }
}

/** The parameters of a response (RFC 6749 section 4.1.2, RFC 9207), and tokens, which must not stay in the address. */
const ANSWER =
  /^(code|state|iss|session_state|error|error_description|error_uri|scope|access_token|refresh_token|id_token|token_type|expires_in)(=|$)/

/** Marks the `state` of a sign-out, which the provider sends back (OpenID Connect RP-Initiated Logout section 3). */
export const SIGNED_OUT_PREFIX = 'lk-out.'

const withoutPairs = (part: string, pairs: RegExp) =>
  part
    .slice(1)
    .split('&')
    .filter(pair => !pairs.test(pair))
    .join('&')

/** Removes the authorization server's parameters from the address. Everything else keeps its spelling. */
export function cleanUrl(address: URL): string {
  const url = new URL(address)
  url.search = withoutPairs(url.search, ANSWER)
  if (FRAGMENT_ANSWER.test(url.hash)) url.hash = withoutPairs(url.hash, ANSWER)
  return url.href
}

/** Removes the `state` of a sign-out from the address. */
export function cleanSignedOut(address: string): string {
  if (!address.includes(`state=${SIGNED_OUT_PREFIX}`)) return address
  const url = new URL(address)
  url.search = withoutPairs(url.search, /^state=lk-out\./)
  return url.href
}
