import { createListeners } from '../core/listeners.ts'
import { type Channel, isNewsMessage, type News } from '../core/ports.ts'
import type { Evaluate } from './redis.ts'
import type { RedisCommands } from './redis-connection.ts'

const PUBLISH = `return redis.call('PUBLISH', ARGV[1], ARGV[2])`

/** A published message: news of one client, or the release of a lease. */
type Message =
  | { readonly to: string; readonly from: string; readonly news: News }
  | { readonly released: string }

export interface RedisNewsOptions {
  readonly commands: RedisCommands
  readonly evaluate: Evaluate
  readonly namespace: string
}

/** One subscription for all clients of a store. The first listener opens it, and the last one closes it. */
export function redisNews({ commands, evaluate, namespace }: RedisNewsOptions) {
  const name = `${namespace}:news`
  const own = crypto.randomUUID()
  const heard = createListeners<Message>()
  let closing: Promise<() => void> | undefined

  const hear = (text: string) => {
    try {
      const message = JSON.parse(text) as Message
      if (message && typeof message === 'object') heard.emit(message)
    } catch {} // not a message of latchkey
  }
  const open = () => {
    closing ??= commands.subscribe?.(name, hear)
    closing?.catch(() => {
      closing = undefined // the next listener tries again
    })
  }
  const listen = (tell: (message: Message) => void) => {
    const stop = heard.add(tell)
    open()
    return () => {
      stop()
      if (heard.size()) return
      closing?.then(
        close => close(),
        () => {},
      )
      closing = undefined
    }
  }

  return {
    /** The name of the channel that all messages are published on. */
    name,
    /** Calls `wake` when the lease of that name is released, but only if a client listens to news anyway. */
    onRelease(lease: string, wake: () => void): () => void {
      if (!closing) return () => {}
      return heard.add(message => {
        if ('released' in message && message.released === lease) wake()
      })
    },
    /** The channel of one client name: to other processes, and to clients of the same name in this process. */
    channel(to: string): Channel {
      const from = `${own} ${crypto.randomUUID()}`
      const stops = new Set<() => void>()
      return {
        post(news) {
          const publish = () => evaluate(PUBLISH, [name], [name, JSON.stringify({ to, from, news })])
          Promise.resolve(closing)
            .then(publish, publish)
            .catch(() => {}) // the other clients still find the change in the store
        },
        listen(tell) {
          const stop = listen(message => {
            if ('to' in message && message.to === to && message.from !== from && isNewsMessage(message.news))
              tell(message.news)
          })
          stops.add(stop)
          return stop
        },
        close() {
          for (const stop of stops) stop()
          stops.clear()
        },
      }
    },
  }
}
