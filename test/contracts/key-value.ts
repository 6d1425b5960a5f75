import { describe, expect, test } from 'vitest'
import type { KeyValue } from '../../src/core/ports.ts'

export interface KeyValueSubject {
  /** A new, unused place. */
  create(): KeyValue | Promise<KeyValue>
  /** A second instance over the latest place from `create`, if such a place can be shared. */
  again?: () => KeyValue | Promise<KeyValue>
  /** Stores something that is not a value, if other code can reach the place; `key` is the key in question. */
  damage?: (key: string) => void | Promise<void>
}

const text = { word: 'grüß', list: [1, { deep: true }], none: null, empty: '', number: -0.5 }

/** Requirements for every KeyValue. */
export function keyValueContract(name: string, { create, again, damage }: KeyValueSubject): void {
  describe(`${name} as a KeyValue`, () => {
    test('a key that was never stored is undefined, and there are no keys', async () => {
      const place = await create()
      expect(await place.get('absent')).toBeUndefined()
      expect(await place.get('__proto__')).toBeUndefined()
      expect(await place.get('constructor')).toBeUndefined()
      expect(await place.keys('')).toEqual([])
    })

    test.each([
      ['an object', text],
      ['an array', [1, 'two', null]],
      ['a string', 'one'],
      ['zero', 0],
      ['false', false],
    ])('%s is read as it was stored', async (_what, value) => {
      const place = await create()
      await place.update('key', () => value)
      expect(await place.get('key')).toEqual(value)
    })

    test('an update receives the stored value and stores what it returns', async () => {
      const place = await create()
      const seen: unknown[] = []
      for (const next of ['first', 'second']) {
        let shown: unknown
        await place.update('key', stored => {
          shown = stored // the callback may run more than once: the last run counts
          return next
        })
        seen.push(shown)
      }
      expect(seen).toEqual([undefined, 'first'])
      expect(await place.get('key')).toBe('second')
    })

    test('storing undefined deletes the key', async () => {
      const place = await create()
      await place.update('key', () => text)
      await place.update('key', () => undefined)
      expect(await place.get('key')).toBeUndefined()
      expect(await place.keys('')).toEqual([])
      await place.update('never there', () => undefined)
      expect(await place.keys('')).toEqual([])
    })

    test('an update that returns the stored value leaves it unchanged', async () => {
      const place = await create()
      await place.update('key', () => text)
      await place.update('key', stored => stored)
      expect(await place.get('key')).toEqual(text)
    })

    test('an update that throws rejects, changes nothing and does not block the next', async () => {
      const place = await create()
      await place.update('key', () => 'kept')
      const failed = place.update('key', () => {
        throw new RangeError('no')
      })
      await expect(failed).rejects.toThrow(RangeError)
      expect(await place.get('key')).toBe('kept')
      await place.update('key', () => 'next')
      expect(await place.get('key')).toBe('next')
    })

    test('simultaneous updates of one key by many callers lose none', async () => {
      const place = await create()
      const addOne = (stored: unknown) => ((stored as number | undefined) ?? 0) + 1
      await Promise.all(Array.from({ length: 25 }, () => place.update('counter', addOne)))
      expect(await place.get('counter')).toBe(25)
    })

    test('simultaneous updates of different keys lose none', async () => {
      const place = await create()
      const keys = Array.from({ length: 10 }, (_, index) => `key ${index}`)
      await Promise.all(keys.map(key => place.update(key, () => key)))
      expect(await Promise.all(keys.map(key => place.get(key)))).toEqual(keys)
    })

    test('keys() returns only keys that begin with a prefix', async () => {
      const place = await create()
      for (const key of ['a 1', 'a 2', 'b 1', 'a', 'xa 1']) await place.update(key, () => 'value')
      expect((await place.keys('a ')).sort()).toEqual(['a 1', 'a 2'])
      expect((await place.keys('')).sort()).toEqual(['a', 'a 1', 'a 2', 'b 1', 'xa 1'])
      expect(await place.keys('a .*')).toEqual([])
    })

    test('keys that look like members of an object are ordinary keys', async () => {
      const place = await create()
      for (const key of ['__proto__', 'constructor', 'length', 'getItem']) {
        await place.update(key, () => ({ stored: key }))
        expect(await place.get(key)).toEqual({ stored: key })
      }
      expect(({} as { stored?: string }).stored).toBeUndefined()
    })

    if (again) {
      test("two instances over the same place see each other's writes", async () => {
        const one = await create()
        const other = await again()
        await one.update('key', () => 'by one')
        expect(await other.get('key')).toBe('by one')
        await other.update('key', stored => `${stored}, by other`)
        expect(await one.get('key')).toBe('by one, by other')
        await other.update('key', () => undefined)
        expect(await one.get('key')).toBeUndefined()
      })

      test('simultaneous updates through two instances lose none', async () => {
        const both = [await create(), await again()]
        const addOne = (stored: unknown) => ((stored as number | undefined) ?? 0) + 1
        const turns = Array.from({ length: 10 }, () => both.map(place => place.update('counter', addOne)))
        await Promise.all(turns.flat())
        expect(await both[0]?.get('counter')).toBe(20)
      })
    }

    if (damage) {
      test('an entry that other code has damaged reads as undefined and can be written again', async () => {
        const place = await create()
        await place.update('key', () => text)
        await damage('key')
        expect(await place.get('key')).toBeUndefined()
        await place.update('key', stored => ({ found: stored === undefined }))
        expect(await place.get('key')).toEqual({ found: true })
      })
    }
  })
}
