import { isTransaction } from '../../core/keys.ts'
import type { KeyValue, Lock, Store } from '../../core/ports.ts'
import { leaseLock } from '../../lock/lease.ts'
import { webLock } from '../../lock/web.ts'
import { withCopy, withFallback } from '../../storage/fallback.ts'
import type { Marks } from '../../storage/marks.ts'
import { memoryKeyValue } from '../../storage/memory.ts'
import { namedAfter } from '../../storage/session-storage.ts'
import { deviceClock } from '../device.ts'
import { tabPlace } from './session-storage.ts'
import { databaseStore, type IndexedDbOptions, type SharedPlaces } from './stores.ts'

/** Web Locks if the browser has them, else a lease in the store itself. */
const sharedLock = (keyValue: KeyValue): Lock => {
  const locks = globalThis.navigator?.locks
  const lease = leaseLock(keyValue, deviceClock)
  return locks ? webLock(locks, deviceClock, lease) : lease
}

/** The lock of a database, and the places to use if the database does not work. */
export function createPlaces(database: KeyValue, marks: Marks, name: string): SharedPlaces {
  const { area, keyValue } = tabPlace()
  const tab = namedAfter(name, keyValue)
  const places = withFallback(
    marks,
    { name: 'IndexedDB', reach: 'origin', keyValue: database },
    { name: 'sessionStorage', reach: 'tab', keyValue: tab },
    { name: 'memory', reach: 'page', keyValue: memoryKeyValue() },
  )
  return {
    // IndexedDB may work when the page leaves for the sign-in and fail when the user comes back
    ...withCopy(places, namedAfter(name, area), isTransaction),
    get reach() {
      return places.reach
    },
    onDegraded: places.onDegraded,
    lock: sharedLock(places),
  }
}

/**
 * Keeps tokens in IndexedDB: shared by all tabs and workers of the origin, kept across restarts. The default in browsers.
 * If IndexedDB does not work (blocked, hung, full), this page uses sessionStorage instead, or memory if that fails too; the
 * event `storage-degraded` reports it. latchkey never switches away from a database that has a session in it: then a
 * failure is a StorageError.
 */
export const indexedDb = (options?: IndexedDbOptions): Store =>
  databaseStore(async () => createPlaces, options)
