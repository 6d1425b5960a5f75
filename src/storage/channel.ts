import { createListeners } from '../core/listeners.ts'
import { type Channel, isNewsMessage, type News, type Store } from '../core/ports.ts'

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

/** Channels between the clients of one store in this realm, for stores that no other realm hears of. */
export function localChannels(): Store['channel'] {
  const all = createListeners<{ readonly to: string; readonly from: object; readonly news: News }>()
  return name => {
    const own = createListeners<News>()
    const stop = all.add(({ to, from, news }) => {
      if (to === name && from !== own) queueMicrotask(() => own.emit(news))
    })
    return {
      post: news => all.emit({ to: name, from: own, news }),
      listen: own.add,
      close() {
        stop()
        own.clear()
      },
    }
  }
}
