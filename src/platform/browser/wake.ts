import type { Wake } from '../../core/ports.ts'

/** In the capture phase at the window: before any listener of the app, whose calls must find us awake. */
const EARLY = true

/** The tab became visible, came back from the back/forward cache, was thawed, or the network is back. */
export const browserWake: Wake = {
  listen(wake) {
    if (typeof addEventListener !== 'function') return () => {}
    const seen = () => {
      if (document.visibilityState === 'visible') wake()
    }
    const stop = new AbortController()
    const options = { capture: EARLY, signal: stop.signal }
    for (const type of ['online', 'pageshow', 'resume']) addEventListener(type, wake, options)
    addEventListener('visibilitychange', seen, options)
    return () => stop.abort()
  },
}
