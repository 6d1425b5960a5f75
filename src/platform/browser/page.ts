import type { Page } from '../../core/ports.ts'

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
