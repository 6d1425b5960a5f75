export type StorageFault =
  | 'hangs'
  | 'throws'
  | 'is full'
  | 'loses its connection'
  | 'is deleted'
  /** IndexedDB works, but sessionStorage throws. */
  | 'works, and sessionStorage throws'
  /** IndexedDB hangs, and sessionStorage throws. */
  | 'hangs, and sessionStorage throws'

/**
 * Runs in a page and breaks its storage. A deleted database is gone only when the promise resolves: until then the page can
 * still write to it. It must not use variables from outside of the function.
 */
export async function breakStorage(fault: StorageFault): Promise<void> {
  const refuse = (name: string) => () => {
    throw new DOMException('On order of a test.', name)
  }
  const never = () => new EventTarget() // a request that never settles
  const store = IDBObjectStore.prototype
  const databases = IDBDatabase.prototype
  if (fault.startsWith('hangs')) {
    const names = ['get', 'put', 'delete', 'getAllKeys', 'openCursor', 'openKeyCursor']
    // not a real transaction, because a transaction without requests ends automatically
    const transaction = never()
    const hanging = { ...Object.fromEntries(names.map(name => [name, never])), transaction }
    Object.assign(transaction, { objectStore: () => hanging, abort() {} })
    Object.assign(databases, { transaction: () => transaction })
    Object.assign(IDBFactory.prototype, { open: never, deleteDatabase: never })
  }
  if (fault === 'throws') {
    Object.assign(IDBFactory.prototype, { open: refuse('SecurityError') })
    Object.assign(databases, { transaction: refuse('InvalidStateError') })
  }
  if (fault === 'is full') Object.assign(store, { put: refuse('QuotaExceededError') })
  if (fault === 'loses its connection') {
    const { transaction } = databases
    Object.assign(databases, {
      transaction(this: IDBDatabase, ...over: Parameters<IDBDatabase['transaction']>) {
        Object.assign(databases, { transaction })
        this.close() // `close()` fires no event: latchkey does not notice
        return transaction.apply(this, over)
      },
    })
  }
  if (fault.endsWith('sessionStorage throws'))
    Object.defineProperty(window, 'sessionStorage', { get: refuse('SecurityError') })
  if (fault !== 'is deleted') return
  const deletion = indexedDB.deleteDatabase('latchkey')
  await new Promise((resolve, reject) => {
    deletion.onsuccess = resolve
    deletion.onerror = reject
  })
}
