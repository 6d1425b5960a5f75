import type { Page, UserAgent } from '../../core/ports.ts'
import { ConfigurationError } from '../../errors.ts'

/** The channel between a popup and the page that waits for it. Both have the same origin. */
export const relayChannel = (state: string) => new BroadcastChannel(`latchkey relay ${state}`)

/** The page of this window. `undefined` in workers and on servers. */
export function browserPage(): Page | undefined {
  if (typeof document === 'undefined' || typeof location === 'undefined') return undefined
  return {
    location: () => location.href,
    shown: async () => {
      if (!(document as { prerendering?: boolean }).prerendering) return
      await new Promise(resolve => document.addEventListener('prerenderingchange', resolve, { once: true }))
    },
    replaceLocation(url) {
      try {
        history.replaceState(history.state, '', url)
      } catch {} // some browsers limit such calls or refuse the address; the sign-in itself is already stored
    },
  }
}

/** The user agent `redirect()`. @param leave leaves this page. */
export const redirectBy = (leave: (url: string) => Promise<void>): UserAgent => ({
  name: 'redirect',
  leaves: true,
  begin(redirectUri) {
    const page = browserPage()
    if (!page) {
      throw new ConfigurationError(
        'redirect() needs a page to leave; sign in from a window, not from a worker or server.',
      )
    }
    return {
      redirectUri: new URL(redirectUri, page.location()).href,
      authorize: url => leave(url).then(() => undefined),
      close() {},
    }
  },
})
