import { describe, expect, test } from 'vitest'
import type { KeyValue } from '../../../src/core/ports.ts'
import type { SessionRecord } from '../../../src/core/session.ts'
import { memoryKeyValue } from '../../../src/store/memory.ts'
import { createTokenStore } from '../../../src/store/token-store.ts'

const record = (version: number, sessionId = 'lk.test.1'): SessionRecord => ({
  schema: 1,
  sessionId,
  version,
  tokens: { accessToken: `access-${version}`, refreshToken: `refresh-${version}`, scope: 'read' },
})

/** Two stores over one place, as two tabs have them; writes may be made to fail. */
function twoTabs() {
  const place = memoryKeyValue()
  const state = { broken: false }
  const keyValue: KeyValue = {
    ...place,
    update: (key, change) =>
      state.broken ? Promise.reject(new Error('the disk is full')) : place.update(key, change),
  }
  return {
    state,
    place,
    one: createTokenStore(keyValue, 'session'),
    other: createTokenStore(keyValue, 'session'),
  }
}

describe('the token store', () => {
  test('knows nothing before it has read', async () => {
    const { one, other } = twoTabs()
    await one.replace(record(1))
    expect(other.current).toBeUndefined()
    expect(await other.read()).toEqual(record(1))
    expect(other.current).toEqual(record(1))
  })

  test('replaces what is unchanged, and only that [RF08]', async () => {
    const { one, other } = twoTabs()
    await one.replace(record(1))
    await other.read()
    expect(await one.replace(record(2), record(1))).toBe(true)
    expect(await other.replace({ ...record(2), sessionId: 'late' }, record(1))).toBe(false)
    expect(await other.read()).toEqual(record(2))
  })

  test.each<[string, SessionRecord | undefined]>([
    ['that another session took the place of', record(1, 'lk.test.2')],
    ['that is gone', undefined],
  ])('does not replace a session %s', async (_what, meanwhile) => {
    const { one, place } = twoTabs()
    await one.replace(record(1))
    await place.update('session', () => meanwhile)
    expect(await one.replace(record(2), record(1))).toBe(false)
    expect(await place.get('session')).toEqual(meanwhile)
  })

  test('of many that replace at once, lets one', async () => {
    const { one, other } = twoTabs()
    await one.replace(record(1))
    const results = await Promise.all(
      Array.from({ length: 20 }, (_, index) =>
        (index % 2 ? one : other).replace({ ...record(2), sessionId: `${index}` }, record(1)),
      ),
    )
    expect(results.filter(Boolean)).toHaveLength(1)
  })

  test('clears what is there and tells what it was', async () => {
    const { one, other } = twoTabs()
    await one.replace(record(1))
    expect(await other.clear()).toEqual(record(1))
    expect(await one.read()).toBeUndefined()
    expect(await one.clear()).toBeUndefined()
  })

  test('does not clear a session that has been rotated meanwhile', async () => {
    const { one, other } = twoTabs()
    await one.replace(record(1))
    await other.replace(record(2), record(1))
    expect(await one.clear(record(1))).toBeUndefined()
    expect(await one.read()).toEqual(record(2))
    expect(await one.clear(record(2))).toEqual(record(2))
    expect(one.current).toBeUndefined()
  })

  test('forgets its copy without touching the store', async () => {
    const { one } = twoTabs()
    await one.replace(record(1))
    one.forget()
    expect(one.current).toBeUndefined()
    expect(await one.read()).toEqual(record(1))
  })

  test('keeps its copy when a write fails', async () => {
    const { one, state } = twoTabs()
    await one.replace(record(1))
    state.broken = true
    await expect(one.replace(record(2), record(1))).rejects.toThrow('full')
    expect(one.current).toEqual(record(1))
  })

  test('stores with the next read what could not be stored before', async () => {
    const { one, other, state } = twoTabs()
    await one.replace(record(1))
    state.broken = true
    await one.replace(record(2), record(1)).catch(() => one.keep(record(2), record(1)))
    expect(one.current).toEqual(record(2))
    state.broken = false
    expect(await one.read()).toEqual(record(2))
    expect(await other.read()).toEqual(record(2))
  })

  test('gives up what it could not store when somebody else has stored meanwhile', async () => {
    const { one, other, state } = twoTabs()
    await one.replace(record(1))
    one.keep(record(2), record(1))
    state.broken = false
    await other.replace({ ...record(2), sessionId: 'lk.test.2' })
    expect(await one.read()).toMatchObject({ sessionId: 'lk.test.2' })
    expect(await one.read()).toMatchObject({ sessionId: 'lk.test.2' })
  })

  test('does not bring back what it could not store after a sign-out', async () => {
    const { one, other } = twoTabs()
    await one.replace(record(1))
    one.keep(record(2), record(1))
    await other.clear()
    expect(await one.read()).toBeUndefined()
    expect(one.current).toBeUndefined()
  })
})
