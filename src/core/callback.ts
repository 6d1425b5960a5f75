/** Marks our `state` among those of other libraries whose answers may come to the same page. */
export const STATE_PREFIX = 'lk.'
/** Marks it where the answer belongs to the page that opened this one. It says nothing else, and nothing of anybody. */
const POPUP_PREFIX = `${STATE_PREFIX}p.`

/** A URL that is the answer to one of our authorization requests, by its looks. */
export interface Callback {
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
  const url = new URL(address)
  const state = url.searchParams.get('state')
  if (!state?.startsWith(STATE_PREFIX)) return undefined
  if (!['code', 'error', 'access_token'].some(name => url.searchParams.has(name))) return undefined
  return { url, state, userAgent: state.startsWith(POPUP_PREFIX) ? 'popup' : undefined }
}

/** Whether a URL is at the redirect URI: its scheme, host and path, before any parameter is read. */
export const isAt = (url: URL, redirectUri: string): boolean => {
  if (!URL.canParse(redirectUri)) return false // relative, and no page to resolve it against
  const expected = new URL(redirectUri)
  return (
    url.protocol === expected.protocol && url.host === expected.host && url.pathname === expected.pathname
  )
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
  if (/[#&](access|id)_token=/.test(url.hash)) url.hash = withoutPairs(url.hash, ANSWER)
  return url.href
}

/** The same address without the `state` of a sign-out. */
export function cleanSignedOut(address: string): string {
  if (!address.includes(`state=${SIGNED_OUT_PREFIX}`)) return address
  const url = new URL(address)
  url.search = withoutPairs(url.search, /^state=lk-out\./)
  return url.href
}
