import { createClient, indexedDb, memory, type Session, tabStorage } from 'latchkey'
import { sealed } from 'latchkey/sealed'
import { afterAll, beforeEach, expect, onTestFinished, test } from 'vitest'
import { session, storeSession } from '../../bench/support/stored-session.ts'
import { deviceClock } from '../../src/platform/device.ts'
import { indexedDbKeyValue } from '../../src/storage/indexeddb.ts'
import { sealedKeyValue } from '../../src/storage/sealed.ts'
import { keyValueContract } from '../contracts/key-value.ts'

const openPlace = (database: string) => indexedDbKeyValue(database, deviceClock)

const databases = ['latchkey keys']
const newDatabase = () => {
  const database = `latchkey test ${crypto.randomUUID()}`
  databases.push(database)
  return database
}

beforeEach(() => globalThis.sessionStorage.clear())
afterAll(() => {
  for (const database of databases) indexedDB.deleteDatabase(database)
})

const inIndexedDb = () => sealed(indexedDb({ database: databases.at(-1) as string })).keyValue

keyValueContract('sealed indexedDb', {
  create() {
    newDatabase()
    return inIndexedDb()
  },
  again: inIndexedDb,
  damage: key => openPlace(databases.at(-1) as string).update(key, () => ({ sealed: 1 })),
})

keyValueContract('sealed sessionStorage', {
  create: () => sealed(tabStorage()).keyValue,
  again: () => sealed(tabStorage()).keyValue,
  damage: key => globalThis.sessionStorage.setItem(key, '{"sealed": 1, "key": "'),
})

keyValueContract('sealed memory', { create: () => sealed(memory()).keyValue })

/** Everything in the two databases, including names. */
const contents = async (...names: string[]) => {
  const found: [string, unknown][] = []
  for (const place of names.map(openPlace)) {
    for (const key of await place.keys('')) found.push([key, await place.get(key)])
  }
  return found
}

test('a value survives a reopen, its stored form reveals nothing, and its key cannot be exported', async () => {
  const [entries, keys] = [newDatabase(), newDatabase()]
  const open = () => sealedKeyValue(openPlace(entries), openPlace(keys))
  const value = { accessToken: 'canary-access', refreshToken: 'canary-refresh' }
  await open().update('name', () => value)
  expect(await open().get('name')).toEqual(value)

  expect(JSON.stringify(await contents(entries, keys))).not.toContain('canary')
  const [[, key] = []] = await contents(keys)
  expect(key).toBeInstanceOf(CryptoKey)
  expect(key).toMatchObject({ extractable: false, algorithm: { name: 'AES-GCM', length: 256 } })
  for (const format of ['raw', 'jwk'] as const) {
    await expect(crypto.subtle.exportKey(format, key as CryptoKey)).rejects.toThrow()
  }

  await open().update('name', () => undefined)
  expect(await contents(entries, keys)).toEqual([])
})

/** A client that finds its session in the store and sends nothing. */
const openClient = (database: string) => {
  const { issuer, clientId } = session
  const client = createClient({
    server: { issuer, authorization_endpoint: `${issuer}authorize`, token_endpoint: `${issuer}token` },
    clientId,
    redirectUri: '/callback',
    allowedOrigins: [],
    store: sealed(indexedDb({ database })),
  })
  onTestFinished(() => client.dispose())
  return client
}

test('two clients restore a session from a sealed store, and a sign-out in one ends it for both', async () => {
  const database = newDatabase()
  await storeSession(sealed(indexedDb({ database })))
  const stored = await contents(database)
  expect(stored).toHaveLength(1)
  expect(JSON.stringify(stored)).not.toContain(session.accessToken)
  expect(JSON.stringify(stored)).not.toContain(session.refreshToken)
  const [[name, copy] = ['']] = stored

  const [one, other] = [openClient(database), openClient(database)]
  const told: Session[] = []
  other.subscribe(news => told.push(news))
  await Promise.all([one.start(), other.start()])
  expect(await one.getAccessToken()).toBe(session.accessToken)
  expect(await other.getAccessToken()).toBe(session.accessToken)

  await one.signOut()
  await expect.poll(() => other.session.status).toBe('signed-out')
  expect(told.at(-1)).toMatchObject({ status: 'signed-out', reason: 'signed_out' })
  // the reason for the end is sealed with its own key; the session's key is destroyed
  expect(await contents(database)).toHaveLength(1)
  expect(await openPlace('latchkey keys').keys(name)).toHaveLength(1)

  await openPlace(database).update(name, () => copy)
  const later = openClient(database)
  await later.start()
  expect(later.session.status).toBe('signed-out')
})
