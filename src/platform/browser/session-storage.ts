import type { Store } from '../../core/ports.ts'
import { localLock } from '../../lock/local.ts'
import { silentChannel } from '../../storage/channel.ts'
import { ownedByTab, webStorageKeyValue } from '../../storage/session-storage.ts'
import { deviceClock } from '../device.ts'

/** sessionStorage: as it is, and as a place of which a duplicated tab has nothing. */
export const tabPlace = () => {
  const area = webStorageKeyValue(() => globalThis.sessionStorage)
  // only tabs are duplicated; elsewhere, in Deno, a lock that is held for ever would keep the process up
  const locks = globalThis.document && globalThis.navigator?.locks
  return { area, keyValue: locks ? ownedByTab(area, locks, deviceClock) : area }
}

/**
 * Tokens in sessionStorage: this tab's own, kept across reloads, gone when the tab is closed. A duplicated tab begins
 * signed out, where there are Web Locks to tell the two apart.
 */
export function tabStorage(): Store {
  return {
    name: 'sessionStorage',
    keyValue: tabPlace().keyValue,
    lock: localLock(deviceClock),
    channel: silentChannel,
    reach: () => 'tab',
  }
}
