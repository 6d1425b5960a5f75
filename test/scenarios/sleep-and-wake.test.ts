import { expect, test } from 'vitest'
import { createListeners } from '../../src/core/listeners.ts'
import { localChannels } from '../../src/storage/channel.ts'
import { reset } from '../support/faults.ts'
import { API } from '../support/strict-api.ts'
import { sharedStore } from '../support/tabs.ts'
import { worlds } from '../support/world.ts'

const world = worlds()

/** A page that the test wakes by hand. */
const sleeper = () => {
  const listeners = createListeners<void>()
  return { listen: listeners.add, wake: () => listeners.emit() }
}

test('ten calls right after eight hours of sleep make one refresh, and none is sent with the old token [RF18]', async () => {
  const { as, api, clock, signedIn } = world()
  const page = sleeper()
  const one = await signedIn({ wake: page })
  clock.advance(8 * 3_600_000)
  page.wake()
  const calls = await Promise.all(Array.from({ length: 10 }, () => one.fetch(`${API}/me`)))
  expect(calls.map(({ status }) => status)).toEqual(Array(10).fill(200))
  expect(as.count('refresh_token')).toBe(1)
  expect(api.requests).toHaveLength(10)
})

test('waking up starts a refresh that is due, before any call', async () => {
  const { as, clock, signedIn } = world({ accessTokenSeconds: 300 })
  const page = sleeper()
  await signedIn({ wake: page })
  clock.advance(270_000)
  page.wake()
  await expect.poll(() => as.count('refresh_token')).toBe(1)
})

test("a tab that slept through another tab's sign-out sends nothing with its token after waking", async () => {
  const { api, clock, client, signedIn, store } = world()
  const page = sleeper()
  // no messages reach the sleeper: each tab has its own channel
  const asleep = await signedIn({
    wake: page,
    store: sharedStore(clock, { ...store, channel: localChannels() }),
  })
  const awake = client({ store: sharedStore(clock, { ...store, channel: localChannels() }) })
  await awake.start()
  await awake.signOut()
  expect(asleep.session.status).toBe('signed-in')
  page.wake()
  await expect(asleep.fetch(`${API}/me`)).rejects.toMatchObject({ code: 'ERR_AUTHORIZATION_REQUIRED' })
  expect(api.requests).toHaveLength(0)
  expect(asleep.session).toMatchObject({ status: 'signed-out' })
})

test('a wake before start() leaves restoring the session to start()', async () => {
  const { client } = world()
  const page = sleeper()
  const one = client({ wake: page })
  page.wake()
  expect(one.session.status).toBe('starting')
  expect((await one.start()).status).toBe('signed-out')
})

test('a start without a network is signed in with readable claims, and sends nothing', async () => {
  const { client, signedIn, expire } = world()
  await signedIn()
  expire()
  let sent = 0
  const offline = async (): Promise<Response> => {
    sent++
    throw new TypeError('fetch failed')
  }
  const one = client({ fetch: offline })
  expect(await one.start()).toMatchObject({ status: 'signed-in', claims: { sub: 'alice' } })
  expect(sent).toBe(0)
  await expect(one.fetch(`${API}/me`)).rejects.toMatchObject({ code: 'ERR_NETWORK', retryable: true })
  expect(one.session.status).toBe('signed-in')
})

test('after a failed refresh the first call after a wake retries immediately', async () => {
  const { as, signedIn, expire } = world()
  const page = sleeper()
  const one = await signedIn({ wake: page })
  expire()
  as.failNext.push(reset, reset, reset)
  await expect(one.fetch(`${API}/me`)).rejects.toMatchObject({ code: 'ERR_NETWORK' })
  page.wake()
  expect((await one.fetch(`${API}/me`)).status).toBe(200)
})

test('a store that was cleared by other code is noticed at the next wake and reported as a sign-out [MX15]', async () => {
  const { api, signedIn, store } = world()
  const page = sleeper()
  const one = await signedIn({ wake: page })
  for (const key of await store.keyValue.keys('')) await store.keyValue.update(key, () => undefined)
  page.wake()
  await expect(one.fetch(`${API}/me`)).rejects.toMatchObject({ code: 'ERR_AUTHORIZATION_REQUIRED' })
  expect(one.session).toEqual({ status: 'signed-out', reason: 'signed_out' })
  expect(api.requests).toHaveLength(0)
})
