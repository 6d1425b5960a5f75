import type { AuthorizationEnvironment, WatchLeaving } from '../../core/ports.ts'
import { deviceClock } from '../device.ts'
import { sha256 } from '../digest.ts'
import { isEmbedded, relayChannel } from './frame.ts'

/** How long a navigation may take before `leave` reports that the page is still here. */
const LEAVE_MS = 15_000
/** How long a popup waits for its opener to take the callback URL. An opener in the background looks once a second. */
const RELAY_MS = 3000

/** Listens only until `stop()`: some browsers keep a page with a `beforeunload` listener out of the back/forward cache. */
const watchLeaving: WatchLeaving = () => {
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

/** The parts of a window or worker that only requests to the authorization server need. */
export const authorizationEnvironment = {
  hash: sha256,
  watchLeaving,
  isEmbedded,
  leave: (url: string, onLeft?: () => void) =>
    new Promise<void>(resolve => {
      // a page that returns from the back/forward cache continues here
      const back = (event: PageTransitionEvent) => {
        if (event.persisted) settle()
      }
      const cancel = deviceClock.after(LEAVE_MS, () => settle())
      const settle = () => {
        cancel()
        removeEventListener('pageshow', back)
        if (onLeft) removeEventListener('pagehide', onLeft)
        resolve()
      }
      addEventListener('pageshow', back)
      if (onLeft) addEventListener('pagehide', onLeft, { once: true })
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
} satisfies AuthorizationEnvironment
