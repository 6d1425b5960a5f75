import type { KeyValue, Lock, Store } from '../core/ports.ts'
import { broadcastChannel, silentChannel } from '../refresh/channel.ts'
import { leaseLock } from '../refresh/lock-lease.ts'
import { localLock } from '../refresh/lock-local.ts'
import { webLock } from '../refresh/lock-web.ts'
import { indexedDbKeyValue } from '../store/indexeddb.ts'
import { limited } from '../store/limited.ts'
import { webStorageKeyValue } from '../store/session-storage.ts'
import { deviceClock } from './device-clock.ts'

/** Web Locks where they are; else a lease in the store itself. */
const sharedLock = (keyValue: KeyValue): Lock => {
  const locks = globalThis.navigator?.locks
  const lease = leaseLock(limited(keyValue, deviceClock), deviceClock)
  return locks ? webLock(locks, deviceClock, lease) : lease
}

/** Tokens in IndexedDB: shared by all tabs and workers of the origin, kept across restarts. The default in browsers. */
export function indexedDb(options: { database?: string } = {}): Store {
  const keyValue = indexedDbKeyValue(options.database ?? 'latchkey')
  return {
    name: 'indexedDb',
    keyValue,
    lock: sharedLock(keyValue),
    channel: name => (typeof BroadcastChannel === 'function' ? broadcastChannel(name) : silentChannel()),
  }
}

/** Tokens in sessionStorage: this tab's own, kept across reloads, gone when the tab is closed. */
export const sessionStorage = (): Store => ({
  name: 'sessionStorage',
  keyValue: webStorageKeyValue(() => globalThis.sessionStorage),
  lock: localLock(deviceClock),
  channel: silentChannel,
})
