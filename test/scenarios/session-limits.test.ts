import { describe, expect, test } from 'vitest'
import type { Clock, KeyValue, Wake } from '../../src/core/ports.ts'
import { type SessionLimitsOptions, sessionLimits } from '../../src/session-limits.ts'
import { memoryKeyValue } from '../../src/storage/memory.ts'
import { leaving, pageAt } from '../support/leaving.ts'
import { API } from '../support/strict-api.ts'
import { sharedStore } from '../support/tabs.ts'
import { type World, worlds } from '../support/world.ts'

const world = worlds()
const SECOND = 1000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE

/** A tab whose sessions are limited, and what its user sees of it. */
function tab(here: World, options: SessionLimitsOptions, own: Parameters<World['client']>[0] = {}) {
  const limits = sessionLimits(options)
  const seen: (string | undefined)[] = []
  limits.subscribe(ending => seen.push(ending?.reason))
  const client = here.client({ extensions: [limits], ...own })
  const reasonOfCall = () =>
    client.fetch(`${API}/me`).then(
      ({ status }) => status,
      (error: { reason?: string }) => error.reason,
    )
  const ends = () => client.told.flatMap(event => (event.type === 'session-ended' ? event.reason : []))
  return { limits, seen, client, reasonOfCall, ends }
}

/** Lets so much time pass, and all that waits for its turn in between. */
async function pass(here: World, ms: number, step = 5 * MINUTE): Promise<void> {
  for (let left = ms; left > 0; left -= step) {
    here.clock.advance(Math.min(step, left))
    await new Promise(resolve => setTimeout(resolve, 0))
  }
}

describe('a maximum session lifetime', () => {
  const options = { maxSessionSeconds: 8 * 3600 }

  test('ends the session in all tabs with one reason, reported once, and revokes its refresh token', async () => {
    const here = world({ accessTokenSeconds: 3600 })
    const tabs = [tab(here, options), tab(here, options)] as const
    const [one, other] = tabs
    await one.client.signIn()
    await other.client.start()
    for (let hour = 1; hour < 8; hour++) {
      await pass(here, HOUR)
      expect(await one.reasonOfCall()).toBe(200)
    }
    const { revocations } = here.as
    const before = revocations.length
    await pass(here, HOUR)
    const ended = { status: 'signed-out', reason: 'session_limit' }
    for (const { client, ends, reasonOfCall } of tabs) {
      await expect.poll(() => client.session).toEqual(ended)
      expect(await reasonOfCall()).toBe('session_limit')
      expect(ends()).toEqual(['session_limit'])
    }
    expect(await here.client().start()).toEqual(ended) // a reload, even of an app without limits
    await expect.poll(() => revocations.length).toBe(before + 1)
    expect(await here.stored(' limits')).toEqual([])
  })

  test('counts from the sign-in, not from a reload, and starts again for the next session', async () => {
    const here = world({ accessTokenSeconds: 3600 })
    const first = tab(here, options)
    await first.client.signIn()
    await pass(here, 5 * HOUR)
    first.client.dispose()
    const second = tab(here, options)
    await second.client.start()
    await pass(here, 2.9 * HOUR)
    expect(await second.reasonOfCall()).toBe(200)
    await pass(here, 0.2 * HOUR)
    expect(await second.reasonOfCall()).toBe('session_limit')
    await second.client.signIn()
    await pass(here, 7.9 * HOUR)
    expect(await second.reasonOfCall()).toBe(200)
    await pass(here, 0.2 * HOUR)
    expect(await second.reasonOfCall()).toBe('session_limit')
    expect(second.ends()).toEqual(['session_limit', 'session_limit'])
  })

  test('is announced a minute before, even if the user is active', async () => {
    const here = world({ accessTokenSeconds: 3600 })
    const one = tab(here, options)
    await one.client.signIn()
    await expect.poll(() => here.clock.waiting).toBeGreaterThan(0)
    const endsAt = here.clock.now() + 8 * HOUR
    await pass(here, 8 * HOUR - MINUTE - SECOND)
    expect(one.limits.ending).toBeUndefined()
    await pass(here, 2 * SECOND)
    await expect.poll(() => one.limits.ending?.reason).toBe('session_limit')
    expect(Math.abs((one.limits.ending?.endsAt ?? 0) - endsAt)).toBeLessThan(2 * SECOND)
    one.limits.active()
    await pass(here, MINUTE)
    await expect.poll(() => one.client.session.status).toBe('signed-out')
    expect(one.seen).toEqual(['session_limit', undefined])
  })
})

describe('an idle limit', () => {
  const options = { maxIdleSeconds: 900 }

  test('ends an inactive session, with a warning before', async () => {
    const here = world({ accessTokenSeconds: 3600 })
    const one = tab(here, options)
    await one.client.signIn()
    await pass(here, 14 * MINUTE - SECOND)
    expect(one.limits.ending).toBeUndefined()
    expect(await one.reasonOfCall()).toBe(200) // a call is not user activity
    await pass(here, 30 * SECOND, SECOND)
    expect(one.limits.ending?.reason).toBe('idle_limit')
    await pass(here, MINUTE, SECOND)
    expect(one.client.session).toEqual({ status: 'signed-out', reason: 'idle_limit' })
    expect(one.seen).toEqual(['idle_limit', undefined])
    expect(one.ends()).toEqual(['idle_limit'])
  })

  test('is shared by all tabs: activity in one tab counts for all and withdraws the warning', async () => {
    const here = world({ accessTokenSeconds: 3600 })
    const [busy, quiet] = [tab(here, options), tab(here, options)]
    await busy.client.signIn()
    await quiet.client.start()
    for (let minute = 0; minute < 40; minute++) {
      busy.limits.active()
      await pass(here, MINUTE, 20 * SECOND)
    }
    expect(await quiet.reasonOfCall()).toBe(200)
    await pass(here, 13.5 * MINUTE, 10 * SECOND)
    for (const { limits } of [busy, quiet]) await expect.poll(() => limits.ending?.reason).toBe('idle_limit')
    busy.limits.active()
    expect(busy.limits.ending).toBeUndefined()
    await pass(here, 4 * SECOND, SECOND)
    await expect.poll(() => quiet.limits.ending).toBeUndefined()
    for (const { client, ends } of [busy, quiet]) {
      expect(client.session.status).toBe('signed-in')
      expect(ends()).toEqual([])
    }
    await pass(here, 16 * MINUTE, 10 * SECOND)
    for (const { client, ends, seen } of [busy, quiet]) {
      await expect.poll(() => client.session).toEqual({ status: 'signed-out', reason: 'idle_limit' })
      expect(ends()).toEqual(['idle_limit'])
      expect(seen).toEqual(['idle_limit', undefined, 'idle_limit', undefined])
    }
  })

  test('is watched only while a user is signed in', async () => {
    const here = world({ accessTokenSeconds: 3600 })
    let watching = 0
    const watch = () => {
      watching++
      return () => void watching--
    }
    const one = tab(here, { ...options, watch })
    await one.client.start()
    expect(watching).toBe(0)
    await one.client.signIn()
    await expect.poll(() => watching).toBe(1)
    await one.client.signOut()
    expect(watching).toBe(0)
    await one.client.signIn()
    await expect.poll(() => watching).toBe(1)
    one.client.dispose()
    expect(watching).toBe(0)
  })

  test('stores user activity a few times a minute, not at every key', async () => {
    const here = world({ accessTokenSeconds: 3600 })
    const inner = memoryKeyValue()
    let writes = 0
    const keyValue: KeyValue = {
      ...inner,
      update(key, change) {
        if (key.endsWith(' limits')) writes++
        return inner.update(key, change)
      },
    }
    const one = tab(here, options, { store: sharedStore(here.clock, { keyValue }) })
    await one.client.signIn()
    await expect.poll(() => writes).toBeGreaterThan(0)
    for (let key = 0; key < 600; key++) {
      one.limits.active()
      here.clock.advance(100)
    }
    expect(writes).toBeLessThanOrEqual(6)
  })
})

describe('a machine that sleeps beyond the limit', () => {
  /** The clock continues and no timer runs, as on a sleeping machine. */
  function sleepy(clock: Clock) {
    let slept = 0
    const asleep: Clock = {
      now: () => clock.now() + slept,
      elapsed: () => clock.elapsed?.() ?? 0,
      after: (ms, run, background) => clock.after(ms, run, background),
    }
    return {
      clock: asleep,
      sleep(ms: number) {
        slept += ms
      },
    }
  }

  test.for<[string, SessionLimitsOptions, string]>([
    ['of the session', { maxSessionSeconds: 3600 }, 'session_limit'],
    ['of the inactive time', { maxIdleSeconds: 900 }, 'idle_limit'],
  ])(
    '%s sends no request with its token, and the first key does not restore it',
    async ([, options, reason]) => {
      const here = world({ accessTokenSeconds: 24 * 3600 })
      const { clock, sleep } = sleepy(here.clock)
      const one = tab(here, options, { clock })
      await one.client.signIn()
      expect(await one.reasonOfCall()).toBe(200)
      const before = here.api.requests.length
      sleep(2 * HOUR)
      one.limits.active()
      expect(await one.reasonOfCall()).toBe(reason)
      await expect(one.client.getAccessToken()).rejects.toMatchObject({ reason })
      expect(here.api.requests).toHaveLength(before)
      expect(one.ends()).toEqual([reason])
    },
  )

  test('shows the end when it wakes, without a call', async () => {
    const here = world({ accessTokenSeconds: 24 * 3600 })
    const { clock, sleep } = sleepy(here.clock)
    const wakes: (() => void)[] = []
    const wake: Wake = {
      listen(listener) {
        wakes.push(listener)
        return () => {}
      },
    }
    const one = tab(here, { maxIdleSeconds: 900 }, { clock, wake })
    await one.client.signIn()
    sleep(2 * HOUR)
    for (const listener of wakes) listener()
    await expect.poll(() => one.client.session).toEqual({ status: 'signed-out', reason: 'idle_limit' })
  })

  test('signs out before the page is shown when it is reopened', async () => {
    const here = world({ accessTokenSeconds: 24 * 3600 })
    const first = tab(here, { maxIdleSeconds: 900 })
    await first.client.signIn()
    await expect.poll(async () => (await here.stored(' limits')).length).toBe(1)
    first.client.dispose()
    await pass(here, HOUR)
    const second = tab(here, { maxIdleSeconds: 900 })
    const statuses: string[] = []
    second.client.subscribe(({ status }) => statuses.push(status))
    expect(await second.client.start()).toEqual({ status: 'signed-out', reason: 'idle_limit' })
    expect(statuses).toEqual(['signed-out'])
  })
})

describe('a clock that is set back', () => {
  test.for<[string, SessionLimitsOptions, string]>([
    ['the session', { maxSessionSeconds: 8 * 3600 }, 'session_limit'],
    ['the inactive time', { maxIdleSeconds: 8 * 3600 }, 'idle_limit'],
  ])('does not extend %s in an open page', async ([, options, reason]) => {
    const here = world({ accessTokenSeconds: 3600 })
    let back = 0
    const clock: Clock = { ...here.clock, now: () => here.clock.now() - back, elapsed: here.clock.elapsed }
    const one = tab(here, options, { clock })
    await one.client.signIn()
    await pass(here, 4 * HOUR)
    back = 3 * HOUR
    await pass(here, 3.9 * HOUR)
    expect(one.client.session.status).toBe('signed-in')
    await pass(here, 0.2 * HOUR)
    await expect.poll(() => one.client.session).toEqual({ status: 'signed-out', reason })
  })

  test('extends the session over a reload only by the unmeasured time', async () => {
    const here = world({ accessTokenSeconds: 3600 })
    const options = { maxSessionSeconds: 8 * 3600, maxIdleSeconds: 8 * 3600 }
    let back = 0
    const clock: Clock = { ...here.clock, now: () => here.clock.now() - back, elapsed: here.clock.elapsed }
    const first = tab(here, options, { clock })
    await first.client.signIn()
    for (let hour = 0; hour < 4; hour++) {
      await pass(here, HOUR)
      first.limits.active()
    }
    await pass(here, MINUTE) // user activity is stored a little later
    first.client.dispose()
    back = 3 * HOUR
    const second = tab(here, options, { clock })
    await second.client.start()
    await pass(here, 3.9 * HOUR)
    expect(second.client.session.status).toBe('signed-in')
    await pass(here, 0.2 * HOUR)
    await expect.poll(() => second.client.session.status).toBe('signed-out')
    expect(second.client.session).toMatchObject({ reason: 'session_limit' })
  })
})

test('a failing store neither bypasses the limit nor ends the session early', async () => {
  const here = world({ accessTokenSeconds: 24 * 3600 })
  const inner = memoryKeyValue()
  let isBroken = false
  const refuse = () => Promise.reject(new DOMException('Gone.', 'UnknownError'))
  const keyValue: KeyValue = {
    get: key => (isBroken ? refuse() : inner.get(key)),
    update: (key, change) => (isBroken ? refuse() : inner.update(key, change)),
    keys: prefix => (isBroken ? refuse() : inner.keys(prefix)),
  }
  const store = sharedStore(here.clock, { keyValue })
  const one = tab(here, { maxSessionSeconds: 3600 }, { store })
  await one.client.signIn()
  await expect.poll(() => here.clock.waiting).toBeGreaterThan(0)
  isBroken = true
  await pass(here, 0.9 * HOUR)
  expect(await one.reasonOfCall()).toBe(200)
  await pass(here, 0.2 * HOUR)
  await expect.poll(() => one.client.session).toEqual({ status: 'signed-out', reason: 'session_limit' })
  expect(await one.reasonOfCall()).toBe('session_limit')
  isBroken = false
  expect(await here.client({ store }).start()).toMatchObject({ status: 'signed-in' }) // until this tab can write
  await one.client.start()
  expect(await here.client({ store }).start()).toEqual({ status: 'signed-out', reason: 'session_limit' })
})

test("a new user's session does not end when the previous session reaches its limit", async () => {
  const here = world({ accessTokenSeconds: 24 * 3600 })
  const silent = {
    ...sharedStore(here.clock),
    channel: () => ({ post() {}, listen: () => () => {}, close() {} }),
  }
  const one = tab(here, { maxSessionSeconds: 3600 }, { store: silent })
  await one.client.signIn()
  await pass(here, 0.9 * HOUR)
  await here.client({ store: silent, subject: () => 'bob' }).signIn() // `one` receives no message about it
  await pass(here, 0.2 * HOUR)
  expect(await here.client({ store: silent }).start()).toMatchObject({ claims: { sub: 'bob' } })
  await expect.poll(() => one.client.session).toMatchObject({ claims: { sub: 'bob' } })
})

test('a session that has reached its limit is not restored without its user', async () => {
  const here = world({ accessTokenSeconds: 3600 })
  const one = tab(here, { maxIdleSeconds: 900 }, { page: pageAt('https://app.example.com/') })
  await one.client.signIn()
  await pass(here, HOUR)
  await expect.poll(() => one.client.session.status).toBe('signed-out')
  const { userAgent, requests } = leaving(here.as)
  await expect(one.client.recover({ userAgent })).rejects.toMatchObject({ reason: 'no_session' })
  expect(requests).toEqual([])
})

test('a session that began before the app had limits is counted from when the app first sees it', async () => {
  const here = world({ accessTokenSeconds: 3600 })
  await here.signedIn()
  await pass(here, 10 * HOUR)
  const one = tab(here, { maxSessionSeconds: 3600 })
  expect((await one.client.start()).status).toBe('signed-in')
  await pass(here, 1.1 * HOUR)
  await expect.poll(() => one.client.session).toMatchObject({ reason: 'session_limit' })
})

test.for<[SessionLimitsOptions, RegExp]>([
  [{}, /"maxSessionSeconds" or "maxIdleSeconds"/],
  [{ maxSessionSeconds: 0 }, /"maxSessionSeconds" must be a number of seconds, more than 0; got 0/],
  [{ maxIdleSeconds: Number.NaN }, /"maxIdleSeconds"/],
  [{ maxIdleSeconds: -1 }, /"maxIdleSeconds"/],
  [{ maxIdleSeconds: 900, warnSeconds: -1 }, /"warnSeconds" must be 0 or more/],
])('invalid limits are rejected: %j', ([options, message]) => {
  expect(() => sessionLimits(options)).toThrow(message)
})

test('limits apply to one client', () => {
  const limits = sessionLimits({ maxIdleSeconds: 900 })
  const here = world()
  here.client({ extensions: [limits] })
  expect(() => here.client({ extensions: [limits] })).toThrow(/one client/)
})
