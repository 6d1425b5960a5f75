import { createListeners } from '../core/listeners.ts'
import { type Channel, isNews, type News } from '../core/ports.ts'

/** News to the other tabs and workers of this origin. */
export function broadcastChannel(name: string): Channel {
  const listeners = createListeners<News>()
  const channel = new BroadcastChannel(name)
  channel.onmessage = ({ data }) => {
    if (isNews(data)) listeners.tell(data)
  }
  // in Node an open channel would keep the process up
  ;(channel as { unref?: () => void }).unref?.()
  return {
    post(news) {
      try {
        channel.postMessage(news)
      } catch {} // it is closed
    },
    listen: listeners.add,
    close: () => channel.close(),
  }
}

/** For stores that nobody else can see. */
export const silentChannel = (): Channel => ({ post() {}, listen: () => () => {}, close() {} })
