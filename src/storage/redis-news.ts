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
  let subscription: { readonly established: Promise<unknown>; close(): void } | undefined

  const hear = (text: string) => {
    try {
      const message = JSON.parse(text) as Message
      if (message && typeof message === 'object') heard.emit(message)
    } catch {} // not a message of latchkey
  }
  const subscribe = () => {
    const over = new AbortController()
    const established = commands.subscribe?.(name, hear, over.signal)
    if (!established) return undefined
    const opened = {
      established,
      close() {
        if (subscription === opened) subscription = undefined
        over.abort()
      },
    }
    established.catch(opened.close) // the next listener, or the next news, tries again
    return opened
  }
  const listen = (tell: (message: Message) => void) => {
    const stop = heard.add(tell)
    subscription ??= subscribe()
    return () => {
      stop()
      if (!heard.size()) subscription?.close()
    }
  }

  return {
    /** The name of the channel that all messages are published on. */
    name,
    /** Calls `wake` when the lease of that name is released, but only if a client listens to news anyway. */
    onRelease(lease: string, wake: () => void): () => void {
      if (!subscription) return () => {}
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
          if (heard.size()) subscription ??= subscribe()
          const publish = () => evaluate(PUBLISH, [name], [name, JSON.stringify({ to, from, news })])
          Promise.resolve(subscription?.established)
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
