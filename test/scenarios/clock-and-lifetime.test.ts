import { describe, expect, test } from 'vitest'
import type { Clock } from '../../src/core/ports.ts'
import { altered, status, withHeaders } from '../support/faults.ts'
import { API } from '../support/strict-api.ts'
import { sharedStore } from '../support/tabs.ts'
import { worlds } from '../support/world.ts'

const world = worlds()
const HOUR = 3_600_000
const LONGEST_TIMER_MS = 2 ** 31 - 1

/** The same clock with an offset, and the timers that were requested from it. */
const offBy = (clock: Clock, offset: { ms: number }, timers: number[] = []): Clock => ({
  now: () => clock.now() + offset.ms,
  elapsed: clock.elapsed,
  after(ms, run, background) {
    timers.push(ms)
    return clock.after(ms, run, background)
  },
})

describe('a device whose clock is wrong by', () => {
  test.for([-25, -1, 1, 25])(
    '%i hours signs in, calls APIs, refreshes once per token lifetime and stays signed in',
    async hours => {
      const { as, client, clock } = world({ accessTokenSeconds: 60 })
      const one = client({ clock: offBy(clock, { ms: hours * HOUR }) })
      await one.signIn()
      expect(one.session.status).toBe('signed-in')
      for (let lifetime = 1; lifetime <= 3; lifetime++) {
        for (let call = 0; call < 3; call++) expect((await one.fetch(`${API}/me`)).status).toBe(200)
        clock.advance(61_000)
      }
      expect(as.count('refresh_token')).toBe(2)
      expect(one.types()).not.toContain('session-ended')
    },
  )

  test.for([-25, -1, 1, 25])(
    '%i hours from one moment to the next makes at most one refresh and keeps its session',
    async hours => {
      const { as, client, clock } = world({ accessTokenSeconds: 3600 })
      const offset = { ms: 0 }
      const one = client({ clock: offBy(clock, offset) })
      await one.signIn()
      offset.ms = hours * HOUR
      for (let call = 0; call < 10; call++) expect((await one.fetch(`${API}/me`)).status).toBe(200)
      await expect.poll(() => as.count('refresh_token')).toBeLessThanOrEqual(1)
      expect(one.session.status).toBe('signed-in')
    },
  )
})

test('the pause that the server asked for ends with a refresh in another tab, also for a tab that did not learn of it', async () => {
  const { as, client, clock, store, signedIn } = world({ accessTokenSeconds: 30 })
  const offset = { ms: 0 }
  const tab = () => ({
    clock: offBy(clock, offset),
    store: sharedStore(clock, { keyValue: store.keyValue, lock: store.lock }),
  })
  const one = await signedIn(tab())
  const other = client(tab())
  await other.start()
  clock.advance(31_000)
  as.failNext.push(status(429, { 'retry-after': '60' }))
  await expect(one.getAccessToken()).rejects.toMatchObject({ code: 'ERR_NETWORK', status: 429 })
  offset.ms = -60_000 // by this clock, that failure is still to come
  await other.getAccessToken()
  offset.ms = 0
  clock.advance(31_000)
  await one.getAccessToken()
  expect(as.count('refresh_token')).toBe(3)
})

describe('a clock that is set back while a page is open, by', () => {
  test.for([1, 24])(
    '%i hours, extends no token beyond the time that the page has measured, and causes one refresh per lifetime [F9.3]',
    async hours => {
      const { as, api, client, clock } = world({ accessTokenSeconds: 60 })
      const offset = { ms: 0 }
      const one = client({ clock: offBy(clock, offset) })
      await one.signIn()
      const other = client({ clock: offBy(clock, offset) }) // another tab of the same device
      await other.start()
      offset.ms = -hours * HOUR
      for (let lifetime = 0; lifetime < 3; lifetime++) {
        for (let call = 0; call < 3; call++) {
          for (const each of [one, other]) expect((await each.fetch(`${API}/me`)).status).toBe(200)
          clock.advance(10_000)
        }
        clock.advance(31_000)
      }
      expect(api.requests.filter(({ status }) => status === 401)).toEqual([])
      expect(as.count('refresh_token')).toBe(2)
      offset.ms = 0
      for (let call = 0; call < 3; call++) expect((await one.fetch(`${API}/me`)).status).toBe(200)
      expect(as.count('refresh_token')).toBeLessThanOrEqual(3)
      expect(one.types()).not.toContain('session-ended')
    },
  )
})

describe('a token response whose expires_in is', () => {
  test.for([
    ['missing', undefined],
    ['zero', 0],
    ['a string', '3600'],
    ['thirty days', 30 * 24 * 3600],
    ['four hundred days', 400 * 24 * 3600],
    ['ten years', 10 * 365 * 24 * 3600],
    ['larger than a millisecond counter can hold', 1e12],
  ] as const)(
    '%s causes at most one refresh in the first minute and no timer that overflows [TR17]',
    async ([, expires_in]) => {
      const { as, client, clock } = world()
      const timers: number[] = []
      as.failNext.push(altered({ expires_in }))
      const one = client({ clock: offBy(clock, { ms: 0 }, timers) })
      await one.signIn()
      for (let second = 0; second < 60; second += 5) {
        expect((await one.fetch(`${API}/me`)).status).toBe(200)
        clock.advance(5000)
      }
      expect(as.count('refresh_token')).toBeLessThanOrEqual(1)
      expect(Math.max(...timers)).toBeLessThanOrEqual(LONGEST_TIMER_MS)
    },
  )

  test('negative in a refresh response does not end the session', async () => {
    const { as, signedIn, expire } = world()
    const one = await signedIn()
    expire()
    as.failNext.push(altered({ expires_in: -1 }))
    expect((await one.fetch(`${API}/me`)).status).toBe(200)
    expect(one.session).toMatchObject({ status: 'signed-in', accessTokenExpiresAt: undefined })
  })
})

test.for([-24, -1, 1, 24])(
  'a Date header that is %i hours wrong affects neither the sign-in nor the refresh',
  async hours => {
    const { as, signedIn, expire, clock } = world()
    const date = () => new Date(clock.now() + hours * HOUR).toUTCString()
    as.failNext.push(withHeaders({ date: date() }))
    const one = await signedIn()
    expect(one.session.status).toBe('signed-in')
    expire()
    as.failNext.push(withHeaders({ date: date() }))
    expect((await one.fetch(`${API}/me`)).status).toBe(200)
    expect(one.session.status).toBe('signed-in')
  },
)
