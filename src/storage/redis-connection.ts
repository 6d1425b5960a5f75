import { ConfigurationError } from '../errors.ts'

/** The commands that latchkey needs from a connection, for a client library that it does not know. */
export interface RedisCommands {
  /** Runs a Lua script on the server (`EVAL`). */
  evaluate(script: string, keys: readonly string[], args: readonly string[]): Promise<unknown>
  /**
   * Subscribes to a channel, on a separate connection. Leave it out if that is not possible: then other processes' changes
   * are noticed when latchkey reads the store.
   * @param signal is aborted when the connection is no longer needed, or could not subscribe. Close it then, also while it
   * is being established.
   * @returns a promise that resolves once messages arrive, and rejects if none will.
   */
  subscribe?(channel: string, hear: (message: string) => void, signal: AbortSignal): Promise<unknown>
}

type Emitter = { on(event: string, listen: (...args: string[]) => void): unknown }

/** A client, cluster or sentinel of the package `redis`. */
interface NodeRedis {
  eval(script: string, options: { keys: string[]; arguments: string[] }): Promise<unknown>
  sendCommand(...args: never): unknown
  duplicate?(): NodeRedisSubscriber
}
interface NodeRedisSubscriber extends Emitter {
  connect(): Promise<unknown>
  subscribe(channel: string, hear: (message: string) => void): Promise<unknown>
  destroy?(): void
}

/** A client or cluster of the packages `ioredis` and `iovalkey`. */
interface Ioredis {
  eval(script: string, count: number, ...rest: string[]): Promise<unknown>
  call(...args: never): unknown
  duplicate?(): IoredisSubscriber
}
interface IoredisSubscriber extends Emitter {
  subscribe(channel: string): Promise<unknown>
  disconnect(): void
}

/** A client of the package `@valkey/valkey-glide`, standalone or cluster. */
interface Glide {
  customCommand(args: string[]): Promise<unknown>
}

/** A connection of `redis`, `ioredis`, `iovalkey` or `@valkey/valkey-glide`, or the commands of any other library. */
export type RedisConnection = NodeRedis | Ioredis | Glide | RedisCommands

const has = <Name extends string>(value: object, name: Name): value is Record<Name, () => unknown> =>
  typeof (value as Record<Name, unknown>)[name] === 'function'

const nothing = () => {}

/** Closes a connection. The libraries throw if it is closed already. */
const closeOn = (signal: AbortSignal, close: () => void) =>
  signal.addEventListener('abort', () => {
    try {
      close()
    } catch {}
  })

type Subscribe = NonNullable<RedisCommands['subscribe']>

const subscribeNodeRedis =
  (client: Required<NodeRedis>): Subscribe =>
  async (channel, hear, signal) => {
    const own = client.duplicate()
    own.on('error', nothing) // the library reconnects; without news, changes are only noticed later
    closeOn(signal, () => own.destroy?.())
    await own.connect()
    await own.subscribe(channel, hear)
  }

const subscribeIoredis =
  (client: Required<Ioredis>): Subscribe =>
  async (channel, hear, signal) => {
    const own = client.duplicate()
    own.on('error', nothing)
    own.on('message', (name = '', message = '') => {
      if (name === channel) hear(message)
    })
    closeOn(signal, () => own.disconnect())
    await own.subscribe(channel)
  }

/**
 * Recognizes the library of a connection by its methods.
 * @throws ConfigurationError for a connection that latchkey does not recognize.
 */
export function redisCommands(connection: RedisConnection): RedisCommands {
  if (typeof connection === 'object' && connection) {
    if (has(connection, 'evaluate')) return connection as unknown as RedisCommands
    if (has(connection, 'customCommand')) {
      const glide = connection as unknown as Glide
      return {
        evaluate: (script, keys, args) =>
          glide.customCommand(['EVAL', script, String(keys.length), ...keys, ...args]),
      }
    }
    if (has(connection, 'eval') && has(connection, 'call')) {
      const client = connection as unknown as Ioredis
      return {
        evaluate: (script, keys, args) => client.eval(script, keys.length, ...keys, ...args),
        subscribe: client.duplicate && subscribeIoredis(client as Required<Ioredis>),
      }
    }
    if (has(connection, 'eval') && has(connection, 'sendCommand')) {
      const client = connection as unknown as NodeRedis
      return {
        evaluate: (script, keys, args) => client.eval(script, { keys: [...keys], arguments: [...args] }),
        subscribe: client.duplicate && subscribeNodeRedis(client as Required<NodeRedis>),
      }
    }
  }
  throw new ConfigurationError(
    'redis() takes a connection of redis, ioredis, iovalkey or @valkey/valkey-glide, or an object with a function "evaluate".',
  )
}
