import type { Wake } from '../../core/ports.ts'

/** The capture phase at the window runs before the app's listeners, whose calls must find latchkey awake. */
const EARLY = true

/** Wakes when the tab becomes visible, returns from the back/forward cache or is thawed, or when the network is back. */
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
