import { expect, test } from 'vitest'
import type { KeyValue } from '../../../src/core/ports.ts'
import { withCopy } from '../../../src/storage/fallback.ts'
import { memoryKeyValue } from '../../../src/storage/memory.ts'

const refuse = () => Promise.reject(new Error('first'))
const broken: KeyValue = { get: refuse, update: refuse, keys: refuse }
const isCopied = (key: string) => key.startsWith('both')

test('only copied entries are found after the first place was emptied', async () => {
  const first = memoryKeyValue()
  const store = withCopy(first, memoryKeyValue(), isCopied)
  for (const key of ['both', 'one']) await store.update(key, () => key)
  for (const key of ['both', 'one']) await first.update(key, () => undefined)
  expect(await store.get('both')).toBe('both')
  expect(await store.get('one')).toBeUndefined()
  expect(await store.keys('')).toEqual([])
})

test('the first place determines what is changed and found', async () => {
  const first = memoryKeyValue()
  const store = withCopy(first, memoryKeyValue(), isCopied)
  await store.update('both', () => 1)
  await first.update('both', () => 2)
  const seen: unknown[] = []
  await store.update('both', stored => {
    seen.push(stored)
    return 3
  })
  expect(seen).toEqual([2])
  expect(await store.get('both')).toBe(3)
  await store.update('both', () => undefined)
  expect(await store.get('both')).toBeUndefined()
})

test("one working place is enough to write and read, and if both fail the first one's error is thrown", async () => {
  const second = memoryKeyValue()
  await withCopy(broken, second, isCopied).update('both', () => 1)
  expect(await second.get('copy of both')).toBe(1)
  expect(await withCopy(broken, second, isCopied).get('both')).toBe(1)
  const first = memoryKeyValue()
  await withCopy(first, broken, isCopied).update('both', () => 1)
  expect(await withCopy(first, broken, isCopied).get('both')).toBe(1)
  expect(await withCopy(first, broken, isCopied).get('both else')).toBeUndefined()

  await expect(withCopy(broken, broken, isCopied).update('both', () => 1)).rejects.toThrow('first')
  await expect(withCopy(broken, second, isCopied).update('one', () => 1)).rejects.toThrow('first')
  await expect(withCopy(broken, second, isCopied).get('one')).rejects.toThrow('first')
  await expect(withCopy(broken, memoryKeyValue(), isCopied).get('both')).rejects.toThrow('first')
  await expect(withCopy(broken, broken, isCopied).get('both')).rejects.toThrow('first')
})
