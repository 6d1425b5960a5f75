import type { Store } from '../../core/ports.ts'
import { localLock } from '../../lock/local.ts'
import { localChannels } from '../../storage/channel.ts'
import { ownedByTab, webStorageKeyValue } from '../../storage/session-storage.ts'
import { deviceClock } from '../device.ts'

/** Two stores over sessionStorage: `area`, the plain one, and `keyValue`, which a duplicated tab starts empty. */
export const tabPlace = () => {
  const area = webStorageKeyValue(() => globalThis.sessionStorage)
  // only tabs can be duplicated; in Deno, a lock that is never released would keep the process running
  const locks = globalThis.document && globalThis.navigator?.locks
  return { area, keyValue: locks ? ownedByTab(area, locks, deviceClock) : area }
}

/**
 * Keeps tokens in sessionStorage: only this tab sees them, they survive reloads, and they are gone when the tab is closed.
 * A duplicated tab starts signed out, if the browser has Web Locks to tell the two tabs apart.
 */
export function tabStorage(): Store {
  return {
    name: 'sessionStorage',
    keyValue: tabPlace().keyValue,
    lock: localLock(deviceClock),
    channel: localChannels(),
    reach: () => 'tab',
  }
}
