import { describe, expect, test } from 'vitest'
import { createListeners } from '../../src/core/listeners.ts'
import type { KeyValue, Lock } from '../../src/core/ports.ts'
import { LatchkeyError } from '../../src/errors.ts'
import { API } from '../support/strict-api.ts'
import { sharedStore } from '../support/tabs.ts'
import { worlds } from '../support/world.ts'

const world = worlds()
const full = () => new DOMException('The quota has been exceeded.', 'QuotaExceededError')

/** A store that fails on request. */
function fragile(place: KeyValue) {
  const order = { writes: false, reads: false, hang: false, versions: false, ends: false, endsHang: false }
  const seen = { hanging: 0 }
  const answer = async <T>(broken: boolean, work: () => Promise<T>): Promise<T> => {
    if (order.hang) return new Promise<never>(() => {})
    if (broken) throw full()
    return work()
  }
  const keyValue: KeyValue = {
    get: key => answer(order.reads, () => place.get(key)),
    keys: prefix => answer(order.reads, () => place.keys(prefix)),
    update: (key, change) =>
      answer(order.writes, async () => {
        let hangs = false
        await place.update(key, stored => {
          const next = change(stored) as { version?: number; ended?: string } | undefined
          const rotates = (next?.version ?? 0) > ((stored as { version?: number })?.version ?? 0)
          if (order.versions && rotates) throw full()
          const ends = next?.ended !== undefined && next !== stored
          if (order.ends && ends) throw full()
          hangs = order.endsHang && ends
          return hangs ? stored : next
        })
        if (hangs) seen.hanging++
        if (hangs) await new Promise<never>(() => {})
      }),
  }
  return { order, seen, keyValue }
}

describe('when the store fails', () => {
  test('after a rotation, the token is used, an event reports it, and it is saved later [ST04]', async () => {
    const { signedIn, client, as, store, stored, clock, expire } = world()
    const { order, keyValue } = fragile(store.keyValue)
    const one = await signedIn({ store: sharedStore(clock, { keyValue }) })
    expire()
    order.versions = true
    expect((await one.fetch(`${API}/me`)).status).toBe(200)
    expect((await one.fetch(`${API}/me`)).status).toBe(200)
    expect(as.count('refresh_token')).toBe(1)
    expect(one.types()).toContain('storage-degraded')
    expect(one.session.status).toBe('signed-in')
    expect((await stored())[0]).toMatchObject({ version: 1 })

    order.versions = false
    expire()
    expect((await one.fetch(`${API}/me`)).status).toBe(200)
    expect((await stored())[0]).toMatchObject({ version: 3 })
    expect(as.reuses).toBe(0)
    const other = client()
    expect((await other.fetch(`${API}/me`)).status).toBe(200)
  })

  test('after a rotation, and the session ends elsewhere, it is not saved later [F1.9]', async () => {
    const { signedIn, client, as, store, stored, expire } = world()
    const [mine, theirs] = [fragile(store.keyValue), fragile(store.keyValue)]
    const one = await signedIn({ store: { ...store, keyValue: mine.keyValue } })
    // its lock does not report that another client has tokens only in memory
    const lock: Lock = { run: (...args) => store.lock.run(...args) }
    const other = client({ store: { ...store, lock, keyValue: theirs.keyValue } })
    await other.start()
    expire()
    mine.order.versions = true
    // the server sees the old refresh token again, perhaps as soon as the message arrives, and the end cannot be stored
    // either
    theirs.order.ends = true
    expect((await one.fetch(`${API}/me`)).status).toBe(200)
    expect(one.types()).toContain('storage-degraded')
    const ended = { code: 'ERR_AUTHORIZATION_REQUIRED', reason: 'refresh_interrupted' }
    await expect(other.fetch(`${API}/me`)).rejects.toMatchObject(ended)
    theirs.order.ends = false
    mine.order.versions = false
    await one.start()
    expect(as.reuses).toBe(1)
    for (const record of await stored()) expect(record).toMatchObject({ version: 1 })
    await other.start()
    await expect(other.fetch(`${API}/me`)).rejects.toMatchObject(ended)
    await expect(one.fetch(`${API}/me`)).rejects.toMatchObject({ code: ended.code })
    expect([one.session.status, other.session.status]).toEqual(['signed-out', 'signed-out'])
  })

  test('for writing, and another client stores its tokens from memory, nothing is sent again [F1.9]', async () => {
    const { signedIn, client, as, store, expire } = world()
    const noLock: Lock = { run: (_name, work) => work() }
    const other = client({ store: { ...store, lock: noLock } })
    let isNext = false
    const keyValue: KeyValue = {
      ...store.keyValue,
      async update(key, change) {
        if (!isNext || !key.endsWith(' session')) return store.keyValue.update(key, change)
        isNext = false
        expect((await other.fetch(`${API}/me`)).status).toBe(200)
        throw full()
      },
    }
    const one = await signedIn({ store: { ...store, keyValue } })
    await other.start()
    expire()
    isNext = true
    expect((await one.fetch(`${API}/me`)).status).toBe(200)
    expect(isNext).toBe(false)
    expect(as.reuses).toBe(0)
    expect(as.count('refresh_token')).toBe(1)
  })

  test('at the end of a session, a session that started meanwhile stays [F1.9]', async () => {
    const { signedIn, as, store, clock, expire } = world()
    const { order, seen, keyValue } = fragile(store.keyValue)
    const one = await signedIn({ store: { ...store, keyValue } })
    expire()
    as.endSessions()
    order.endsHang = true
    const call = one.fetch(`${API}/me`).catch((error: unknown) => error)
    await expect.poll(() => seen.hanging).toBe(1)
    order.endsHang = false
    await one.signIn()
    clock.advance(2000)
    expect(await call).toMatchObject({ code: 'ERR_AUTHORIZATION_REQUIRED' })
    await expect.poll(() => clock.waiting).toBe(0)
    expect(one.session.status).toBe('signed-in')
    expect((await one.fetch(`${API}/me`)).status).toBe(200)
  })

  test('for a moment after a rotation, the write is retried before the lock is released [F1.9]', async () => {
    const { signedIn, client, as, store, expire } = world()
    const { order, keyValue } = fragile(store.keyValue)
    const passing: KeyValue = {
      ...keyValue,
      update: (key, change) =>
        keyValue.update(key, change).catch(error => {
          order.versions = false // the next one works
          throw error
        }),
    }
    const one = await signedIn({ store: { ...store, keyValue: passing } })
    const other = client()
    expire()
    order.versions = true
    const answers = await Promise.all([one, other].map(each => each.fetch(`${API}/me`)))
    expect(answers.map(({ status }) => status)).toEqual([200, 200])
    expect(as.count('refresh_token')).toBe(1)
    expect(one.types()).not.toContain('storage-degraded')
  })

  test('at a sign-in, the user is signed in here, an event reports it, and it is saved later [ST04]', async () => {
    const { client, as, store, stored, clock } = world()
    const { order, keyValue } = fragile(store.keyValue)
    const one = client({ store: sharedStore(clock, { keyValue }) })
    order.versions = true
    expect((await one.signIn()).status).toBe('signed-in')
    order.versions = false
    expect(one.types()).toContain('storage-degraded')
    await one.start()
    expect(one.session.status).toBe('signed-in')
    expect((await stored())[0]).toMatchObject({ version: 1 })
    expect(as.count('authorization_code')).toBe(1)
  })

  test('after a rotation, and the server ends the session, the end replaces the old record', async () => {
    const { signedIn, client, as, store, clock, expire } = world()
    const { order, keyValue } = fragile(store.keyValue)
    const one = await signedIn({ store: sharedStore(clock, { keyValue }) })
    order.versions = true
    expire()
    expect((await one.fetch(`${API}/me`)).status).toBe(200)
    as.endSessions()
    expire()
    order.writes = true
    const ended = { code: 'ERR_AUTHORIZATION_REQUIRED', reason: 'expired' }
    await expect(one.fetch(`${API}/me`)).rejects.toMatchObject({ code: ended.code })
    order.writes = order.versions = false
    await one.start()
    await expect(one.fetch(`${API}/me`)).rejects.toMatchObject(ended)
    await expect(client().fetch(`${API}/me`)).rejects.toMatchObject(ended)
    expect(as.count('refresh_token')).toBe(2)
  })

  test('at two consecutive sign-ins, the second session stays and is saved later', async () => {
    const { client, as, store, stored } = world()
    const { order, keyValue } = fragile(store.keyValue)
    const one = client({ store: { ...store, keyValue } })
    order.versions = true
    await one.signIn()
    await one.signIn()
    await one.start()
    expect((await one.fetch(`${API}/me`)).status).toBe(200)
    expect(one.session.status).toBe('signed-in')
    order.versions = false
    await one.start()
    expect((await stored())[0]).toMatchObject({ version: 1 })
    expect(as.count('authorization_code')).toBe(2)
  })

  test('for writing, before a refresh, the token is sent once and used from memory, one event reports it, and it is saved later [F2.11]', async () => {
    const { signedIn, as, store, stored, clock, expire } = world()
    const { order, keyValue } = fragile(store.keyValue)
    const one = await signedIn({ store: sharedStore(clock, { keyValue }) })
    order.writes = true
    for (let round = 1; round <= 3; round++) {
      expire()
      expect((await one.fetch(`${API}/me`)).status).toBe(200)
      expect(as.count('refresh_token')).toBe(round)
    }
    expect(one.types().filter(type => type === 'storage-degraded')).toHaveLength(1)
    expect((await stored())[0]).toMatchObject({ version: 1 })
    order.writes = false
    await one.start()
    expect((await stored())[0]).toMatchObject({ version: 4 })
    expect(as.reuses).toBe(0)
  })

  test('permanently, the client with a rotation in memory continues from it, with one redemption each time [F2.11]', async () => {
    const { signedIn, as, store, clock, expire } = world()
    const { order, keyValue } = fragile(store.keyValue)
    const one = await signedIn({ store: sharedStore(clock, { keyValue }) })
    order.writes = true
    for (let round = 1; round <= 3; round++) {
      expire()
      expect((await one.fetch(`${API}/me`)).status).toBe(200)
      expect(as.count('refresh_token')).toBe(round)
      order.reads = true
    }
    expect(as.reuses).toBe(0)
    expect(one.session.status).toBe('signed-in')
  })

  test('for writing, and works again after the next refresh, the new tokens are stored', async () => {
    const { signedIn, as, store, stored, expire } = world()
    let most = Infinity
    const keyValue: KeyValue = {
      ...store.keyValue,
      async update(key, change) {
        if (as.count('refresh_token') < most && most < Infinity) throw full()
        return store.keyValue.update(key, change)
      },
    }
    const one = await signedIn({ store: { ...store, keyValue } })
    most = 2
    for (const version of [1, 3, 4]) {
      expire()
      expect((await one.fetch(`${API}/me`)).status).toBe(200)
      expect((await stored())[0]).toMatchObject({ version })
    }
    expect(as.count('refresh_token')).toBe(3)
    expect(as.reuses).toBe(0)
  })

  test.each([
    ['all writes fail', 'writes'],
    ['the mark before it was written', 'versions'],
  ] as const)(
    'permanently, and %s, a client with a rotation in memory stops the others from sending the spent token',
    async (_how, failing) => {
      const { signedIn, client, as, store, clock, expire } = world()
      const { order, keyValue } = fragile(store.keyValue)
      const shared = sharedStore(clock, { keyValue })
      const one = await signedIn({ store: shared })
      const other = client({ store: shared })
      await other.start()
      order[failing] = true
      expire()
      expect((await one.fetch(`${API}/me`)).status).toBe(200)
      const refusal = { code: 'ERR_STORAGE', retryable: true }
      await expect(other.fetch(`${API}/me`)).rejects.toMatchObject(refusal)
      await expect(client({ store: shared }).fetch(`${API}/me`)).rejects.toMatchObject(refusal)
      expect(as.count('refresh_token')).toBe(1)
      expect(other.session.status).toBe('signed-in')

      // it works again: whichever client is first, nothing is sent twice, and all clients soon have the new tokens
      order[failing] = false
      clock.advance(60_000)
      await expect(other.fetch(`${API}/me`).then(({ status }) => status)).resolves.toBe(200)
      expect((await one.fetch(`${API}/me`)).status).toBe(200)
      expect(as.reuses).toBe(0)
      expect(as.count('refresh_token')).toBe(1)
    },
  )

  test('for reading and writing at once, for ten seconds, the client that stored the session last continues from memory [F2.11]', async () => {
    const { signedIn, as, store, clock, expire } = world()
    const { order, keyValue } = fragile(store.keyValue)
    const one = await signedIn({ store: sharedStore(clock, { keyValue }) })
    Object.assign(order, { reads: true, writes: true })
    expire()
    // another client may have refreshed the session at that moment
    await expect(one.fetch(`${API}/me`)).rejects.toMatchObject({ code: 'ERR_STORAGE', retryable: true })
    clock.advance(10_000)
    for (let round = 1; round <= 3; round++) {
      expire()
      expect((await one.fetch(`${API}/me`)).status).toBe(200)
      expect(as.count('refresh_token')).toBe(round)
    }
    expect(as.reuses).toBe(0)
  })

  test('for reading, even the client that stored the session last sends nothing: others may have refreshed [F1.9]', async () => {
    const { signedIn, client, as, store, stored, clock, expire } = world()
    const { order, keyValue } = fragile(store.keyValue)
    const one = await signedIn({ store: sharedStore(clock, { keyValue, lock: store.lock }) }) // receives no messages
    const other = client()
    expire()
    expect((await other.fetch(`${API}/me`)).status).toBe(200)
    order.reads = true
    await expect(one.fetch(`${API}/me`)).rejects.toMatchObject({ code: 'ERR_STORAGE', retryable: true })
    order.reads = false
    clock.advance(60_000)
    expect((await one.fetch(`${API}/me`)).status).toBe(200)
    expect(as.reuses).toBe(0)
    expect(as.count('refresh_token')).toBe(1)
    expect((await stored())[0]).toMatchObject({ version: 2 })
  })

  test('for reading, before a refresh, a client that did not store the session sends nothing', async () => {
    const { signedIn, client, as, store, clock, expire } = world()
    await signedIn()
    const { order, keyValue } = fragile(store.keyValue)
    const one = client({ store: sharedStore(clock, { keyValue }) })
    await one.start()
    expire()
    order.reads = true
    await expect(one.fetch(`${API}/me`)).rejects.toMatchObject({ code: 'ERR_STORAGE', retryable: true })
    await expect(one.fetch(`${API}/me`)).rejects.toMatchObject({ code: 'ERR_STORAGE' })
    expect(one.types().filter(type => type === 'storage-degraded')).toHaveLength(1)
    expect(as.count('refresh_token')).toBe(0)
    expect(one.session.status).toBe('signed-in')
    order.reads = false
    clock.advance(60_000)
    expect((await one.fetch(`${API}/me`)).status).toBe(200)
  })

  test('at a sign-out, the error is typed, and a later sign-out succeeds', async () => {
    const { signedIn, as, store, stored, clock } = world()
    const { order, keyValue } = fragile(store.keyValue)
    const one = await signedIn({ store: sharedStore(clock, { keyValue }) })
    order.writes = true
    await expect(one.signOut()).rejects.toMatchObject({ code: 'ERR_STORAGE', retryable: true })
    order.writes = false
    await one.signOut()
    expect(one.session.status).toBe('signed-out')
    expect(await stored()).toEqual([])
    expect(as.revocations.map(({ hint }) => hint)).toContain('refresh_token')
  })

  test('while a token is fresh, calls are unaffected', async () => {
    const { signedIn, store, clock } = world()
    const { order, keyValue } = fragile(store.keyValue)
    const one = await signedIn({ store: sharedStore(clock, { keyValue }) })
    Object.assign(order, { reads: true, writes: true })
    expect((await one.fetch(`${API}/me`)).status).toBe(200)
    expect(await one.getAccessToken()).toEqual(expect.any(String))
  })

  test('at the start, the error is typed, the session is kept, and the next start succeeds', async () => {
    const { signedIn, client, store, clock } = world()
    await signedIn()
    const { order, keyValue } = fragile(store.keyValue)
    const one = client({ store: sharedStore(clock, { keyValue }) })
    order.reads = true
    await expect(one.start()).rejects.toMatchObject({ code: 'ERR_STORAGE', retryable: true })
    expect(one.session.status).toBe('starting')
    await expect(one.fetch(`${API}/me`)).rejects.toMatchObject({ code: 'ERR_STORAGE' })
    order.reads = false
    expect((await one.start()).status).toBe('signed-in')
  })

  test('at the start, a client looks again automatically when its page wakes [F2.10]', async () => {
    const { signedIn, client, store, clock } = world()
    await signedIn()
    const { order, keyValue } = fragile(store.keyValue)
    const wakes = createListeners<void>()
    const one = client({ store: sharedStore(clock, { keyValue }), wake: { listen: wakes.add } })
    order.reads = true
    await expect(one.start()).rejects.toMatchObject({ code: 'ERR_STORAGE' })
    order.reads = false
    wakes.emit()
    await expect.poll(() => one.session.status).toBe('signed-in')
  })

  test('by never responding, each call ends within two seconds', async () => {
    const { client, store, clock } = world()
    const { order, keyValue } = fragile(store.keyValue)
    const one = client({ store: sharedStore(clock, { keyValue }) })
    order.hang = true
    const started = one.start().catch((error: unknown) => error)
    await expect.poll(() => clock.waiting).toBeGreaterThan(0)
    clock.advance(2000)
    expect(await started).toMatchObject({ code: 'ERR_STORAGE' })
  })

  test('and a caller has already aborted, no rejection is unhandled', async () => {
    const { client, store, clock } = world()
    const { order, keyValue } = fragile(store.keyValue)
    const one = client({ store: sharedStore(clock, { keyValue }) })
    order.reads = true
    const call = one.fetch(`${API}/me`, { signal: AbortSignal.abort() })
    await expect(call).rejects.toMatchObject({ name: 'AbortError' }) // vitest fails the run for an unhandled rejection
    await new Promise(resolve => setTimeout(resolve, 0))
  })

  test.each<[string, unknown]>([
    ['damaged', '{"schema":1,"sess'],
    ['from another program', { user: 'alice' }],
    ['from a later version of latchkey', { schema: 2, sessionId: 'x', version: 1, tokens: {} }],
    ['cut off', { schema: 1, sessionId: 'x', version: 1, tokens: { accessToken: '' } }],
  ])('by holding a record that is %s, the user is signed out and can sign in', async (_what, value) => {
    const { signedIn, client, store } = world()
    await signedIn()
    const [key = ''] = (await store.keyValue.keys('')).filter(name => name.endsWith(' session'))
    await store.keyValue.update(key, () => value)
    const one = client()
    expect((await one.start()).status).toBe('signed-out')
    await one.signIn()
    expect((await one.fetch(`${API}/me`)).status).toBe(200)
  })
})

describe('when the lock', () => {
  test('is never released, the call ends in time with a typed error, and the session is kept', async () => {
    const { signedIn, as, store, clock, expire } = world()
    const asked: string[] = []
    const lock: Lock = {
      run: (name, work, waitMs) => {
        asked.push(name)
        return store.lock.run(name, work, waitMs)
      },
    }
    const one = await signedIn({ store: { ...store, lock } })
    expire()
    asked.length = 0
    const name = 'latchkey https://id.example.com app'
    void store.lock.run(name, () => new Promise(() => {}), 1000)
    const call = one.fetch(`${API}/me`).catch((error: unknown) => error)
    await expect.poll(() => asked).toContain(name)
    clock.advance(15_000)
    expect(await call).toMatchObject({ code: 'ERR_LOCK_TIMEOUT', retryable: true })
    expect(as.count('refresh_token')).toBe(0)
    expect(one.session.status).toBe('signed-in')
  })

  test('throws an unknown error, the call ends with a typed error, and the next one succeeds', async () => {
    const { signedIn, store, clock, expire } = world()
    let broken = true
    const lock: Lock = {
      run: (name, work, waitMs) => {
        if (broken && !name.endsWith('sign-in')) return Promise.reject(full())
        return store.lock.run(name, work, waitMs)
      },
    }
    const one = await signedIn({ store: sharedStore(clock, { keyValue: store.keyValue, lock }) })
    expire()
    const error = await one.fetch(`${API}/me`).catch((reason: unknown) => reason)
    expect(error).toBeInstanceOf(LatchkeyError)
    expect(error).toMatchObject({ retryable: true })
    broken = false
    clock.advance(60_000)
    expect((await one.fetch(`${API}/me`)).status).toBe(200)
  })
})
