import { describe, expect, test } from 'vitest'
import { withFallback } from '../../../src/storage/fallback.ts'
import { memoryKeyValue } from '../../../src/storage/memory.ts'
import { webStorageKeyValue } from '../../../src/storage/session-storage.ts'

const denied = (): never => {
  throw new DOMException('denied', 'SecurityError')
}
const full = Object.assign(Object.create({ getItem: () => null, removeItem() {} }), { setItem: denied })

describe.each<[string, () => Storage]>([
  ['throws when it is accessed', denied],
  ['is null', () => null as unknown as Storage],
  ['is missing', () => undefined as unknown as Storage],
  ['throws when it is written to', () => full],
  ['has methods that do not work, as in Node without a storage file', () => ({}) as Storage],
])('a web storage that %s', (_what, area) => {
  test('throws nothing at creation, and memory replaces it with one report', async () => {
    const told: string[] = []
    const keyValue = withFallback(
      { any: () => false, note() {} },
      { name: 'sessionStorage', reach: 'tab', keyValue: webStorageKeyValue(area) },
      { name: 'memory', reach: 'page', keyValue: memoryKeyValue() },
    )
    keyValue.onDegraded(message => told.push(message))
    await keyValue.update('key', () => 'value')
    expect(await keyValue.get('key')).toBe('value')
    expect(keyValue.reach).toBe('page')
    expect(told).toHaveLength(1)
  })
})
