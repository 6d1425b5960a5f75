import type { Wake } from '../core/ports.ts'

/** The tab became visible, came back from the back/forward cache, was thawed, or the network is back. */
export const browserWake: Wake = {
  listen(wake) {
    if (typeof addEventListener !== 'function') return () => {}
    const seen = () => {
      if (document.visibilityState === 'visible') wake()
    }
    const page = typeof document === 'undefined' ? undefined : document
    addEventListener('online', wake)
    addEventListener('pageshow', wake)
    page?.addEventListener('visibilitychange', seen)
    page?.addEventListener('resume', wake)
    return () => {
      removeEventListener('online', wake)
      removeEventListener('pageshow', wake)
      page?.removeEventListener('visibilitychange', seen)
      page?.removeEventListener('resume', wake)
    }
  },
}
