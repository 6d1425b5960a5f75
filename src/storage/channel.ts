import { createListeners } from '../core/listeners.ts'
import { type Channel, isNewsMessage, type News } from '../core/ports.ts'

/** A channel to the other tabs and workers of this origin. */
export function broadcastChannel(name: string): Channel {
  const listeners = createListeners<News>()
  const channel = new BroadcastChannel(name)
  channel.onmessage = ({ data }) => {
    if (isNewsMessage(data)) listeners.emit(data)
  }
  // in Node an open channel would keep the process running
  ;(channel as { unref?: () => void }).unref?.()
  return {
    post(news) {
      try {
        channel.postMessage(news)
      } catch {} // the channel is closed
    },
    listen: listeners.add,
    close: () => channel.close(),
  }
}

/** A channel that does nothing, for stores that no other client can see. */
export const silentChannel = (): Channel => ({ post() {}, listen: () => () => {}, close() {} })
