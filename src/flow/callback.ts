import type { EpochMs } from '../core/ports.ts'

/** Marks our `state` among those of other libraries whose answers may come to the same page. */
export const STATE_PREFIX = 'lk.'

/** A URL that is the answer to one of our authorization requests, by its looks. */
export interface Callback {
  readonly url: URL
  readonly state: string
  /** Which kind of user agent asked: what follows the prefix in `state`. */
  readonly userAgent: string
  /** When it was asked, by the clock of this device or of another one. */
  readonly askedAt: EpochMs
}

/** Says by whom and when it was made, so that one which nobody remembers can be explained. */
export const nameState = (userAgent: string, now: EpochMs, random: string): string =>
  `${STATE_PREFIX}${userAgent}.${now.toString(36)}.${random}`

/** `undefined` for every URL that is not the answer to a sign-in of latchkey: it is nobody's business here. */
export function parseCallback(address: string | URL): Callback | undefined {
  if (!URL.canParse(address)) return undefined
  const url = new URL(address)
  const state = url.searchParams.get('state')
  if (!state?.startsWith(STATE_PREFIX)) return undefined
  if (!['code', 'error', 'access_token'].some(name => url.searchParams.has(name))) return undefined
  const [, userAgent = '', askedAt = ''] = state.split('.')
  return { url, state, userAgent, askedAt: Number.parseInt(askedAt, 36) || 0 }
}

/** Whether a URL is at the redirect URI: its scheme, host and path, before any parameter is read. */
export const isAt = (url: URL, redirectUri: string): boolean => {
  if (!URL.canParse(redirectUri)) return false // relative, and no page to resolve it against
  const expected = new URL(redirectUri)
  return (
    url.protocol === expected.protocol && url.host === expected.host && url.pathname === expected.pathname
  )
}
