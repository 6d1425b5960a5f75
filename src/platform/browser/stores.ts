import { isSession } from '../../core/keys.ts'
import type { KeyValue, Reach, Store } from '../../core/ports.ts'
import { once } from '../../core/waiting.ts'
import { broadcastChannel, localChannels } from '../../storage/channel.ts'
import type { PlaceWithFallback } from '../../storage/fallback.ts'
import { indexedDbKeyValue } from '../../storage/indexeddb.ts'
import { localStorageMarks, type Marks, marked } from '../../storage/marks.ts'
import { deviceClock } from '../device.ts'

/** What reading a session from the database does not need: the lock of the store, and the other places for records. */
export type SharedPlaces = PlaceWithFallback & Pick<Store, 'lock'>
/** Loads the function that creates those parts for a database. */
export type LoadPlaces = () => Promise<(database: KeyValue, marks: Marks, name: string) => SharedPlaces>

const DATABASE = 'latchkey'

export interface IndexedDbOptions {
  /** The name of the database. Give each account its own if several are signed in at the same time. Default `latchkey`. */
  database?: string
}

/** Whether this tab keeps a value under this key in sessionStorage, because the database did not work. */
const isInTab = (key: string, database: string): boolean => {
  try {
    return sessionStorage.getItem(`${key} in ${database}`) !== null
  } catch {
    return false
  }
}

/** The store of `indexedDb()`. */
export function databaseStore(load: LoadPlaces, { database = DATABASE }: IndexedDbOptions = {}): Store {
  const connection = indexedDbKeyValue(database, deviceClock)
  const marks = localStorageMarks(database)
  const local = localChannels()
  const first = marked(connection, marks)
  let places: SharedPlaces | undefined
  let report: Parameters<PlaceWithFallback['onDegraded']>[0] | undefined

  const loadAll = async () => {
    const create = await load()
    if (!places) {
      places = create(first, marks, database)
      if (report) places.onDegraded(report)
    }
    return places
  }
  /** Whether the database alone is enough as long as it works: then latchkey reads a session without loading the rest. */
  const isAlone = (key: string) => !places && !isInTab(key, database)

  return {
    name: database === DATABASE ? 'indexedDb' : `indexedDb ${database}`,
    database,
    keyValue: {
      async get(key) {
        // start the database request first: the first access to sessionStorage takes a while too
        const asked = places ? undefined : first.get(key)
        asked?.catch(() => {})
        const begun = isAlone(key) ? asked : undefined
        try {
          const found = await begun
          if (found !== undefined || (begun && isSession(key))) return found
        } catch {} // the fallback below handles the failure
        return (await loadAll()).get(key, begun)
      },
      async update(key, change) {
        const begun = isSession(key) && isAlone(key) ? first.update(key, change) : undefined
        try {
          await begun
          if (begun) return
        } catch {}
        return (await loadAll()).update(key, change, begun)
      },
      keys: async prefix => (await loadAll()).keys(prefix),
    },
    lock: {
      run: async (...request) => (await loadAll()).lock.run(...request),
      // a client can check a lease only by acquiring it
      ...(globalThis.navigator?.locks && {
        isHeld: async name => (await (await loadAll()).lock.isHeld?.(name)) ?? false,
      }),
    },
    // without IndexedDB no other realm shares records, and in Deno an open channel would keep the process running
    channel: name =>
      typeof BroadcastChannel === 'function' && 'indexedDB' in globalThis
        ? broadcastChannel(name)
        : local(name),
    reach: () => places?.reach ?? 'origin',
    onDegraded(listener) {
      report = listener
      places?.onDegraded(listener)
    },
    close: connection.close,
  }
}

/** A store that no other tab or worker can see. It loads on first use. */
export function deferredStore(name: string, reach: Reach, load: () => Promise<Store>): Store {
  const get = once(load)
  return {
    name,
    keyValue: {
      get: async key => (await get()).keyValue.get(key),
      update: async (key, change) => (await get()).keyValue.update(key, change),
      keys: async prefix => (await get()).keyValue.keys(prefix),
    },
    lock: { run: async (...request) => (await get()).lock.run(...request) },
    channel: localChannels(),
    reach: () => reach,
  }
}

/** The default store. A window without IndexedDB also gets `indexedDb()`, because it may fall back to sessionStorage. */
export const browserStore = (indexedDb: () => Store, memory: () => Store): Store =>
  'indexedDB' in globalThis || 'document' in globalThis ? indexedDb() : memory()
