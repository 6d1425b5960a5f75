import { describe, expect, test } from 'vitest'
import type { KeyValue } from '../../../src/core/ports.ts'
import { type Place, withFallback } from '../../../src/store/fallback.ts'
import { memoryKeyValue } from '../../../src/store/memory.ts'

const refuse = async (): Promise<never> => {
  throw new Error('SecurityError')
}
const blocked: Place = {
  name: 'blocked',
  reach: 'origin',
  keyValue: { get: refuse, update: refuse, keys: refuse },
}
/** Takes everything and keeps nothing, as some browsers do in private windows. */
const forgetful: Place = {
  name: 'forgetful',
  reach: 'origin',
  keyValue: { get: async () => undefined, update: async () => {}, keys: async () => [] },
}
const fine = (name = 'fine'): Place => ({ name, reach: 'tab', keyValue: memoryKeyValue() })

const use = async (keyValue: KeyValue) => {
  await keyValue.update('word', () => 'kept')
  return keyValue.get('word')
}

describe('a place that does not work', () => {
  test('is left for the next one that keeps what is written, which is told once', async () => {
    const told: string[] = []
    const places = withFallback(blocked, forgetful, fine(), fine('last'))
    places.onDegraded(message => told.push(message))
    expect(await use(places)).toBe('kept')
    expect(await places.keys('')).toEqual(['word'])
    expect(places.reach).toBe('tab')
    expect(told).toEqual([expect.stringContaining('blocked')])
    expect(told[0]).toContain('fine')
  })

  test('is left by all who ask at the same time, for the same other place', async () => {
    const places = withFallback(blocked, fine())
    await Promise.all(Array.from({ length: 10 }, (_, at) => places.update(`word ${at}`, () => at)))
    expect(await places.keys('')).toHaveLength(10)
  })

  test('is told to who listens later too', async () => {
    const places = withFallback(blocked, fine())
    await use(places)
    const told: string[] = []
    places.onDegraded(message => told.push(message))
    expect(told).toHaveLength(1)
  })

  test('is all there is where the others do not work either: its own failure is told', async () => {
    const places = withFallback(blocked, forgetful)
    await expect(places.get('word')).rejects.toThrow('SecurityError')
    expect(places.reach).toBe('origin')
  })
})

test('a place that has worked and then fails is not left: the failure is told, and later it works again', async () => {
  let isBroken = false
  const inner = memoryKeyValue()
  const guard = <T>(work: () => Promise<T>) => (isBroken ? refuse() : work())
  const first: Place = {
    name: 'first',
    reach: 'origin',
    keyValue: {
      get: key => guard(() => inner.get(key)),
      update: (key, change) => guard(() => inner.update(key, change)),
      keys: prefix => guard(() => inner.keys(prefix)),
    },
  }
  const places = withFallback(first, fine())
  expect(await use(places)).toBe('kept')
  isBroken = true
  await expect(places.get('word')).rejects.toThrow('SecurityError')
  isBroken = false
  expect(await places.get('word')).toBe('kept')
  expect(places.reach).toBe('origin')
})

test('a place that can be read but not written, and is empty, is left; one with something in it is not', async () => {
  const full = (keyValue: KeyValue): Place => ({
    name: 'full',
    reach: 'origin',
    keyValue: { ...keyValue, update: refuse },
  })
  const empty = withFallback(full(memoryKeyValue()), fine())
  expect(await empty.get('session')).toBeUndefined()
  expect(await use(empty)).toBe('kept')

  const inner = memoryKeyValue()
  await inner.update('session', () => 'there')
  const filled = withFallback(full(inner), fine())
  expect(await filled.get('session')).toBe('there')
  await expect(filled.update('session', () => 'next')).rejects.toThrow('SecurityError')
  expect(await filled.get('session')).toBe('there')
})

test('what an earlier page had to keep elsewhere is found by the next one, although the first place can be read', async () => {
  const elsewhere = fine('elsewhere')
  const full: Place = { name: 'full', reach: 'origin', keyValue: { ...memoryKeyValue(), update: refuse } }
  await withFallback(full, elsewhere).update('transaction', () => 'kept')
  const told: string[] = []
  const next = withFallback(full, elsewhere)
  next.onDegraded(message => told.push(message))
  expect(await next.get('other')).toBeUndefined()
  expect(told).toEqual([])
  expect(await next.get('transaction')).toBe('kept')
  expect(next.reach).toBe('tab')
  expect(told).toHaveLength(1)
})
