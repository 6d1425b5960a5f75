import { indexedDb } from 'latchkey'
import { memory } from 'latchkey/node'
import { sealed } from 'latchkey/sealed'
import { expect, test } from 'vitest'
import type { KeyValue } from '../../../src/core/ports.ts'
import { StorageError } from '../../../src/errors.ts'
import { limited } from '../../../src/storage/limited.ts'
import { memoryKeyValue } from '../../../src/storage/memory.ts'
import { sealedKeyValue } from '../../../src/storage/sealed.ts'
import { keyValueContract } from '../../contracts/key-value.ts'
import { handClock } from '../../support/clock.ts'

let place = { inner: memoryKeyValue(), keys: memoryKeyValue() }
const again = () => sealedKeyValue(place.inner, place.keys)
const create = () => {
  place = { inner: memoryKeyValue(), keys: memoryKeyValue() }
  return again()
}

keyValueContract('sealed memory in Node', {
  create,
  again,
  damage: key => place.inner.update(key, () => ({ sealed: 1, key: 'k', iv: '!', data: '' })),
})

const value = { accessToken: 'canary-access', refreshToken: 'canary-refresh' }
const put = (next: unknown) => () => next
type Stored = { key: string; iv: string; data: string }
const stored = async (name: string) => (await place.inner.get(name)) as Stored

/** Runs `meanwhile` once, before the first update: after the entry was read and before it is replaced. */
const interrupted = (inner: KeyValue, meanwhile: () => Promise<unknown>): KeyValue => {
  let left = 1
  return {
    ...inner,
    async update(name, change) {
      if (left-- > 0) await meanwhile()
      return inner.update(name, change)
    },
  }
}

test('a stored entry reveals nothing of the value, and no two writes are alike [ST06]', async () => {
  const store = create()
  await store.update('name', put(value))
  const first = await stored('name')
  await store.update('name', put({ ...value }))
  const second = await stored('name')
  expect(JSON.stringify([first, second])).not.toContain('canary')
  expect(first.iv).not.toBe(second.iv)
  expect(first.data).not.toBe(second.data)
  expect(atob(first.iv)).toHaveLength(12)
})

test('a key that came back as an empty object, as from a saved state of Playwright, is lost: the entry is missing and can be written anew', async () => {
  const store = create()
  await store.update('name', put(value))
  const [kept = ''] = await place.keys.keys('')
  await place.keys.update(kept, put({}))
  expect(await again().get('name')).toBeUndefined()
  await again().update('name', put(value))
  expect(await again().get('name')).toEqual(value)
  expect(await place.keys.keys('')).toHaveLength(1)
})

test('an update that returns its input writes nothing', async () => {
  const store = create()
  await store.update('name', put(value))
  const before = await stored('name')
  await store.update('name', found => found)
  await store.update('absent', found => found)
  expect(await stored('name')).toBe(before)
  expect(await place.keys.keys('')).toHaveLength(1)
})

test('an entry keeps its key until it is deleted, then gets another one', async () => {
  const store = create()
  const keys = []
  for (const next of ['one', 'two', undefined, 'three']) {
    await store.update('name', put(next))
    keys.push((await stored('name'))?.key)
  }
  expect(keys).toEqual([keys[0], keys[0], undefined, expect.any(String)])
  expect(keys[3]).not.toBe(keys[0])
  expect(await place.keys.keys('')).toEqual([`name ${keys[3]}`])
})

test("a value that was copied to another entry's name reads as undefined, even with its key [ST06]", async () => {
  const store = create()
  await store.update('name', put(value))
  const copy = await stored('name')
  const key = await place.keys.get(`name ${copy.key}`)
  await place.inner.update('other', () => copy)
  expect(await store.get('other')).toBeUndefined()
  await place.keys.update(`other ${copy.key}`, () => key)
  expect(await store.get('other')).toBeUndefined()
  expect(await store.get('name')).toEqual(value)
})

test.each(['iv', 'data'] as const)(
  'one flipped bit in the %s makes a value read as undefined, and it can be overwritten',
  async part => {
    const store = create()
    await store.update('name', put(value))
    const whole = await stored('name')
    const bytes = atob(whole[part])
    const flipped = btoa(String.fromCharCode(bytes.charCodeAt(0) ^ 1) + bytes.slice(1))
    await place.inner.update('name', () => ({ ...whole, [part]: flipped }))
    expect(await store.get('name')).toBeUndefined()
    await store.update('name', found => [found === undefined])
    expect(await store.get('name')).toEqual([true])
  },
)

test.each([
  ['an unencrypted value', value],
  ['null', null],
  ['a string', 'text'],
  ['another schema', { sealed: 2, key: 'k', iv: '', data: '' }],
  ['members of other types', { sealed: 1, key: 'k', iv: 1, data: {} }],
  ['a value whose key is deleted', { sealed: 1, key: 'gone', iv: 'AAAA', data: 'AAAA' }],
])('%s reads as undefined and can be overwritten or deleted', async (_what, found) => {
  const store = create()
  await place.inner.update('name', () => found)
  expect(await store.get('name')).toBeUndefined()
  await store.update('name', before => [before === undefined])
  expect(await store.get('name')).toEqual([true])
  await place.inner.update('name', () => found)
  await store.update('name', () => undefined)
  expect(await place.inner.keys('')).toEqual([])
})

test('a deletion destroys the key before the entry, so an earlier copy cannot be read', async () => {
  create()
  const order: string[] = []
  const watched = (what: string, on: KeyValue): KeyValue => ({
    ...on,
    async update(name, change) {
      await on.update(name, change)
      order.push(`${what}: ${(await on.get(name)) === undefined ? 'gone' : 'there'}`)
    },
  })
  const store = sealedKeyValue(watched('entry', place.inner), watched('key', place.keys))
  await store.update('name', put(value))
  const copy = await stored('name')
  order.length = 0
  await store.update('name', () => undefined)
  expect(order).toEqual(['entry: there', 'key: gone', 'entry: gone'])
  await place.inner.update('name', () => copy)
  expect(await store.get('name')).toBeUndefined()
  expect(await place.keys.keys('')).toEqual([])
})

test('after a deletion has started no client reads the value, and the next one completes it', async () => {
  const store = create()
  await store.update('name', put(value))
  const stuck: KeyValue = { ...place.keys, update: () => Promise.reject(new Error('no')) }
  await expect(sealedKeyValue(place.inner, stuck).update('name', () => undefined)).rejects.toThrow(
    StorageError,
  )
  expect(await stored('name')).not.toHaveProperty('data')
  expect(await store.get('name')).toBeUndefined()
  expect(await place.inner.keys('')).toEqual([])
  expect(await place.keys.keys('')).toEqual([])
})

test('a value that is written while a deletion completes is kept', async () => {
  const other = create()
  await other.update('name', put('old'))
  const keys = interrupted(place.keys, () => other.update('name', put('new')))
  await sealedKeyValue(place.inner, keys).update('name', () => undefined)
  expect(await other.get('name')).toBe('new')
  expect(await place.keys.keys('')).toHaveLength(1)
})

test('a deletion that no longer applies to a newer value destroys nothing', async () => {
  const other = create()
  await other.update('name', put('old'))
  const inner = interrupted(place.inner, () => other.update('name', put('new')))
  const seen: unknown[] = []
  await sealedKeyValue(inner, place.keys).update('name', found => {
    seen.push(found)
    return found === 'old' ? undefined : found
  })
  expect(seen).toEqual(['old', 'new'])
  expect(await other.get('name')).toBe('new')
})

test('a write that is overtaken by a deletion restarts without a value, under a new key', async () => {
  const other = create()
  await other.update('name', put(['old']))
  const { key } = await stored('name')
  const inner = interrupted(place.inner, () => other.update('name', () => undefined))
  await sealedKeyValue(inner, place.keys).update('name', found => [...((found as string[]) ?? []), 'new'])
  expect(await other.get('name')).toEqual(['new'])
  expect((await stored('name')).key).not.toBe(key)
  expect(await place.keys.keys('')).toHaveLength(1)
})

test('of two first writes of an entry, the later one sees the other and leaves no key behind', async () => {
  const other = create()
  const inner = interrupted(place.inner, () => other.update('name', put(['other'])))
  await sealedKeyValue(inner, place.keys).update('name', found => [...((found as string[]) ?? []), 'mine'])
  expect(await other.get('name')).toEqual(['other', 'mine'])
  expect(await place.keys.keys('')).toHaveLength(1)
})

test('entries of one name in two places have separate keys: deleting one keeps the other', async () => {
  const one = create()
  const other = sealedKeyValue(memoryKeyValue(), place.keys)
  await one.update('name', put('in one'))
  await other.update('name', put('in other'))
  await one.update('name', () => undefined)
  expect(await other.get('name')).toBe('in other')
})

test('a write that succeeded although the store lost its result is not repeated', async () => {
  const reader = create()
  const forgetful: KeyValue = {
    ...place.inner,
    async update(name, change) {
      await place.inner.update(name, change)
      await place.inner.update(name, change) // what indexeddb.ts does after a connection died
    },
  }
  await sealedKeyValue(forgetful, place.keys).update('count', found => ((found as number) ?? 0) + 1)
  expect(await reader.get('count')).toBe(1)
  expect(await place.keys.keys('')).toHaveLength(1)
})

test.each([
  ['a first write', undefined, 'new'],
  ['a write', 'old', 'new'],
  ['a deletion', 'old', undefined],
])('%s that was reported as lost does not happen later', async (_what, old, next) => {
  const reader = create()
  await reader.update('name', put(old))
  const clock = handClock()
  const inner = interrupted(place.inner, async () => clock.advance(2001))
  const late = limited(sealedKeyValue(inner, place.keys), clock).update('name', put(next))
  await expect(late).rejects.toThrow(StorageError)
  await expect.poll(async () => (await place.keys.keys('')).length).toBe(old === undefined ? 0 : 1)
  expect(await reader.get('name')).toBe(old)
})

test('if keys cannot be read, a value does not count as absent', async () => {
  const store = create()
  await store.update('name', put(value))
  const broken: KeyValue = { ...place.keys, get: () => Promise.reject(new Error('no')) }
  const error = await sealedKeyValue(place.inner, broken)
    .get('name')
    .catch((rejection: unknown) => rejection)
  expect(error).toBeInstanceOf(StorageError)
  expect(error).toMatchObject({ retryable: true })
  expect(await store.get('name')).toEqual(value)
})

test('if a stored key is not a key, the first write rejects and stores nothing', async () => {
  create()
  const asJson: KeyValue = {
    ...place.keys,
    update: (name, change) =>
      place.keys.update(name, found => JSON.parse(JSON.stringify(change(found) ?? null))),
  }
  await expect(sealedKeyValue(place.inner, asJson).update('name', put(value))).rejects.toThrow(
    /without sealed\(\)/,
  )
  expect(await place.inner.keys('')).toEqual([])
})

test('without IndexedDB, sealed() can still be created, and its first write says what to do', async () => {
  expect(sealed(indexedDb()).name).toBe('sealed indexedDb')
  const store = sealed(memory())
  expect(await store.keyValue.get('name')).toBeUndefined()
  await expect(store.keyValue.update('name', put(value))).rejects.toMatchObject({
    code: 'ERR_STORAGE',
    retryable: false,
    message: expect.stringContaining('IndexedDB'),
  })
})

test('lock, channel and names are those of the inner store', async () => {
  const inner = memory()
  const store = sealed(inner)
  expect(store.lock).toBe(inner.lock)
  await inner.keyValue.update('a 1', put('plain'))
  expect(await store.keyValue.keys('a ')).toEqual(['a 1'])
  expect(store.channel('news')).toHaveProperty('post')
})
