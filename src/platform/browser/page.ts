import type { Page, WatchLeaving } from '../../core/ports.ts'
import { deviceClock } from '../device.ts'

/** How long a navigation may take before `leave` reports that the page is still here. */
const LEAVE_MS = 15_000
/** How long a popup waits for its opener to confirm that it received the callback URL. */
const RELAY_MS = 1000

/** The channel between a popup and the page that waits for it. Both have the same origin. */
export const relayChannel = (state: string) => new BroadcastChannel(`latchkey relay ${state}`)

/** Listens only until `stop()`: some browsers keep a page with a `beforeunload` listener out of the back/forward cache. */
export const watchLeaving: WatchLeaving = () => {
  let isLeaving = false
  const leave = () => {
    isLeaving = true
  }
  globalThis.addEventListener?.('beforeunload', leave)
  return {
    isLeaving: () => isLeaving,
    stop: () => globalThis.removeEventListener?.('beforeunload', leave),
  }
}

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
    leave: (url, gone) =>
      new Promise(resolve => {
        // a page that returns from the back/forward cache continues here
        const back = (event: PageTransitionEvent) => {
          if (event.persisted) settle()
        }
        const cancel = deviceClock.after(LEAVE_MS, () => settle())
        const settle = () => {
          cancel()
          removeEventListener('pageshow', back)
          if (gone) removeEventListener('pagehide', gone)
          resolve()
        }
        addEventListener('pageshow', back)
        if (gone) addEventListener('pagehide', gone, { once: true })
        location.assign(url)
      }),
    relay: (url, state) =>
      new Promise(resolve => {
        const channel = relayChannel(state)
        const settle = (taken: boolean) => {
          cancel()
          channel.close()
          resolve(taken)
          if (taken) close()
        }
        const cancel = deviceClock.after(RELAY_MS, () => settle(false))
        channel.onmessage = ({ data }) => {
          if (data === 'taken') settle(true)
        }
        channel.postMessage({ url })
      }),
  }
}
