/** Marks our `state` among those of other libraries whose answers may come to the same page. */
export const STATE_PREFIX = 'lk.'

/** A URL that is the answer to one of our authorization requests, by its looks. */
export interface Callback {
  readonly url: URL
  readonly state: string
  /** Which kind of user agent asked: what follows the prefix in `state`. */
  readonly userAgent: string
}

/** `undefined` for every URL that is not the answer to a sign-in of latchkey: it is nobody's business here. */
export function parseCallback(address: string | URL): Callback | undefined {
  if (!URL.canParse(address)) return undefined
  const url = new URL(address)
  const state = url.searchParams.get('state')
  if (!state?.startsWith(STATE_PREFIX)) return undefined
  if (!url.searchParams.has('code') && !url.searchParams.has('error')) return undefined
  return { url, state, userAgent: state.split('.')[1] as string }
}
