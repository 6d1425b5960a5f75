import type { AuthorizationEnvironment, Page, UserAgent } from '../../src/core/ports.ts'
import type { StrictAs } from './strict-as.ts'

/** A user agent that leaves the page, as a redirect does. It keeps the callback URL, which another page then handles. */
export function leaving(as: StrictAs, answer = (url: string) => as.approve(url)) {
  const requests: URLSearchParams[] = []
  const callbacks: string[] = []
  const userAgent: UserAgent = {
    name: 'redirect',
    begin: redirectUri => ({
      redirectUri,
      async authorize(url) {
        requests.push(new URL(url).searchParams)
        callbacks.push(answer(url))
        return undefined
      },
      close() {},
    }),
  }
  return { userAgent, requests, callbacks }
}

/** Creates the callback URL of an error response. */
export const refusing =
  (as: StrictAs, error: string) =>
  (url: string): string => {
    const callback = new URL(as.redirectUri)
    const state = new URL(url).searchParams.get('state') ?? ''
    callback.search = new URLSearchParams({ error, state, iss: as.issuer }).toString()
    return callback.href
  }

/** A page that can be left. */
export type LeavingPage = Page & Pick<AuthorizationEnvironment, 'leave' | 'relay'>

/** A page at this address. It records every navigation. */
export function pageAt(address: string, shown: () => Promise<void> = async () => {}) {
  let location = address
  const page: LeavingPage = {
    location: () => location,
    shown,
    replaceLocation(url) {
      location = url
    },
    leave: async () => {},
    relay: async () => false,
  }
  return page
}
