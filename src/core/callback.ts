/** Marks our `state` among those of other libraries whose answers may come to the same page. */
export const STATE_PREFIX = 'lk.'
/** Marks it where the answer belongs to the page that opened this one. It says nothing else, and nothing of anybody. */
const POPUP_PREFIX = `${STATE_PREFIX}p.`

/** A URL that is the answer to one of our authorization requests, by its looks. */
export interface Callback {
  /** As it came. */
  readonly address: URL
  /** With the answer in its query: some servers put it into the fragment. */
  readonly url: URL
  readonly state: string
  /** `popup` where a page waits for it that opened this one. */
  readonly userAgent: 'popup' | undefined
}

export const nameState = (userAgent: string, random: string, mark: string): string =>
  `${userAgent === 'popup' ? POPUP_PREFIX : STATE_PREFIX}${random}.${mark}`

/** What a state was made of. `undefined` for one of version 0.1.0, which says of no client that it is its own. */
export function readMark(state: string): { random: string; mark: string } | undefined {
  const [, random, mark] = /^lk\.(?:p\.)?([\w-]+)\.([\da-f]{8})$/.exec(state) ?? []
  return random && mark ? { random, mark } : undefined
}

/** `undefined` for every URL that is not the answer to a sign-in of latchkey: it is nobody's business here. */
export function parseCallback(address: string | URL): Callback | undefined {
  if (!URL.canParse(address)) return undefined
  for (const url of [new URL(address), withFragmentAsQuery(address)]) {
    const state = url.searchParams.get('state')
    if (!state?.startsWith(STATE_PREFIX)) continue
    if (!['code', 'error', 'access_token'].some(name => url.searchParams.has(name))) continue
    const userAgent = state.startsWith(POPUP_PREFIX) ? 'popup' : undefined
    return { address: new URL(address), url, state, userAgent }
  }
  return undefined
}

/** The same URL with what its fragment has of parameters behind those of its query; a fragment that is none stays. */
export function withFragmentAsQuery(address: string | URL): URL {
  const url = new URL(address)
  if (!FRAGMENT_ANSWER.test(url.hash)) return url
  url.search = [url.search.slice(1), url.hash.slice(1)].filter(Boolean).join('&')
  url.hash = ''
  return url
}

/** Hosts add a slash, serve index.html, or write a path in another case. */
const plainPath = (pathname: string): string =>
  pathname
    .toLowerCase()
    .replace(/\/index\.html?$/, '')
    .replace(/\/$/, '')

/**
 * Whether a URL is at the redirect URI, before any parameter is read: its scheme, host and path, which may differ by what
 * hosts change.
 */
export const isAt = (url: URL, redirectUri: string): boolean => {
  if (!URL.canParse(redirectUri)) return false // relative, and no page to resolve it against
  const expected = new URL(redirectUri)
  return (
    url.protocol === expected.protocol &&
    url.host.toLowerCase() === expected.host.toLowerCase() &&
    plainPath(url.pathname) === plainPath(expected.pathname)
  )
}

/** A fragment in which a server answers: nothing but parameters, with a `state` of ours, an error or tokens. */
const FRAGMENT_ANSWER = /^#(?:[^/?#]*&)?(?:state=lk\.|error=|access_token=|id_token=)/

/** Shows a URL of the app by its own router; where that throws, by `otherwise`. Nobody waits for it. */
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

/** What an answer may bring (RFC 6749 section 4.1.2, RFC 9207), and what nobody asked for but must not stay. */
const ANSWER =
  /^(code|state|iss|session_state|error|error_description|error_uri|scope|access_token|refresh_token|id_token|token_type|expires_in)(=|$)/

/** Marks the `state` of a sign-out, which comes back to the page after it (OpenID Connect RP-Initiated Logout section 3). */
export const SIGNED_OUT_PREFIX = 'lk-out.'

const withoutPairs = (part: string, pairs: RegExp) =>
  part
    .slice(1)
    .split('&')
    .filter(pair => !pairs.test(pair))
    .join('&')

/** The same address without what the authorization server put there; everything else stays as it is spelt. */
export function cleanUrl(address: URL): string {
  const url = new URL(address)
  url.search = withoutPairs(url.search, ANSWER)
  if (FRAGMENT_ANSWER.test(url.hash)) url.hash = withoutPairs(url.hash, ANSWER)
  return url.href
}

/** The same address without the `state` of a sign-out. */
export function cleanSignedOut(address: string): string {
  if (!address.includes(`state=${SIGNED_OUT_PREFIX}`)) return address
  const url = new URL(address)
  url.search = withoutPairs(url.search, /^state=lk-out\./)
  return url.href
}
