import { createClient, indexedDb, type Store, tabStorage } from 'latchkey'
import { dpop } from 'latchkey/dpop'
import { sealed } from 'latchkey/sealed'
import { afterEach, expect, test, vi } from 'vitest'

const ISSUER = 'https://id.example.com'
const database = `latchkey test ${crypto.randomUUID()}`

afterEach(() => {
  indexedDB.deleteDatabase(database)
  globalThis.sessionStorage.clear()
})

/** The listeners that were added to the page and the window and not removed. */
function watchListeners() {
  const live = new Set<string>()
  const ids = new Map<unknown, number>()
  const nameOf = (target: unknown, type: string, listener: unknown, options: unknown) => {
    if (!ids.has(listener)) ids.set(listener, ids.size)
    const capture = typeof options === 'object' ? (options as AddEventListenerOptions)?.capture : options
    return `${target === document ? 'document' : 'window'} ${type} ${ids.get(listener)} ${capture === true}`
  }
  const isWatched = (target: unknown) => target === document || target === window || target === undefined
  const { addEventListener: add, removeEventListener: remove } = EventTarget.prototype
  vi.spyOn(EventTarget.prototype, 'addEventListener').mockImplementation(function (
    this: EventTarget,
    ...args
  ) {
    if (isWatched(this)) live.add(nameOf(this, args[0], args[1], args[2]))
    return add.apply(this ?? window, args)
  })
  vi.spyOn(EventTarget.prototype, 'removeEventListener').mockImplementation(function (
    this: EventTarget,
    ...args
  ) {
    if (isWatched(this)) live.delete(nameOf(this, args[0], args[1], args[2]))
    return remove.apply(this ?? window, args)
  })
  return live
}

const isOpen = (connection: IDBDatabase): boolean => {
  try {
    connection.transaction([...connection.objectStoreNames])
    return true
  } catch {
    return false
  }
}

test.each<[string, () => Store]>([
  ['indexedDb()', () => indexedDb({ database })],
  ['sealed(indexedDb())', () => sealed(indexedDb({ database }))],
  ['sealed(tabStorage())', () => sealed(tabStorage())],
])(
  'disposing a client over %s leaves no connection and no listener, and it can be started again [F5.7]',
  async (_what, store) => {
    const live = watchListeners()
    const open = vi.spyOn(indexedDB, 'open')
    const client = createClient({
      server: { issuer: ISSUER, authorization_endpoint: `${ISSUER}/a`, token_endpoint: `${ISSUER}/t` },
      clientId: 'dispose',
      redirectUri: '/callback',
      allowedOrigins: [],
      extensions: [dpop()],
      store: store(),
    })
    const connections = () =>
      open.mock.results.map(({ value }) => (value as IDBOpenDBRequest).result).filter(isOpen)
    const stop = client.subscribe(() => {})
    const given = client.signIn({
      // starts a sign-in, so that a key is created, and abandons it
      userAgent: {
        name: 'test',
        begin: redirectUri => ({
          redirectUri,
          authorize: () => Promise.reject(new DOMException('closed', 'AbortError')),
          close() {},
        }),
      },
    })
    await expect(given).rejects.toThrow('closed')
    expect((await client.start()).status).toBe('signed-out')
    expect(connections().length).toBeGreaterThan(0)
    expect(live.size).toBeGreaterThan(0)
    stop()
    client.dispose()
    await expect.poll(() => connections().length).toBe(0)
    expect([...live]).toEqual([])

    expect((await client.start()).status).toBe('signed-out')
    client.dispose()
    await expect.poll(() => connections().length).toBe(0)
    expect([...live]).toEqual([])
  },
)
