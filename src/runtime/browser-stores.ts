import type { KeyValue, Lock, Store } from '../core/ports.ts'
import { broadcastChannel, silentChannel } from '../refresh/channel.ts'
import { leaseLock } from '../refresh/lock-lease.ts'
import { localLock } from '../refresh/lock-local.ts'
import { webLock } from '../refresh/lock-web.ts'
import { withFallback } from '../store/fallback.ts'
import { indexedDbKeyValue } from '../store/indexeddb.ts'
import { limited } from '../store/limited.ts'
import { memoryKeyValue } from '../store/memory.ts'
import { ownedByTab, webStorageKeyValue } from '../store/session-storage.ts'
import { deviceClock } from './device-clock.ts'

/** Web Locks where they are; else a lease in the store itself. */
const sharedLock = (keyValue: KeyValue): Lock => {
  const locks = globalThis.navigator?.locks
  const lease = leaseLock(limited(keyValue, deviceClock), deviceClock)
  return locks ? webLock(locks, deviceClock, lease) : lease
}

/**
 * Tokens in IndexedDB: shared by all tabs and workers of the origin, kept across restarts. The default in browsers.
 * Where it does not work (blocked, hung, full), sessionStorage takes its place for this page, else memory; the event
 * `storage-degraded` tells so.
 */
export function indexedDb(options: { database?: string } = {}): Store {
  const shared = indexedDbKeyValue(options.database ?? 'latchkey', deviceClock)
  const keyValue = withFallback(
    { name: 'IndexedDB', reach: 'origin', keyValue: shared },
    { name: 'sessionStorage', reach: 'tab', keyValue: webStorageKeyValue(() => globalThis.sessionStorage) },
    { name: 'memory', reach: 'page', keyValue: memoryKeyValue() },
  )
  return {
    name: 'indexedDb',
    keyValue,
    lock: sharedLock(keyValue),
    channel: name => (typeof BroadcastChannel === 'function' ? broadcastChannel(name) : silentChannel()),
    reach: () => keyValue.reach,
    onDegraded: keyValue.onDegraded,
  }
}

/**
 * Tokens in sessionStorage: this tab's own, kept across reloads, gone when the tab is closed. A duplicated tab begins
 * signed out, where there are Web Locks to tell the two apart.
 */
export function sessionStorage(): Store {
  const area = webStorageKeyValue(() => globalThis.sessionStorage)
  const locks = globalThis.navigator?.locks
  return {
    name: 'sessionStorage',
    keyValue: locks ? ownedByTab(area, locks, deviceClock) : area,
    lock: localLock(deviceClock),
    channel: silentChannel,
    reach: () => 'tab',
  }
}
