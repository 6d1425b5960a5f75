import type { Page, UserAgent } from '../../core/ports.ts'
import { ConfigurationError } from '../../errors.ts'

/**
 * Whether this page is in a frame of another origin. There, browsers keep its storage and channels apart from those of
 * windows, and most authorization servers show nothing.
 */
export function isEmbedded(): boolean {
  try {
    return globalThis.top !== undefined && top?.location.origin !== location.origin
  } catch {
    return true
  }
}

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

export interface RedirectOptions {
  /**
   * Also redirects a page in a frame of another origin. Most authorization servers refuse to be shown in a frame, so set it
   * only if yours allows the sites that frame your app (`frame-ancestors`). Default false: `signIn()` rejects there.
   */
  allowInFrame?: boolean
}

/** The user agent `redirect()`. @param leave leaves this page. */
export const redirectBy = (
  leave: (url: string) => Promise<void>,
  { allowInFrame = false }: RedirectOptions = {},
): UserAgent => ({
  name: 'redirect',
  leaves: true,
  begin(redirectUri) {
    const page = browserPage()
    if (!page) {
      throw new ConfigurationError(
        'redirect() needs a page to leave; sign in from a window, not from a worker or server.',
      )
    }
    if (!allowInFrame && isEmbedded()) {
      throw new ConfigurationError(
        'This page is in a frame of another origin, where most servers show nothing: use popup(). If your server allows it, use redirect({ allowInFrame: true }).',
      )
    }
    return {
      redirectUri: new URL(redirectUri, page.location()).href,
      authorize: url => leave(url).then(() => undefined),
      close() {},
    }
  },
})
