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
    const events = { online: wake, pageshow: wake, resume: wake, visibilitychange: seen }
    for (const [type, listener] of Object.entries(events)) addEventListener(type, listener, EARLY)
    return () => {
      for (const [type, listener] of Object.entries(events)) removeEventListener(type, listener, EARLY)
    }
  },
}
