import type { Store } from './core/ports.ts'
import { deviceClock } from './platform/device.ts'
import { indexedDbKeyValue } from './storage/indexeddb.ts'
import { sealedKeyValue } from './storage/sealed.ts'

/**
 * Encrypts the values in a store with AES-GCM. The keys are non-extractable and stored in IndexedDB; sign-out destroys them
 * first (RFC 10017 section 8.5). It does not protect against a script in the page. Calls reject with `ERR_STORAGE` if there
 * is no Web Crypto or no IndexedDB.
 * @param store the store for the encrypted entries. Their names stay readable.
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
