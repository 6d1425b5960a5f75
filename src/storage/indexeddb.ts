import { promisifyRequest } from 'idb-keyval'
import { isSession } from '../core/keys.ts'
import type { Clock, KeyValue } from '../core/ports.ts'
import { withTimeLimit } from '../core/waiting.ts'

/** Two tries fit into the time that one storage call may take. */
const TRY_MS = 900

const STORE = 'latchkey'
/** For what must not be lost with the browser or the machine: the server does not give a rotated refresh token twice. */
const ON_DISK: IDBTransactionOptions = { durability: 'strict' }

/** Opens the database. One that lacks its object store, for whatever reason, would lack it for good: it is made anew. */
async function openDatabase(name: string, isSecond = false): Promise<IDBDatabase> {
  const request = indexedDB.open(name)
  request.onupgradeneeded = () => request.result.createObjectStore(STORE)
  const database = await promisifyRequest(request)
  if (isSecond || database.objectStoreNames.contains(STORE)) return database
  database.close()
  await promisifyRequest(indexedDB.deleteDatabase(name))
  return openDatabase(name, true)
}

export interface IndexedDbKeyValue extends KeyValue {
  /** Closes the connection. The next call opens another. */
  close(): void
}

/** KeyValue in IndexedDB: shared by all tabs and workers of the origin, survives reloads. */
export function indexedDbKeyValue(database: string, clock: Clock): IndexedDbKeyValue {
  let opening: Promise<IDBDatabase> | undefined
  const close = () => {
    globalThis.document?.removeEventListener('freeze', close)
    opening?.then(connection => connection.close()).catch(() => {})
    opening = undefined
  }
  const open = () => {
    if (opening) return opening
    opening = openDatabase(database).then(connection => {
      connection.onclose = connection.onversionchange = close // whoever deletes it must not wait for us
      return connection
    })
    // a page that is frozen with an open connection may find it dead when it thaws
    globalThis.document?.addEventListener('freeze', close)
    return opening
  }
  /**
   * Works in a transaction of its own. A connection can die without a word, and an open can hang for ever (WebKit): one more
   * try with a new connection is made before the call is given up.
   */
  const use = async <T>(
    mode: IDBTransactionMode,
    work: (store: IDBObjectStore, late: AbortSignal) => Promise<T>,
    options?: IDBTransactionOptions,
  ): Promise<T> => {
    const once = () =>
      withTimeLimit(
        clock,
        TRY_MS,
        async late => work((await open()).transaction(STORE, mode, options).objectStore(STORE), late),
        () => new Error('IndexedDB does not answer.'),
      )
    try {
      return await once()
    } catch {
      close()
      return once()
    }
  }

  return {
    get: key => use('readonly', store => promisifyRequest<unknown>(store.get(key))),
    // read and write in one transaction: idb-keyval's update() cannot delete
    update: (key, change) =>
      use(
        'readwrite',
        (store, late) =>
          new Promise<void>((resolve, reject) => {
            // what is given up must not be stored later; it may have been stored just now
            late.onabort = () => {
              try {
                store.transaction.abort()
              } catch {}
            }
            const found = store.get(key)
            found.onsuccess = () => {
              if (late.aborted) return // it is being tried again
              try {
                const next = change(found.result)
                if (next === undefined) store.delete(key)
                else if (next !== found.result) store.put(next, key)
              } catch (error) {
                store.transaction.abort()
                reject(error)
              }
            }
            promisifyRequest(store.transaction).then(resolve, reject)
          }),
        isSession(key) ? ON_DISK : undefined,
      ),
    close,
    keys: prefix =>
      use('readonly', async store =>
        (await promisifyRequest(store.getAllKeys())).map(String).filter(key => key.startsWith(prefix)),
      ),
  }
}
