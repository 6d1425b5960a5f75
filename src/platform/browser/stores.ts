import type { KeyValue, Lock, Store } from '../../core/ports.ts'
import { leaseLock } from '../../lock/lease.ts'
import { localLock } from '../../lock/local.ts'
import { webLock } from '../../lock/web.ts'
import { broadcastChannel, silentChannel } from '../../storage/channel.ts'
import { type Marks, withFallback } from '../../storage/fallback.ts'
import { indexedDbKeyValue } from '../../storage/indexeddb.ts'
import { limited } from '../../storage/limited.ts'
import { memoryKeyValue } from '../../storage/memory.ts'
import { ownedByTab, webStorageKeyValue } from '../../storage/session-storage.ts'
import { withCopy } from '../../storage/with-copy.ts'
import { deviceClock } from '../device.ts'
import { memory } from '../memory.ts'

/** Web Locks where they are; else a lease in the store itself. */
const sharedLock = (keyValue: KeyValue): Lock => {
  const locks = globalThis.navigator?.locks
  const lease = leaseLock(limited(keyValue, deviceClock), deviceClock)
  return locks ? webLock(locks, deviceClock, lease) : lease
}

/**
 * In localStorage, under the key of each session in the database: only that there is one. A database that fails is then
 * told from an empty one.
 */
const marksOf = (database: string): Marks => {
  const end = ` session in ${database}`
  return {
    any() {
      // in a worker, which has no localStorage and where nobody signs in, there may always be one
      if (!globalThis.document) return 'indexedDB' in globalThis
      try {
        return Object.keys(localStorage).some(key => key.endsWith(end))
      } catch {
        return false // it may be blocked
      }
    },
    note(key, isThere) {
      try {
        const name = `${key} in ${database}`
        if (!isThere) localStorage.removeItem(name)
        else if (!localStorage.getItem(name)) localStorage.setItem(name, '1')
      } catch {}
    },
  }
}

/** sessionStorage: as it is, and as a place of which a duplicated tab has nothing. */
const tabPlace = () => {
  const area = webStorageKeyValue(() => globalThis.sessionStorage)
  // only tabs are duplicated; elsewhere, in Deno, a lock that is held for ever would keep the process up
  const locks = globalThis.document && globalThis.navigator?.locks
  return { area, keyValue: locks ? ownedByTab(area, locks, deviceClock) : area }
}

/**
 * Tokens in IndexedDB: shared by all tabs and workers of the origin, kept across restarts. The default in browsers.
 * Where it does not work (blocked, hung, full), sessionStorage takes its place for this page, else memory; the event
 * `storage-degraded` tells so. A database that has a session in it is not left: what fails is an error then.
 */
export function indexedDb({ database = 'latchkey' }: { database?: string } = {}): Store {
  const shared = indexedDbKeyValue(database, deviceClock)
  const { area, keyValue: own } = tabPlace()
  const keyValue = withFallback(
    marksOf(database),
    { name: 'IndexedDB', reach: 'origin', keyValue: shared },
    { name: 'sessionStorage', reach: 'tab', keyValue: own },
    { name: 'memory', reach: 'page', keyValue: memoryKeyValue() },
  )
  return {
    name: 'indexedDb',
    // IndexedDB may work when the page leaves, and no more when it comes back
    keyValue: withCopy(keyValue, area, key => key.includes(' transaction ')),
    lock: sharedLock(keyValue),
    // where there is no IndexedDB nobody shares anything, and in Deno an open channel would keep the process up
    channel: name =>
      typeof BroadcastChannel === 'function' && 'indexedDB' in globalThis
        ? broadcastChannel(name)
        : silentChannel(),
    reach: () => keyValue.reach,
    onDegraded: keyValue.onDegraded,
    close: shared.close,
  }
}

/**
 * Tokens in sessionStorage: this tab's own, kept across reloads, gone when the tab is closed. A duplicated tab begins
 * signed out, where there are Web Locks to tell the two apart.
 */
export function sessionStorage(): Store {
  return {
    name: 'sessionStorage',
    keyValue: tabPlace().keyValue,
    lock: localLock(deviceClock),
    channel: silentChannel,
    reach: () => 'tab',
  }
}

/** What a client has that was given no store: a window without IndexedDB may still have sessionStorage. */
export const browserStore = (): Store =>
  'indexedDB' in globalThis || 'document' in globalThis ? indexedDb() : memory()
