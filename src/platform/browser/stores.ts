import { isSession } from '../../core/keys.ts'
import type { KeyValue, Reach, Store } from '../../core/ports.ts'
import { once } from '../../core/waiting.ts'
import { broadcastChannel, silentChannel } from '../../storage/channel.ts'
import type { PlaceWithFallback } from '../../storage/fallback.ts'
import { indexedDbKeyValue } from '../../storage/indexeddb.ts'
import { localStorageMarks, type Marks, marked } from '../../storage/marks.ts'
import { deviceClock } from '../device.ts'
import { memory } from '../memory.ts'

/** What a database is used with, but for what is read of a session that is in it: its lock, and where else records may be. */
export type SharedPlaces = PlaceWithFallback & Pick<Store, 'lock'>
/** Loads what makes that of a database. */
export type LoadPlaces = () => Promise<(database: KeyValue, marks: Marks, name: string) => SharedPlaces>

const DATABASE = 'latchkey'

export interface IndexedDbOptions {
  /** Give each account its own, if several are signed in side by side. Default `latchkey`. */
  database?: string
}

/** Whether this tab had to keep something under this key of a database for itself. */
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
  /** Then the database alone will do, for as long as it works: a session is there without waiting for the rest. */
  const isAlone = (key: string) => !places && !isInTab(key, database)

  return {
    name: database === DATABASE ? 'indexedDb' : `indexedDb ${database}`,
    database,
    keyValue: {
      async get(key) {
        // the database is asked first: to look into sessionStorage for the first time takes a while too
        const asked = places ? undefined : first.get(key)
        asked?.catch(() => {})
        const begun = isAlone(key) ? asked : undefined
        try {
          const found = await begun
          if (found !== undefined || (begun && isSession(key))) return found
        } catch {} // the other places go on from there
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
      // a lease can be looked at only by taking it
      ...(globalThis.navigator?.locks && {
        isHeld: async name => (await (await loadAll()).lock.isHeld?.(name)) ?? false,
      }),
    },
    // where there is no IndexedDB nobody shares anything, and in Deno an open channel would keep the process up
    channel: name =>
      typeof BroadcastChannel === 'function' && 'indexedDB' in globalThis
        ? broadcastChannel(name)
        : silentChannel(),
    reach: () => places?.reach ?? 'origin',
    onDegraded(listener) {
      report = listener
      places?.onDegraded(listener)
    },
    close: connection.close,
  }
}

/** A store that nobody else can see, and that is loaded when it is first used. */
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
    channel: silentChannel,
    reach: () => reach,
  }
}

/** What a client has that was given no store: a window without IndexedDB may still have sessionStorage. */
export const browserStore = (indexedDb: () => Store): Store =>
  'indexedDB' in globalThis || 'document' in globalThis ? indexedDb() : memory()
