import { indexedDb, tabStorage } from 'latchkey'
import { afterAll, beforeEach, expect, onTestFinished, test, vi } from 'vitest'
import { createPlaces } from '../../src/platform/browser/places.ts'
import { databaseStore } from '../../src/platform/browser/stores.ts'
import { deviceClock } from '../../src/platform/device.ts'
import { indexedDbKeyValue } from '../../src/storage/indexeddb.ts'
import { memoryKeyValue } from '../../src/storage/memory.ts'
import { webStorageKeyValue } from '../../src/storage/session-storage.ts'
import { keyValueContract } from '../contracts/key-value.ts'

const databases: string[] = []
const area = () => globalThis.sessionStorage

beforeEach(() => area().clear())
afterAll(() => {
  for (const database of databases) indexedDB.deleteDatabase(database)
})

keyValueContract('memory', { create: memoryKeyValue })

keyValueContract('indexedDb', {
  create() {
    databases.push(`latchkey test ${crypto.randomUUID()}`)
    return indexedDbKeyValue(databases.at(-1) as string, deviceClock)
  },
  again: () => indexedDbKeyValue(databases.at(-1) as string, deviceClock),
})

keyValueContract('sessionStorage', {
  create: () => webStorageKeyValue(area),
  again: () => webStorageKeyValue(area),
  damage: key => area().setItem(key, '{"word": "gr'),
})

test('two clients of one page keep their tokens in the same sessionStorage, and neither mistakes the other for a duplicated tab', async () => {
  const one = tabStorage().keyValue
  await one.update('latchkey one session', () => 'of one')
  const other = tabStorage().keyValue
  await other.update('latchkey other session', () => 'of the other')
  expect(await one.get('latchkey one session')).toBe('of one')
  expect(await other.get('latchkey one session')).toBe('of one')
  expect(await one.get('latchkey other session')).toBe('of the other')
})

test('a page with a working IndexedDB holds no tab lock, so it can be cached for Back', async () => {
  const database = `latchkey test ${crypto.randomUUID()}`
  databases.push(database)
  const { keyValue } = indexedDb({ database })
  const before = (await navigator.locks.query()).held?.length
  await keyValue.update('latchkey one session', () => 'kept')
  expect(await keyValue.get('latchkey one session')).toBe('kept')
  await keyValue.update('latchkey one session', () => undefined)
  expect(await keyValue.get('latchkey one session')).toBeUndefined()
  expect((await navigator.locks.query()).held).toHaveLength(before ?? 0)
})

test('a mark in localStorage for each database says whether it holds a session [F2.10]', async () => {
  const marks = () => Object.keys(localStorage).filter(key => key.startsWith('latchkey one'))
  onTestFinished(() => localStorage.clear())
  const names = ['one', 'two'].map(name => `${name} ${crypto.randomUUID()}`)
  databases.push(...names)
  const places = names.map(database => indexedDb({ database }).keyValue)
  for (const place of places) await place.update('latchkey one session', () => 'secret')
  await places[0]?.update('latchkey one transaction', () => 'secret')
  expect(marks().sort()).toEqual(names.map(name => `latchkey one session in ${name}`))
  expect(JSON.stringify({ ...localStorage })).not.toContain('secret')
  await places[0]?.update('latchkey one session', () => undefined)
  expect(marks()).toEqual([`latchkey one session in ${names[1]}`])
})

test('an abandoned write is not stored later, however far it had progressed', async () => {
  const database = `latchkey test ${crypto.randomUUID()}`
  databases.push(database)
  const place = indexedDbKeyValue(database, deviceClock)
  await place.update('key', () => 'old')
  // a write stays uncommitted while more requests are made in its transaction
  const { put } = IDBObjectStore.prototype
  let isHeld = true
  let ended = 0
  IDBObjectStore.prototype.put = function (this: IDBObjectStore, ...args) {
    const goOn = () => {
      if (isHeld) this.get('key').onsuccess = goOn
    }
    goOn()
    for (const type of ['complete', 'abort']) this.transaction.addEventListener(type, () => ended++)
    return put.apply(this, args)
  }
  onTestFinished(() => {
    IDBObjectStore.prototype.put = put
  })
  await expect(place.update('key', () => 'new')).rejects.toThrow('Timed out.')
  isHeld = false
  await expect.poll(() => ended).toBeGreaterThan(0)
  expect(await place.get('key')).toBe('old')
})

test('indexedDb() opens its database when it is created, before the first read [F7.3]', async () => {
  const database = `latchkey test ${crypto.randomUUID()}`
  databases.push(database)
  const store = indexedDb({ database })
  await expect.poll(async () => (await indexedDB.databases()).map(({ name }) => name)).toContain(database)
  store.close?.()
})

test('a closed store leaves no connection and no listener, and the next call reopens it [F5.7]', async () => {
  const database = `latchkey test ${crypto.randomUUID()}`
  databases.push(database)
  const closed = vi.spyOn(IDBDatabase.prototype, 'close')
  const added = vi.spyOn(document, 'addEventListener')
  const removed = vi.spyOn(document, 'removeEventListener')
  const freeze = (spy: { mock: { calls: unknown[][] } }) =>
    spy.mock.calls.filter(([type]) => type === 'freeze')
  const store = indexedDb({ database })
  for (const round of [1, 2, 3]) {
    await store.keyValue.update('latchkey one session', () => `round ${round}`)
    expect(await store.keyValue.get('latchkey one session')).toBe(`round ${round}`)
    store.close?.()
    await expect.poll(() => closed.mock.calls).toHaveLength(round)
    expect(freeze(added)).toHaveLength(round)
    expect(freeze(removed)).toHaveLength(round)
    expect(freeze(removed).at(-1)?.[1]).toBe(freeze(added).at(-1)?.[1])
  }
  // a call in progress is not lost
  const writing = store.keyValue.update('latchkey one session', () => 'written')
  store.close?.()
  await writing
  expect(await store.keyValue.get('latchkey one session')).toBe('written')
})

test('a session in IndexedDB is stored, read and removed without the lazily loaded code', async () => {
  const database = `latchkey test ${crypto.randomUUID()}`
  databases.push(database)
  let loads = 0
  const store = databaseStore(
    () => {
      loads++
      return Promise.reject(new Error('not loaded'))
    },
    { database },
  )
  const { keyValue, lock } = store
  expect(await keyValue.get('latchkey one session')).toBeUndefined()
  await keyValue.update('latchkey one session', () => 'kept')
  expect(await keyValue.get('latchkey one session')).toBe('kept')
  await keyValue.update('latchkey one session', () => undefined)
  expect(loads).toBe(0)
  await expect(keyValue.get('latchkey one transaction')).rejects.toThrow('not loaded')
  await expect(lock.run('latchkey refresh', async () => {}, 100)).rejects.toThrow('not loaded')
  expect(loads).toBe(2)
})

const accounts = () => {
  const names = ['work', 'private'].map(name => `${name} ${crypto.randomUUID()}`)
  databases.push(...names)
  return names
}
const KEY = 'latchkey https://id.example.com app'

test('data that one database keeps in sessionStorage for the callback is not found by another one [F8.14]', async () => {
  const [work, other] = accounts().map(database => indexedDb({ database }).keyValue)
  await work?.update(`${KEY} transaction lk.1`, () => ({ schema: 1, state: 'lk.1' }))
  expect(Object.keys(area()).some(key => key.includes('lk.1'))).toBe(true)
  expect(await other?.get(`${KEY} transaction lk.1`)).toBeUndefined()
  expect(await indexedDb().keyValue.get(`${KEY} transaction lk.1`)).toBeUndefined()
  expect(await tabStorage().keyValue.get(`${KEY} transaction lk.1`)).toBeUndefined()
  expect(await work?.get(`${KEY} transaction lk.1`)).toEqual({ schema: 1, state: 'lk.1' })
})

test('two databases that do not work keep their sessions apart in sessionStorage, also after a reload [F8.14]', async () => {
  const broken = {
    get: () => Promise.reject(new Error()),
    update: () => Promise.reject(new Error()),
    keys: () => Promise.reject(new Error()),
  }
  const marks = { any: () => false, note() {} }
  const open = (name: string) => createPlaces(broken, marks, name)
  const names = accounts() as [string, string]
  const session = (subject: string) => ({ schema: 1, subject })
  const [work, own] = names.map(open)
  await work?.update(`${KEY} session`, () => session('alice'))
  await own?.update(`${KEY} session`, () => session('bob'))
  expect(await work?.get(`${KEY} session`)).toEqual(session('alice'))
  expect(await open(names[1]).get(`${KEY} session`)).toEqual(session('bob'))
  expect(await work?.keys(KEY)).toEqual([`${KEY} session`])
})

test('a client that keeps its session in sessionStorage does not expose it to one with a database [F8.14]', async () => {
  const [database] = accounts()
  await tabStorage().keyValue.update(`${KEY} session`, () => ({ schema: 1, subject: 'alice' }))
  expect(await indexedDb({ database }).keyValue.get(`${KEY} session`)).toBeUndefined()
  expect(await indexedDb().keyValue.get(`${KEY} session`)).toBeUndefined()
})
