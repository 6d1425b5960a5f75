import type { Page, WatchLeaving } from '../../core/ports.ts'
import { deviceClock } from '../device.ts'

/** How long a navigation may take before `leave` reports that the page is still here. */
const LEAVE_MS = 15_000
/** How long a popup waits for the page that opened it to say that it took the answer. */
const RELAY_MS = 1000

/** Between a popup and the page that waits for it. Both are of one origin. */
export const relayChannel = (state: string) => new BroadcastChannel(`latchkey relay ${state}`)

/** Listens only for as long as it is asked: a page that listens for this is not kept for Back by every browser. */
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

/** This window, where there is one: not in workers and not on servers. */
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
      } catch {} // a browser that counts such calls, or an address it does not take: what was stored counts
    },
    leave: (url, gone) =>
      new Promise(resolve => {
        // back from the back/forward cache this page goes on where it was
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
