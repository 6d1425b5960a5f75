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

export const nameState = (userAgent: string, random: string): string =>
  `${userAgent === 'popup' ? POPUP_PREFIX : STATE_PREFIX}${random}`

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
