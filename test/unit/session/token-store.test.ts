import { describe, expect, test } from 'vitest'
import { createSessionWrites } from '../../../src/authorization/session-writes.ts'
import { storeSignIn } from '../../../src/authorization/sign-in.ts'
import type { KeyValue } from '../../../src/core/ports.ts'
import { epochOf, type SessionRecord } from '../../../src/core/session.ts'
import { type EndReason, StorageError } from '../../../src/errors.ts'
import { createTokenStore } from '../../../src/session/token-store.ts'
import { memoryKeyValue } from '../../../src/storage/memory.ts'
import { gate, turn } from '../../support/gate.ts'

const record = (version: number, sessionId = 'lk.test.1'): SessionRecord => ({
  schema: 1,
  sessionId,
  version,
  epoch: 0,
  tokens: { accessToken: `access-${version}`, refreshToken: `refresh-${version}`, scope: 'read' },
})

/** The token store of one client, with the changes that its second half makes. */
function openStore(keyValue: KeyValue) {
  const records = createTokenStore(keyValue, 'session')
  const { begin, replace, keep, keepSignIn, end } = createSessionWrites(records, () => {})
  return {
    ...{ begin, replace, keep, keepSignIn, read: records.read, drop: records.drop },
    get stored() {
      return records.stored
    },
    get inStore() {
      return records.inStore
    },
    get current() {
      return records.current
    },
    end: (reason: EndReason, unchanged?: SessionRecord) =>
      unchanged ? end(reason, unchanged) : records.end(reason),
  }
}

/** Two token stores over one place, as in two tabs; writes can be made to fail. */
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
    one: openStore(keyValue),
    other: openStore(keyValue),
  }
}

/** Two tabs, of which one has signed out and in again while nothing could be stored. */
async function signedInAgainFromMemory() {
  const { one, other, state } = twoTabs()
  await one.begin(record(1))
  await other.read()
  state.broken = true
  await expect(one.end('signed_out')).rejects.toThrow('the disk is full')
  const next = { ...record(1, 'lk.test.2'), epoch: epochOf(one.inStore) }
  expect(one.keepSignIn(next, undefined)).toBe(true)
  state.broken = false
  return { one, other }
}

describe('the token store', () => {
  test('has no session before it has read', async () => {
    const { one, other } = twoTabs()
    await one.begin(record(1))
    expect(other.current).toBeUndefined()
    expect(await other.read()).toEqual(record(1))
    expect(other.current).toEqual(record(1))
  })

  test('replaces only an unchanged record [RF08]', async () => {
    const { one, other } = twoTabs()
    await one.begin(record(1))
    await other.read()
    expect(await one.replace(record(2), record(1))).toBe(true)
    expect(await other.replace({ ...record(2), sessionId: 'late' }, record(1))).toBe(false)
    expect(await other.read()).toEqual(record(2))
  })

  test('begins no session that a sign-out of a later release has ended meanwhile [F1.6]', async () => {
    const { one, other, place } = twoTabs()
    await one.begin(record(1))
    await other.read()
    await one.end('signed_out')
    await place.update('session', ended => ({ ...(ended as object), schema: 2 }))
    expect(await other.begin(record(1, 'lk.test.2'))).toBe(false)
    expect(await other.begin({ ...record(1, 'lk.test.2'), epoch: 1 })).toBe(true)
  })

  test('forgets a session that a later release has replaced, if a sign-out finds that [F1.6]', async () => {
    const { one, place } = twoTabs()
    await one.begin(record(1))
    const newer = { schema: 2, sessionId: 'lk.test.2' }
    await place.update('session', () => newer)
    expect(await one.end('signed_out')).toBe(undefined)
    expect(one.current).toBe(undefined)
    expect(one.stored).toMatchObject({ unusable: 'newer' })
    expect(await place.get('session')).toEqual(newer)
  })

  test.each<[string, SessionRecord | undefined]>([
    ['that another session replaced', record(1, 'lk.test.2')],
    ['that was removed', undefined],
  ])('does not replace a session %s', async (_what, meanwhile) => {
    const { one, place } = twoTabs()
    await one.begin(record(1))
    await place.update('session', () => meanwhile)
    expect(await one.replace(record(2), record(1))).toBe(false)
    expect(await place.get('session')).toEqual(meanwhile)
  })

  test('keeps the id of the session that has ended when another tab signs out again', async () => {
    const { one, other } = twoTabs()
    await one.begin(record(1))
    await other.read()
    await one.end('signed_out')
    await other.end('signed_out')
    expect(await one.read()).toMatchObject({ ended: 'signed_out', sessionId: 'lk.test.1' })
  })

  test('lets one of many simultaneous replacements succeed', async () => {
    const { one, other } = twoTabs()
    await one.begin(record(1))
    const results = await Promise.all(
      Array.from({ length: 20 }, (_, index) =>
        (index % 2 ? one : other).replace({ ...record(2), sessionId: `${index}` }, record(1)),
      ),
    )
    expect(results.filter(Boolean)).toHaveLength(1)
  })

  test('ends the session, returns it, and leaves the reason in its place [F2.3]', async () => {
    const { one, other } = twoTabs()
    await one.begin(record(1))
    expect(await other.end('expired')).toEqual(record(1))
    const ended = { schema: 1, ended: 'expired', sessionId: 'lk.test.1', epoch: 0 }
    expect(await one.read()).toEqual(ended)
    expect(one.current).toBeUndefined()
    expect(await one.end('dpop_key_lost')).toBeUndefined()
    expect(await other.read()).toEqual(ended)
  })

  test('does not end a session that has been refreshed meanwhile', async () => {
    const { one, other } = twoTabs()
    await one.begin(record(1))
    await other.replace(record(2), record(1))
    expect(await one.end('expired', record(1))).toBeUndefined()
    expect(await one.read()).toEqual(record(2))
    expect(await one.end('expired', record(2))).toEqual(record(2))
    expect(one.current).toBeUndefined()
  })

  test('remembers whose session expired, but not who signed out', async () => {
    const { one } = twoTabs()
    const claims = { iss: 'i', sub: 'alice', aud: 'a', exp: 2, iat: 1 }
    const alices = { ...record(1), tokens: { ...record(1).tokens, claims } }
    await one.begin(alices)
    await one.end('expired')
    expect(one.stored).toMatchObject({ subject: 'alice' })
    await one.begin(alices)
    await one.end('signed_out')
    expect(JSON.stringify(one.stored)).not.toContain('alice')
  })

  test('stores no sign-in that started before a sign-out, even if the client was signed out [F1.4]', async () => {
    const { one, other } = twoTabs()
    await other.end('signed_out')
    expect(await one.begin({ ...record(1), epoch: 0 })).toBe(false)
    expect(await one.begin({ ...record(1), epoch: 1 })).toBe(true)
    expect(await one.read()).toMatchObject({ sessionId: 'lk.test.1', epoch: 1 })
  })

  test('does not store a sign-in from memory after a sign-out [F1.9]', async () => {
    const { one, other } = twoTabs()
    one.keepSignIn({ ...record(1), epoch: 0 }, undefined)
    await other.begin(record(1, 'lk.test.2'))
    await other.end('signed_out')
    expect(await one.read()).toMatchObject({ ended: 'signed_out' })
    expect(one.current).toBeUndefined()
  })

  test('ends a session locally, and for all clients when the next read can write [F1.9]', async () => {
    const { one, other, state } = twoTabs()
    await one.begin(record(1))
    state.broken = true
    await expect(one.end('expired', record(1))).rejects.toThrow('full')
    expect(one.current).toBeUndefined()
    state.broken = false
    expect(await one.read()).toMatchObject({ ended: 'expired' })
    expect(await other.read()).toMatchObject({ ended: 'expired' })
  })

  test('keeps a session ended locally, even if a later sign-out cannot be stored either [F1.9]', async () => {
    const { one, other, state } = twoTabs()
    await one.begin(record(1))
    state.broken = true
    await expect(one.end('refresh_interrupted', record(1))).rejects.toThrow('full')
    await expect(one.end('signed_out')).rejects.toThrow('full')
    expect(await one.read()).toMatchObject({ ended: 'signed_out', sessionId: record(1).sessionId })
    expect(one.current).toBeUndefined()
    state.broken = false
    await one.read()
    expect(await other.read()).toMatchObject({ ended: 'signed_out', sessionId: record(1).sessionId })
  })

  test('does not apply a delayed end to a session that has started meanwhile', async () => {
    const { one, other, state } = twoTabs()
    await one.begin(record(1))
    state.broken = true
    await one.end('expired', record(1)).catch(() => {})
    state.broken = false
    await other.begin(record(1, 'lk.test.2'))
    expect(await one.read()).toMatchObject({ sessionId: 'lk.test.2' })
  })

  test('does not touch an unreadable record, and a sign-out ends one that it cannot use [F1.6]', async () => {
    const { one, place } = twoTabs()
    const newer = { schema: 2, whatever: true }
    await place.update('session', () => newer)
    expect(await one.end('signed_out')).toBeUndefined()
    expect(await place.get('session')).toEqual(newer)
    const bound = { ...record(1), tokenType: 'dpop' as const }
    await place.update('session', () => bound)
    expect(await one.end('expired')).toBeUndefined()
    expect(await place.get('session')).toEqual(bound)
    expect(await one.end('signed_out')).toEqual(bound)
    expect(await one.read()).toMatchObject({ ended: 'signed_out' })
  })

  test('keeps its copy if a write fails', async () => {
    const { one, state } = twoTabs()
    await one.begin(record(1))
    state.broken = true
    await expect(one.replace(record(2), record(1))).rejects.toThrow('full')
    expect(one.current).toEqual(record(1))
  })

  test('retries a failed write at the next read', async () => {
    const { one, other, state } = twoTabs()
    await one.begin(record(1))
    state.broken = true
    await one.replace(record(2), record(1)).catch(() => one.keep(record(2), record(1)))
    expect(one.current).toEqual(record(2))
    state.broken = false
    expect(await one.read()).toEqual(record(2))
    expect(await other.read()).toEqual(record(2))
  })

  test('drops a failed write if another client has stored meanwhile', async () => {
    const { one, other, state } = twoTabs()
    await one.begin(record(1))
    one.keep(record(2), record(1))
    state.broken = false
    await other.begin({ ...record(2), sessionId: 'lk.test.2' })
    expect(await one.read()).toMatchObject({ sessionId: 'lk.test.2' })
    expect(await one.read()).toMatchObject({ sessionId: 'lk.test.2' })
  })

  test('does not store a session from memory that has ended elsewhere [F1.9]', async () => {
    const { one } = twoTabs()
    await one.begin(record(1))
    one.keep(record(2), record(1))
    one.drop({ sessionId: 'another session', reason: 'expired' })
    expect(one.current).toEqual(record(2))
    one.drop({ sessionId: 'lk.test.1', reason: 'expired' })
    expect(await one.read()).toMatchObject({ ended: 'expired', sessionId: 'lk.test.1' })
  })

  test('does not go back to the stored refresh token, which it has used up, if the end cannot be stored either [F1.9]', async () => {
    const { one, other, state } = twoTabs()
    await one.begin(record(1))
    state.broken = true
    one.keep(record(2), record(1))
    one.drop({ sessionId: 'lk.test.1', reason: 'signed_out' })
    expect(await one.read()).toMatchObject({ ended: 'signed_out' })
    state.broken = false
    await one.read()
    expect(await other.read()).toMatchObject({ ended: 'signed_out', epoch: 1 })
  })

  test('shows no session that it has ended, although an earlier write of that session succeeds late', async () => {
    const { one, place, state } = twoTabs()
    await one.begin(record(1))
    state.broken = true
    await expect(one.end('signed_out')).rejects.toThrow('full')
    state.broken = false
    expect(await one.replace({ ...record(1), epoch: 0, requested: 'read' }, record(1))).toBe(false)
    expect(one.current).toBeUndefined()
    await one.read()
    expect(await place.get('session')).toMatchObject({ ended: 'signed_out' })
  })

  test('stores what comes after a record that it could not store', async () => {
    const { one, other, state } = twoTabs()
    await one.begin(record(1))
    state.broken = true
    one.keep(record(2), record(1))
    one.keep(record(3), record(2))
    state.broken = false
    expect(await one.replace(record(4), record(3))).toBe(true)
    expect(await other.read()).toEqual(record(4))
  })

  test('stores the mark of a sent refresh token later, if it could not be stored before the request', async () => {
    const { one, other } = twoTabs()
    const pending = { tokenHash: 'hash', sentAt: 1 }
    const marked = { ...record(1), pending }
    await one.begin(record(1))
    expect(await one.replace({ ...marked, requested: 'read' }, marked)).toBe(true)
    await other.read()
    const theirs = { ...record(1), pending: { tokenHash: 'hash', sentAt: 2 } }
    expect(await other.replace(theirs, { ...record(1), pending })).toBe(true)
    expect(await one.replace({ ...marked, requested: 'write' }, marked)).toBe(false)
  })

  test('ends a sign-in that was never stored only in this client: the session in the store goes on', async () => {
    const { one, other, state } = twoTabs()
    await one.begin(record(1))
    await other.read()
    state.broken = true
    expect(one.keepSignIn(record(1, 'lk.test.2'), 'lk.test.1')).toBe(true)
    await expect(one.end('expired', record(1, 'lk.test.2'))).rejects.toThrow('full')
    expect(one.current).toBeUndefined()
    expect(await one.read()).toEqual(record(1))
    expect(one.keepSignIn(record(1, 'lk.test.3'), 'lk.test.1')).toBe(true)
    state.broken = false
    expect(await one.end('expired', record(1, 'lk.test.3'))).toBeUndefined()
    expect(one.stored).toMatchObject({ ended: 'expired', sessionId: 'lk.test.3' })
    expect(await one.read()).toEqual(record(1))
    expect(await other.read()).toEqual(record(1))
  })

  test('signs out of a sign-in that was never stored, and of the session in the store that it has replaced', async () => {
    const { one, other, state } = twoTabs()
    await one.begin(record(1))
    state.broken = true
    one.keepSignIn(record(1, 'lk.test.2'), 'lk.test.1')
    await expect(one.end('signed_out')).rejects.toThrow('full')
    state.broken = false
    expect(await one.read()).toMatchObject({ ended: 'signed_out', sessionId: 'lk.test.2' })
    expect(await other.read()).toMatchObject({ ended: 'signed_out' })
  })

  test('keeps no sign-in that was stored although its write failed, and has been replaced since', async () => {
    const { one, other, place } = twoTabs()
    await one.begin(record(1))
    await other.begin(record(1, 'lk.test.2'))
    expect(one.keepSignIn(record(1, 'lk.test.2'), 'lk.test.1')).toBe(true)
    await one.read()
    expect(one.keepSignIn(record(1, 'lk.test.2'), 'lk.test.1')).toBe(true)
    await other.begin(record(1, 'lk.test.3'))
    await one.read()
    expect(one.keepSignIn(record(1, 'lk.test.2'), 'lk.test.1')).toBe(false)
    expect(one.current).toMatchObject({ sessionId: 'lk.test.3' })
    expect(await place.get('session')).toMatchObject({ sessionId: 'lk.test.3' })
  })

  test('stores a sign-in from memory, even if the previous session has ended meanwhile [F1.9]', async () => {
    const { one, other } = twoTabs()
    await one.begin(record(1))
    await other.read()
    const next = record(1, 'lk.test.2')
    one.keepSignIn(next, 'lk.test.1')
    await other.end('expired', record(1))
    expect(await one.read()).toMatchObject({ sessionId: 'lk.test.2' })
    expect(await other.read()).toMatchObject({ sessionId: 'lk.test.2' })
    // but not after it has ended, nor after a sign-out
    for (const reason of ['expired', 'signed_out'] as const) {
      const third = record(1, `lk.test.${reason}`)
      expect(one.keepSignIn(third, one.current?.sessionId)).toBe(true)
      await other.begin(third)
      await other.end(reason)
      expect(await one.read()).toMatchObject({ ended: reason })
    }
  })

  test('stores a sign-in from memory that followed a sign-out from memory, even if the server ends the session before both [F1.9]', async () => {
    const { one, other } = await signedInAgainFromMemory()
    await other.end('refresh_interrupted', record(1))
    expect(await one.read()).toMatchObject({ sessionId: 'lk.test.2' })
    expect(await other.read()).toMatchObject({ sessionId: 'lk.test.2' })
  })

  test('does not store a sign-in from memory after a sign-out in another tab, although it followed a sign-out from memory', async () => {
    const { one, other } = await signedInAgainFromMemory()
    await other.end('signed_out')
    expect(await one.read()).toMatchObject({ ended: 'signed_out' })
    expect(one.current).toBeUndefined()
  })

  test('stores a sign-in from memory despite an earlier sign-out in another tab, even if its client could not read that [F2.10]', async () => {
    const { one, other, state } = twoTabs()
    await one.begin(record(1))
    await other.read()
    await other.end('signed_out')
    state.broken = true
    // the store could not be read when the sign-in began
    expect(one.keepSignIn({ ...record(1, 'lk.test.2'), epoch: undefined }, 'lk.test.1')).toBe(true)
    state.broken = false
    expect(await one.read()).toMatchObject({ sessionId: 'lk.test.2' })
    // but not after its own end
    await other.read()
    await other.end('signed_out')
    expect(await one.read()).toMatchObject({ ended: 'signed_out' })
  })

  test('does not store a session from memory that ends during the write [F1.9]', async () => {
    const place = memoryKeyValue()
    const order = { write: () => {} }
    const slow: KeyValue = {
      ...place,
      update: async (key, change) => {
        await new Promise<void>(resolve => Object.assign(order, { write: resolve }))
        await place.update(key, change)
      },
    }
    await openStore(place).begin(record(1))
    const one = openStore(slow)
    await one.read()
    one.keep(record(2), record(1))
    const reading = one.read()
    one.drop({ sessionId: 'lk.test.1', reason: 'expired' })
    order.write()
    expect(await reading).toMatchObject({ ended: 'expired' })
    const again = one.read()
    order.write()
    await again
    expect(await place.get('session')).toMatchObject({ ended: 'expired' })
  })

  test.each([
    [0, 1],
    [1, 0],
  ])(
    'shows no older value if two reads overlap, whichever of them is answered first (%i, %i)',
    async (...order) => {
      const place = memoryKeyValue()
      const gates = [gate(), gate()]
      let asked = 0
      const slow: KeyValue = {
        ...place,
        get: async key => {
          // the store reads the value for the second request before it does for the first
          const early = asked === 1 ? place.get(key) : undefined
          await gates[asked++]?.opened
          return early ?? place.get(key)
        },
      }
      await openStore(place).begin(record(1))
      const one = openStore(slow)
      const reads = [one.read(), one.read()]
      await openStore(place).begin(record(1, 'lk.test.2'))
      for (const at of order) {
        gates[at]?.open()
        await turn()
      }
      await Promise.all(reads)
      expect(one.current).toMatchObject({ sessionId: 'lk.test.2' })
    },
  )

  test.each([true, false])(
    'shows no older value if a read overlaps a write that the store did first and answers last (replaced: %s)',
    async isReplaced => {
      const place = memoryKeyValue()
      const [read, written] = [gate(), gate()]
      const slow: KeyValue = {
        ...place,
        get: key => read.opened.then(() => place.get(key)),
        update: (key, change) => place.update(key, change).then(() => written.opened),
      }
      await openStore(place).begin(record(1))
      const one = openStore(slow)
      const reading = one.read()
      const writing = one.replace(record(2), record(isReplaced ? 1 : 5))
      await openStore(place).end('expired')
      read.open()
      await reading
      written.open()
      expect(await writing).toBe(isReplaced)
      expect(one.stored).toMatchObject({ ended: 'expired' })
    },
  )

  test('reads although another read retries a failed write each time in the meantime', async () => {
    const place = memoryKeyValue()
    await openStore(place).begin(record(1))
    const full: KeyValue = {
      ...place,
      get: async key => {
        await turn()
        return place.get(key)
      },
      async update(key, change) {
        await turn()
        change(await place.get(key))
        await turn()
        throw new Error('the disk is full')
      },
    }
    const one = openStore(full)
    await one.read()
    one.keep(record(2), record(1))
    let over = 0
    for (const _ of [1, 2]) {
      void one.read().then(() => over++)
      await turn()
    }
    for (let turns = 0; turns < 20; turns++) await turn()
    expect(over).toBe(2)
  })

  test('does not restore a session from a failed write after a sign-out', async () => {
    const { one, other } = twoTabs()
    await one.begin(record(1))
    one.keep(record(2), record(1))
    await other.end('signed_out')
    expect(await one.read()).toMatchObject({ ended: 'signed_out' })
    expect(one.current).toBeUndefined()
  })
})

test('a sign-in whose write had succeeded anyway is not written again after another client has bound it to a key', async () => {
  const { one, place } = twoTabs()
  await place.update('session', () => ({ ...record(2), tokenType: 'dpop' }))
  one.keepSignIn(record(1), undefined)
  await one.read()
  expect(await place.get('session')).toMatchObject({ version: 2 })
})

test('a repeated write of a sign-in does not undo the refresh in between', async () => {
  const { one, other, place } = twoTabs()
  await one.begin(record(1))
  await other.read()
  await other.replace(record(2), record(1))
  expect(await one.begin(record(1))).toBe(true)
  expect(await place.get('session')).toMatchObject({ version: 2 })
})

test.each([
  ['', 0],
  [', also if the store could not be read when it began', undefined],
])(
  'a sign-in that was stored although its write failed, and has ended since, does not begin again%s',
  async (_what, epoch) => {
    const place = memoryKeyValue()
    const keyValue: KeyValue = {
      ...place,
      async update(key, change) {
        await place.update(key, change)
        await openStore(place).end('signed_out')
        throw new StorageError('Timed out.')
      },
    }
    const records = createTokenStore(keyValue, 'session')
    const writes = createSessionWrites(records, () => {})
    const events: string[] = []
    const signedIn = storeSignIn(
      { records, writes, emit: ({ type }) => events.push(type) },
      { ...record(1), epoch },
    )
    await expect(signedIn).rejects.toMatchObject({ reason: 'signed_out' })
    expect(records.current).toBeUndefined()
    expect(events).toEqual([])
  },
)
