import { promisifyRequest } from 'idb-keyval'
import { isSession } from '../core/keys.ts'
import type { Clock, KeyValue } from '../core/ports.ts'
import { withTimeLimit } from '../core/waiting.ts'

/** The time limit of one try. Two tries fit into the time limit of a storage call. */
const TRY_MS = 900

const STORE = 'latchkey'
/** For records that must survive a crash of the browser or the machine: the server issues a refresh token only once. */
const ON_DISK: IDBTransactionOptions = { durability: 'strict' }

/** Opens the database. If its object store is missing, nothing would ever add it, so the database is created again. */
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
  /** Closes the connection. The next call opens a new one. */
  close(): void
}

/** A KeyValue in IndexedDB: shared by all tabs and workers of the origin, survives reloads. */
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
      connection.onclose = connection.onversionchange = close // a deletion must not wait for this connection
      return connection
    })
    // if a page is frozen with an open connection, the connection may be dead when the page thaws
    globalThis.document?.addEventListener('freeze', close)
    return opening
  }
  /**
   * Runs `work` in its own transaction. A connection can die silently, and opening one can hang forever (WebKit), so it
   * tries a failed call once more with a new connection.
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
        () => new Error('Timed out.'),
      )
    try {
      return await once()
    } catch {
      close()
      return once()
    }
  }

  open().catch(() => {}) // at creation, because opening takes longer than the first read; `use` reports a failure
  return {
    get: key => use('readonly', store => promisifyRequest<unknown>(store.get(key))),
    // read and write in one transaction: idb-keyval's update() cannot delete
    update: (key, change) =>
      use(
        'readwrite',
        (store, late) =>
          new Promise<void>((resolve, reject) => {
            // a call that timed out must not store its value later; it may already have stored it
            late.onabort = () => {
              try {
                store.transaction.abort()
              } catch {}
            }
            const found = store.get(key)
            found.onsuccess = () => {
              if (late.aborted) return // the second try is running
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
