/** Makes what the page's library has stored two hours older: a session as it is found the next morning. */

const TWO_HOURS_MS = 2 * 3_600_000
/** As libraries name the time in which an access token expires, and from which it is refreshed. */
const times = ['expiresAt', 'expires_at', 'refreshAt']

const older = (value: unknown, name = ''): unknown => {
  // in ms or in seconds
  if (typeof value === 'number' && times.includes(name))
    return value - (value > 1e11 ? TWO_HOURS_MS : TWO_HOURS_MS / 1000)
  if (typeof value !== 'object' || !value || Array.isArray(value)) return value
  return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, older(member, key)]))
}

const settled = <T>(request: IDBRequest<T>) =>
  new Promise<T>((resolve, reject) => {
    request.onsuccess = () => resolve(request.result)
    request.onerror = () => reject(request.error)
  })

async function ageDatabase(name: string) {
  const database = await settled(indexedDB.open(name))
  for (const place of database.objectStoreNames) {
    const store = database.transaction(place, 'readwrite').objectStore(place)
    const [keys, values] = await Promise.all([settled(store.getAllKeys()), settled(store.getAll())])
    await Promise.all(keys.map((key, at) => settled(store.put(older(values[at]), key))))
  }
  database.close()
}

async function ageAll() {
  for (const [key, text] of Object.entries(localStorage)) {
    try {
      localStorage.setItem(key, JSON.stringify(older(JSON.parse(text))))
    } catch {} // no JSON
  }
  for (const { name = '' } of await indexedDB.databases()) await ageDatabase(name)
}

window.aged = ageAll()
