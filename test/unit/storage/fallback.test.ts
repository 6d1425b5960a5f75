import { describe, expect, test } from 'vitest'
import type { KeyValue } from '../../../src/core/ports.ts'
import { type Place, withFallback as withPlaces } from '../../../src/storage/fallback.ts'
import { type Marks, marked } from '../../../src/storage/marks.ts'
import { memoryKeyValue } from '../../../src/storage/memory.ts'

const refuse = async (): Promise<never> => {
  throw new Error('SecurityError')
}
const blocked: Place = {
  name: 'blocked',
  reach: 'origin',
  keyValue: { get: refuse, update: refuse, keys: refuse },
}
/** Accepts everything and keeps nothing, like some browsers in private windows. */
const forgetful: Place = {
  name: 'forgetful',
  reach: 'origin',
  keyValue: { get: async () => undefined, update: async () => {}, keys: async () => [] },
}
const fine = (name = 'fine'): Place => ({ name, reach: 'tab', keyValue: memoryKeyValue() })

/** A browser without localStorage. */
const noMarks: Marks = { any: () => false, note() {} }
const withMarks = (marks: Marks, first: Place, ...others: Place[]) =>
  withPlaces(marks, { ...first, keyValue: marked(first.keyValue, marks) }, ...others)
const withFallback = (...places: [Place, ...Place[]]) => withMarks(noMarks, ...places)

const use = async (keyValue: KeyValue) => {
  await keyValue.update('word', () => 'kept')
  return keyValue.get('word')
}

describe('a place that does not work', () => {
  test('is replaced by the next one that keeps its data, and this is reported once', async () => {
    const told: string[] = []
    const places = withFallback(blocked, forgetful, fine(), fine('last'))
    places.onDegraded(message => told.push(message))
    expect(await use(places)).toBe('kept')
    expect(await places.keys('')).toEqual(['word'])
    expect(places.reach).toBe('tab')
    expect(told).toEqual([expect.stringContaining('blocked')])
    expect(told[0]).toContain('fine')
  })

  test('is replaced by the same place for all simultaneous callers', async () => {
    const places = withFallback(blocked, fine())
    await Promise.all(Array.from({ length: 10 }, (_, at) => places.update(`word ${at}`, () => at)))
    expect(await places.keys('')).toHaveLength(10)
  })

  test('is also reported to later listeners', async () => {
    const places = withFallback(blocked, fine())
    await use(places)
    const told: string[] = []
    places.onDegraded(message => told.push(message))
    expect(told).toHaveLength(1)
  })

  test('stays in use if the others do not work either, and its own error is reported', async () => {
    const places = withFallback(blocked, forgetful)
    await expect(places.get('word')).rejects.toThrow('SecurityError')
    expect(places.reach).toBe('origin')
  })
})

test('a place that has worked and then fails is kept: its failure is reported, and it works again later', async () => {
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

test('a place that is readable but not writable is replaced if it is empty, and kept otherwise', async () => {
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

test('a session that an earlier page stored elsewhere is found even if the first place can be read', async () => {
  const elsewhere = fine('elsewhere')
  const full: Place = { name: 'full', reach: 'origin', keyValue: { ...memoryKeyValue(), update: refuse } }
  await withFallback(full, elsewhere).update('my session', () => 'kept')
  const told: string[] = []
  const next = withFallback(full, elsewhere)
  next.onDegraded(message => told.push(message))
  expect(await next.get('other')).toBeUndefined()
  expect(told).toEqual([])
  expect(await next.get('my session')).toBe('kept')
  expect(next.reach).toBe('tab')
  expect(told).toHaveLength(1)
})

test('other data that an earlier page stored elsewhere is found, and the first place stays in use [F2.10]', async () => {
  const first = fine('first')
  const elsewhere = fine('elsewhere')
  await elsewhere.keyValue.update('metadata', () => 'left')
  await first.keyValue.update('my session', () => 'kept')
  const places = withFallback(first, elsewhere)
  expect(await places.get('metadata')).toBe('left')
  expect(await places.get('my session')).toBe('kept')
})

describe('a failing place that is known to hold a session', () => {
  const SESSION = 'my session'
  const marksIn = (kept: Set<string>): Marks => ({
    any: () => kept.size > 0,
    note: (key, isThere) => void (isThere ? kept.add(key) : kept.delete(key)),
  })
  /** A browser that stores `SESSION`, and its consecutive pages. */
  const origin = async () => {
    const kept = new Set<string>()
    const inner = memoryKeyValue()
    const order = { fails: false, isFull: false }
    const guard = <T>(isBad: boolean, work: () => Promise<T>) => (isBad ? refuse() : work())
    const first: Place = {
      name: 'first',
      reach: 'origin',
      keyValue: {
        get: key => guard(order.fails, () => inner.get(key)),
        update: (key, change) => guard(order.fails || order.isFull, () => inner.update(key, change)),
        keys: prefix => guard(order.fails, () => inner.keys(prefix)),
      },
    }
    const tab = fine('tab')
    const page = () => withMarks(marksIn(kept), first, tab, { ...fine('memory'), reach: 'page' })
    await page().update(SESSION, () => 'old')
    return { kept, inner, order, tab, page }
  }

  test('does not count as empty, is kept, and is tried again each time [F2.10]', async () => {
    const { order, page } = await origin()
    order.fails = true
    const places = page()
    await expect(places.get('other')).rejects.toThrow('SecurityError')
    await expect(places.get(SESSION)).rejects.toThrow('SecurityError')
    await expect(places.keys('')).rejects.toThrow('SecurityError')
    await expect(places.update('other', () => 'kept')).rejects.toThrow('SecurityError')
    expect(places.reach).toBe('origin')
    order.fails = false
    expect(await places.get(SESSION)).toBe('old')
  })

  test('can be replaced again after its session has ended or was removed with everything else [F2.10]', async () => {
    for (const end of ['here', 'elsewhere'] as const) {
      const { kept, inner, order, page } = await origin()
      if (end === 'here') await page().update(SESSION, () => undefined)
      else {
        await inner.update(SESSION, () => undefined)
        expect(await page().get(SESSION)).toBeUndefined()
      }
      await expect.poll(() => [...kept]).toEqual([])
      order.fails = true
      const places = page()
      expect(await places.get(SESSION)).toBeUndefined()
      expect(await use(places)).toBe('kept')
      expect(places.reach).toBe('tab')
    }
  })

  test('is known from the first page that reads it, whichever page stored it', async () => {
    const { kept, page } = await origin()
    kept.clear() // stored by a version without marks
    expect(await page().get(SESSION)).toBe('old')
    await expect.poll(() => [...kept]).toEqual([SESSION])
  })

  test.each(['fails', 'isFull'] as const)(
    "and %s keeps a new sign-in in the tab, where the tab's next pages use it [F2.10, F2.11]",
    async how => {
      const { order, page, inner } = await origin()
      const told: string[] = []
      order[how] = true
      const signingIn = page()
      signingIn.onDegraded(message => told.push(message))
      if (how === 'isFull') expect(await signingIn.get(SESSION)).toBe('old')
      await signingIn.update(SESSION, () => 'new')
      expect(told).toHaveLength(1)
      for (const isBroken of [true, false]) {
        order[how] = isBroken
        const next = page()
        expect(await next.get(SESSION)).toBe('new')
        expect(next.reach).toBe('tab')
      }
      expect(await inner.get(SESSION)).toBe('old')
    },
  )

  test('rejects a write only if nothing would change: changed data is kept in the tab [F2.11]', async () => {
    for (const how of ['fails', 'isFull'] as const) {
      const { order, page, tab } = await origin()
      order[how] = true
      const places = page()
      const rotate = (stored: unknown) => (stored === 'old' ? 'rotated' : stored)
      await expect(places.update(SESSION, rotate)).rejects.toThrow('SecurityError')
      await expect(places.update(SESSION, () => undefined)).rejects.toThrow('SecurityError')
      expect(places.reach).toBe('origin')
      expect(await tab.keyValue.keys('')).toEqual([])
      order[how] = false
      await places.update(SESSION, rotate)
      expect(await places.get(SESSION)).toBe('rotated')
    }
  })

  test('no longer holds a session after an end, and an end in the tab does not count as a session [F2.10]', async () => {
    const end = { ended: 'signed_out' }
    const { kept, order, page, tab } = await origin()
    order.fails = true
    await expect(page().update(SESSION, () => end)).rejects.toThrow('SecurityError')
    expect(await tab.keyValue.keys('')).toEqual([])
    order.fails = false
    await page().update(SESSION, () => end)
    expect(kept.size).toBe(0)
    expect(await page().get(SESSION)).toEqual(end)
    // an end that is left in the tab does not hide the session that came after it
    await tab.keyValue.update(SESSION, () => end)
    await page().update(SESSION, () => 'newer')
    expect(await page().get(SESSION)).toBe('newer')
  })

  test('loses its session to a sign-out in a tab that had to continue without it, but not to another end', async () => {
    for (const [change, left] of [
      [() => undefined, undefined],
      [(stored: unknown) => (stored === 'new' ? undefined : stored), 'old'],
    ] as const) {
      const { kept, order, page, inner } = await origin()
      order.fails = true
      await page().update(SESSION, () => 'new')
      order.fails = false
      const next = page()
      await next.get(SESSION)
      await next.update(SESSION, change)
      expect(await next.get(SESSION)).toBeUndefined()
      await expect.poll(() => inner.get(SESSION)).toBe(left)
      expect(kept.size).toBe(left ? 1 : 0)
      expect(await page().get(SESSION)).toBe(left)
    }
  })
})
