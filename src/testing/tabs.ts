import type { Fetch } from '../extending.ts'
import { type ClientOptions, memory, type Store } from '../index.ts'
import type { TestServer } from './server.ts'

/** One of several tabs of an app. */
export interface Tab {
  /** `tab 1`, `tab 2` and so on. */
  readonly name: string
  /** The seed that determines the order. Pass it to `tabs()` again to reproduce a failure. */
  readonly seed: number
  /** Options for this tab's client: `createClient(tab.options)`. */
  readonly options: ClientOptions
}

/** Options of `tabs()`. */
export interface TabsOptions {
  /** The server of all tabs. */
  server: TestServer
  /** Determines the order: an integer. Default: a random one for each call. */
  seed?: number
}

/** mulberry32, a small seeded random number generator. */
function createRandom(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/** Lets one random waiting caller continue in each turn of the event loop. */
function createTurns(random: () => number): () => Promise<void> {
  const waiting: (() => void)[] = []
  const next = () => {
    const [go] = waiting.splice(Math.floor(random() * waiting.length), 1)
    go?.()
    if (waiting.length > 0) setTimeout(next, 0)
  }
  return () =>
    new Promise(resolve => {
      waiting.push(resolve)
      if (waiting.length === 1) setTimeout(next, 0)
    })
}

/**
 * Opens several tabs of one app, for tests of races. They share records, a lock and news, as the tabs of a browser do.
 * Before every storage call and every request, a seeded random choice decides which tab continues.
 * @param count the number of tabs, 1 or more.
 * @param options.server the server of all tabs.
 * @param options.seed determines the order: an integer. Default: a random one for each call.
 */
export function tabs(
  count: number,
  { server, seed = Math.floor(Math.random() * 2 ** 32) }: TabsOptions,
): Tab[] {
  const turn = createTurns(createRandom(seed))
  const { keyValue, lock, channel } = memory()
  const store: Store = {
    name: 'shared memory',
    ...{ lock, channel },
    reach: () => 'origin',
    keyValue: {
      get: key => turn().then(() => keyValue.get(key)),
      update: (key, change) => turn().then(() => keyValue.update(key, change)),
      keys: prefix => turn().then(() => keyValue.keys(prefix)),
    },
  }
  const fetch: Fetch = async (...args) => {
    await turn()
    const response = await server.fetch(...args)
    await turn()
    return response
  }
  const numbers = Array.from({ length: count }, (_, index) => index + 1)
  return numbers.map(number => ({
    name: `tab ${number}`,
    seed,
    options: { ...server.options(), fetch, store },
  }))
}
