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

/** Like web storage and files, drops values that JSON cannot represent. */
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
    /** A sign-in that returns tokens. */
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

describe('keys of abandoned sign-ins', () => {
  test.each<[string, () => KeyValue, () => KeyValue | undefined]>([
    ['in the client’s own store', memoryKeyValue, () => undefined],
    ['in a store that holds no keys, as JWKs', jsonKeyValue, () => undefined],
    ['in another place, because the store holds no keys', jsonKeyValue, memoryKeyValue],
  ])("are limited to the newest twenty, plus the session's: %s [F5.7, F5.4]", async (_what, own, other) => {
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
  })

  test('are deleted after an hour, when the next sign-in starts [F5.7]', async () => {
    const { clock, keys, signIn, kept } = setUp()
    await signIn('session')
    await keys.create('old')
    clock.advance(HOUR + 1000)
    await keys.create('new')
    expect(await kept()).toEqual(['new', 'session'])
  })

  test("are distinguished from keys of other tabs' sessions in a shared place [F5.7]", async () => {
    const shared = memoryKeyValue()
    const other = setUp(jsonKeyValue(), shared)
    await other.signIn('of-another-tab')
    const { clock, keys, kept } = setUp(jsonKeyValue(), shared)
    clock.advance(2 * HOUR)
    for (const name of names(1, 30)) await keys.create(name)
    expect(await kept(shared)).toHaveLength(21)
    expect(await other.keys.find('of-another-tab')).toBeDefined()
  })

  test('do not include one whose token request was rejected, until it is old [F5.7]', async () => {
    const { clock, keys, kept } = setUp()
    await keys.create('refused')
    await keys.used('refused', 60_000, false)
    expect((await keys.find('refused'))?.aheadMs).toBe(60_000)
    clock.advance(HOUR + 1000)
    await keys.create('next')
    expect(await kept()).toEqual(['next'])
  })

  test('from an earlier version that did not mark sign-ins are left alone in another place [F5.7]', async () => {
    const shared = memoryKeyValue()
    const { keyPair } = await setUp().keys.create('any')
    const old = { schema: 1, createdAt: Date.now() - 10 * HOUR, aheadMs: 0, keyPair }
    await shared.update(`${PREFIX}earlier`, () => old)
    const { keys, kept } = setUp(jsonKeyValue(), shared)
    for (const name of names(1, 30)) await keys.create(name)
    expect(await kept(shared)).toContain('earlier')
  })
})
