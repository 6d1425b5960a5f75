import { createStore, keys, promisifyRequest, type UseStore } from 'idb-keyval'
import type { KeyValue } from '../core/ports.ts'

/** KeyValue in IndexedDB: shared by all tabs and workers of the origin, survives reloads. */
export function indexedDbKeyValue(database: string): KeyValue {
  let opened: UseStore | undefined
  const open = () => (opened ??= createStore(database, 'latchkey'))

  /** A connection can die without a word (WebKit): one reopen is tried before the call is given up. */
  const withReopen = async <T>(work: (store: UseStore) => Promise<T>): Promise<T> => {
    try {
      return await work(open())
    } catch {
      opened = undefined
      return work(open())
    }
  }

  return {
    get: key => withReopen(use => use('readonly', store => promisifyRequest<unknown>(store.get(key)))),
    // read and write in one transaction: idb-keyval's update() cannot delete
    update: (key, change) =>
      withReopen(use =>
        use(
          'readwrite',
          store =>
            new Promise<void>((resolve, reject) => {
              const found = store.get(key)
              found.onsuccess = () => {
                try {
                  const next = change(found.result)
                  if (next === undefined) store.delete(key)
                  else if (next !== found.result) store.put(next, key)
                } catch (error) {
                  store.transaction.abort()
                  reject(error)
                }
              }
              promisifyRequest(store.transaction).then(() => resolve(), reject)
            }),
        ),
      ),
    keys: prefix =>
      withReopen(async use => (await keys<string>(use)).filter(key => String(key).startsWith(prefix))),
  }
}
