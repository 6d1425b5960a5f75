import type { Store } from './core/ports.ts'
import { deviceClock } from './platform/device.ts'
import { indexedDbKeyValue } from './storage/indexeddb.ts'
import { sealedKeyValue } from './storage/sealed.ts'

/**
 * The same store, but what is written to it is encrypted: AES-GCM, with keys that cannot be exported and are kept in
 * IndexedDB, and destroyed first at sign-out (RFC 10017 section 8.5). No protection against a script in the page.
 * Its calls reject with `ERR_STORAGE` where there is no Web Crypto or no IndexedDB.
 * @param store where the encrypted entries go; their names stay readable.
 */
export const sealed = (store: Store): Store => {
  const keys = indexedDbKeyValue('latchkey keys', deviceClock)
  return {
    name: `sealed ${store.name}`,
    keyValue: sealedKeyValue(store.keyValue, keys),
    lock: store.lock,
    channel: name => store.channel(name),
    reach: () => store.reach?.() ?? 'device',
    onDegraded: tell => store.onDegraded?.(tell),
    close() {
      keys.close()
      store.close?.()
    },
  }
}
