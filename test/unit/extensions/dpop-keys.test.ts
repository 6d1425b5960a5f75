import { describe, expect, test } from 'vitest'
import type { KeyValue } from '../../../src/core/ports.ts'
import type { SessionRecord } from '../../../src/core/session.ts'
import { createDpopKeys } from '../../../src/extensions/dpop-keys.ts'
import { memoryKeyValue } from '../../../src/storage/memory.ts'
import { handClock } from '../../support/clock.ts'

const PREFIX = 'latchkey test dpop '
const HOUR = 3_600_000
const generate = (extractable: boolean) =>
  crypto.subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, extractable, ['sign', 'verify'])

/** As web storage and files are: what cannot be written as JSON is not there afterwards. */
function jsonKeyValue(): KeyValue {
  const inner = memoryKeyValue()
  const copy = (value: unknown) => (value === undefined ? undefined : JSON.parse(JSON.stringify(value)))
  return { ...inner, update: (key, change) => inner.update(key, stored => copy(change(stored))) }
}

function setUp(keyValue: KeyValue = memoryKeyValue(), elsewhere?: KeyValue) {
  const clock = handClock()
  let session: string | undefined
  const context = {
    keyValue,
    prefix: 'latchkey test',
    clock,
    readSession: async () => (session ? ({ sessionId: session } as SessionRecord) : undefined),
  }
  const keys = createDpopKeys(context, elsewhere, generate)
  return {
    clock,
    keys,
    /** A sign-in that brings tokens. */
    async signIn(sessionId: string) {
      await keys.create(sessionId)
      await keys.used(sessionId, 0, true)
      session = sessionId
    },
    kept: async (place = keyValue) => (await place.keys(PREFIX)).map(key => key.slice(PREFIX.length)).sort(),
  }
}

const names = (from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, index) => `given-up-${String(from + index).padStart(3, '0')}`)

describe('keys of sign-ins that were given up', () => {
  test.each<[string, () => KeyValue, () => KeyValue | undefined]>([
    ['in the client’s own store', memoryKeyValue, () => undefined],
    ['in a store that holds no keys, as JWKs', jsonKeyValue, () => undefined],
    ['elsewhere, where the store holds no keys', jsonKeyValue, memoryKeyValue],
  ])(
    'are twenty at most, the newest, beside that of the session: %s [F5.7, F5.4]',
    async (_what, own, other) => {
      const elsewhere = other()
      const { clock, keys, signIn, kept } = setUp(own(), elsewhere)
      await signIn('session')
      for (const name of names(1, 60)) {
        clock.advance(1000)
        await keys.create(name)
      }
      expect(await kept(elsewhere)).toEqual([...names(41, 60), 'session'])
      expect(await keys.find('session')).toBeDefined()
      expect(await keys.find(names(60, 60)[0] as string)).toBeDefined()
    },
  )

  test('are gone after an hour, when the next begins [F5.7]', async () => {
    const { clock, keys, signIn, kept } = setUp()
    await signIn('session')
    await keys.create('old')
    clock.advance(HOUR + 1000)
    await keys.create('new')
    expect(await kept()).toEqual(['new', 'session'])
  })

  test('are told from keys of sessions that other tabs have, in the place that they share [F5.7]', async () => {
    const shared = memoryKeyValue()
    const other = setUp(jsonKeyValue(), shared)
    await other.signIn('of-another-tab')
    const { clock, keys, kept } = setUp(jsonKeyValue(), shared)
    clock.advance(2 * HOUR)
    for (const name of names(1, 30)) await keys.create(name)
    expect(await kept(shared)).toHaveLength(21)
    expect(await other.keys.find('of-another-tab')).toBeDefined()
  })

  test('do not include one whose token request was refused, until it is old [F5.7]', async () => {
    const { clock, keys, kept } = setUp()
    await keys.create('refused')
    await keys.used('refused', 60_000, false)
    expect((await keys.find('refused'))?.aheadMs).toBe(60_000)
    clock.advance(HOUR + 1000)
    await keys.create('next')
    expect(await kept()).toEqual(['next'])
  })

  test('that an earlier version kept, which says nothing of sign-ins, are left alone elsewhere [F5.7]', async () => {
    const shared = memoryKeyValue()
    const { keyPair } = await setUp().keys.create('any')
    const old = { schema: 1, createdAt: Date.now() - 10 * HOUR, aheadMs: 0, keyPair }
    await shared.update(`${PREFIX}earlier`, () => old)
    const { keys, kept } = setUp(jsonKeyValue(), shared)
    for (const name of names(1, 30)) await keys.create(name)
    expect(await kept(shared)).toContain('earlier')
  })
})
