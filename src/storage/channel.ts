import { createListeners } from '../core/listeners.ts'
import type { Channel, News } from '../core/ports.ts'

const isNews = (data: unknown): data is News =>
  typeof data === 'object' &&
  data !== null &&
  ['session-changed', 'session-ended', 'session-left'].includes((data as News).type)

/** News to the other tabs and workers of this origin. */
export function broadcastChannel(name: string): Channel {
  const listeners = createListeners<News>()
  const channel = new BroadcastChannel(name)
  let open = true
  channel.onmessage = ({ data }) => {
    if (isNews(data)) listeners.tell(data)
  }
  // in Node an open channel would keep the process up
  ;(channel as { unref?: () => void }).unref?.()
  return {
    post(news) {
      if (open) channel.postMessage(news)
    },
    listen: listeners.add,
    close() {
      open = false
      channel.close()
    },
  }
}

/** For stores that nobody else can see. */
export const silentChannel = (): Channel => ({ post() {}, listen: () => () => {}, close() {} })
