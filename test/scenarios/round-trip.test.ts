import { describe, expect, test } from 'vitest'
import type { KeyValue } from '../../src/core/ports.ts'
import { CallbackError } from '../../src/errors.ts'
import { reset } from '../support/faults.ts'
import { leaving, pageAt, refusing } from '../support/leaving.ts'
import { API } from '../support/strict-api.ts'
import { sharedStore } from '../support/tabs.ts'
import { worlds } from '../support/world.ts'

const world = worlds()
const failureOf = (work: Promise<unknown>): Promise<CallbackError> =>
  work.then(
    () => Promise.reject(new Error('It did not fail.')),
    (error: CallbackError) => error,
  )

describe('the error for a sign-in that this device does not know', () => {
  test('says that it began elsewhere, and restart() starts again', async () => {
    const [here, elsewhere] = [world(), world()]
    const away = leaving(elsewhere.as)
    await elsewhere.client({ userAgent: away.userAgent }).signIn()
    const client = here.client()
    const error = await failureOf(client.handleCallback(away.callbacks[0] as string))
    expect(error).toBeInstanceOf(CallbackError)
    expect(error).toMatchObject({
      reason: 'state_not_found',
      lost: { likely: 'other_browser', storageWorks: true, pendingCount: 0, newestAgeMs: undefined },
    })
    expect(JSON.stringify(error)).not.toContain('restart')
    await error.restart?.()
    expect(client.session.status).toBe('signed-in')
    expect(here.as.count('authorization_code')).toBe(1)
  })

  test('says that it is over an hour old', async () => {
    const here = world()
    const away = leaving(here.as)
    const client = here.client({ userAgent: away.userAgent })
    await client.signIn()
    here.clock.advance(61 * 60_000)
    const error = await failureOf(client.handleCallback(away.callbacks[0] as string))
    expect(error.lost).toMatchObject({ likely: 'expired', storageWorks: true })
    expect(error.message).toContain('an hour old')
  })

  test('says that storage is blocked if written values cannot be read', async () => {
    const here = world()
    const away = leaving(here.as)
    await here.client({ userAgent: away.userAgent }).signIn()
    const blocked: KeyValue = { get: async () => undefined, update: async () => {}, keys: async () => [] }
    const client = here.client({ store: sharedStore(here.clock, { keyValue: blocked }) })
    const error = await failureOf(client.handleCallback(away.callbacks[0] as string))
    expect(error.lost).toMatchObject({ likely: 'storage_blocked', storageWorks: false })
  })

  test('counts the other sign-ins in progress', async () => {
    const [here, elsewhere] = [world(), world()]
    const away = leaving(elsewhere.as)
    await elsewhere.client({ userAgent: away.userAgent }).signIn()
    const own = leaving(here.as)
    const client = here.client({ userAgent: own.userAgent })
    await client.signIn()
    here.clock.advance(5000)
    const error = await failureOf(client.handleCallback(away.callbacks[0] as string))
    expect(error.lost).toMatchObject({ pendingCount: 1, newestAgeMs: 5000 })
  })
})

describe('sign-ins that return without a session', () => {
  test('are rejected as a redirect loop at the fourth in a minute, before the page leaves', async () => {
    const here = world()
    const away = leaving(here.as, refusing(here.as, 'server_error'))
    for (let round = 1; round <= 3; round++) {
      await here.client({ userAgent: away.userAgent }).signIn()
      const page = pageAt(away.callbacks.at(-1) as string)
      await failureOf(here.client({ page }).start())
    }
    const error = await failureOf(here.client({ userAgent: away.userAgent }).signIn())
    expect(error).toMatchObject({ code: 'ERR_CALLBACK', reason: 'redirect_loop' })
    expect(away.requests).toHaveLength(3)
    here.clock.advance(61_000)
    await here.client({ userAgent: away.userAgent }).signIn()
    expect(away.requests).toHaveLength(4)
  })

  test('also count if the server could not be reached for the code', async () => {
    const here = world()
    const away = leaving(here.as)
    for (let round = 1; round <= 3; round++) {
      await here.client({ userAgent: away.userAgent }).signIn()
      here.as.failNext.push(reset)
      await failureOf(here.client({ page: pageAt(away.callbacks.at(-1) as string) }).start())
    }
    expect(await failureOf(here.client(away).signIn())).toMatchObject({ reason: 'redirect_loop' })
  })

  test('do not count if the user cancelled or a sign-out followed', async () => {
    const here = world()
    const away = leaving(here.as)
    for (let round = 1; round <= 5; round++) await here.client({ userAgent: away.userAgent }).signIn()
    expect(away.requests).toHaveLength(5)
    for (let round = 1; round <= 5; round++) {
      const client = await here.signedIn()
      await client.signOut()
    }
  })
})

describe('an error that returns without a state [F2.9]', () => {
  const errorAt = (address: string) =>
    `${address}?error=invalid_request&error_description=no%20%3Cb%3Esuch%20client`

  test('is reported during a sign-in and removed from the address', async () => {
    const here = world()
    const away = leaving(here.as)
    await here.client({ userAgent: away.userAgent }).signIn()
    const page = pageAt(errorAt(here.as.redirectUri))
    const client = here.client({ page })
    const error = await failureOf(client.start())
    expect(error).toMatchObject({ reason: 'authorization_error', error: 'invalid_request' })
    expect(error.message).toContain('no ?b?such client')
    expect(page.location()).toBe(here.as.redirectUri)
    expect(client.session.status).toBe('signed-out')
    // the right response may still arrive
    expect(await client.handleCallback(away.callbacks[0] as string)).toMatchObject({ handled: true })
  })

  test('is ignored if no sign-in is in progress, or away from the redirect URI', async () => {
    const here = world()
    for (const address of [errorAt(here.as.redirectUri), errorAt('https://app.example.com/other')]) {
      const page = pageAt(address)
      expect(await here.client({ page }).start()).toEqual({ status: 'signed-out' })
      expect(page.location()).toBe(address)
      await here.client({ userAgent: leaving(here.as).userAgent }).signIn()
    }
  })

  test('ends a sign-in if the user agent returns it', async () => {
    const here = world()
    const userAgent = {
      name: 'test',
      begin: (redirectUri: string) => ({
        redirectUri,
        authorize: async () => errorAt(redirectUri),
        close() {},
      }),
    }
    const error = await failureOf(here.client({ userAgent }).signIn())
    expect(error).toMatchObject({ reason: 'authorization_error', error: 'invalid_request' })
  })

  test('stops an app that signs in again automatically after six rounds', async () => {
    const here = world()
    const away = leaving(here.as)
    let rounds = 0
    let last: unknown
    for (; rounds < 30; rounds++) {
      // as an app that only checks the status
      const page = pageAt(rounds ? `${here.as.redirectUri}?error=server_error` : 'https://app.example.com/')
      const client = here.client({ page, userAgent: away.userAgent })
      await client.start().catch(() => {})
      last = await client.signIn().catch((error: unknown) => error)
      if (last instanceof CallbackError) break
    }
    expect(last).toMatchObject({ reason: 'redirect_loop' })
    expect(rounds).toBeLessThanOrEqual(6)
    expect(away.requests).toHaveLength(rounds)
  })
})

test('sign-ins from several tabs succeed in any order, even if one returns in a third tab', async () => {
  const here = world()
  const [first, second] = [leaving(here.as), leaving(here.as)]
  await here.client({ userAgent: first.userAgent }).signIn()
  await here.client({ userAgent: second.userAgent }).signIn()
  for (const answer of [second.callbacks[0], first.callbacks[0]]) {
    const tab = here.client({ page: pageAt(answer as string) })
    expect(await tab.start()).toMatchObject({ status: 'signed-in' })
    expect((await tab.fetch(`${API}/me`)).status).toBe(200)
  }
})

test('thirty calls of signIn() leave the page once', async () => {
  const here = world()
  const { userAgent, requests } = leaving(here.as)
  const client = here.client({ userAgent })
  await Promise.all(Array.from({ length: 30 }, () => client.signIn()))
  expect(requests).toHaveLength(1)
})

test('a prerendered page sends no code and writes nothing until the user looks at it', async () => {
  const here = world()
  const away = leaving(here.as)
  await here.client({ userAgent: away.userAgent }).signIn()
  let show = () => {}
  const shown = new Promise<void>(resolve => {
    show = resolve
  })
  let writes = 0
  const keyValue: KeyValue = {
    ...here.store.keyValue,
    update(key, change) {
      writes++
      return here.store.keyValue.update(key, change)
    },
  }
  const page = pageAt(away.callbacks[0] as string, () => shown)
  const client = here.client({ page, store: { ...here.store, keyValue } })
  const started = client.start()
  const called = client.fetch(`${API}/me`)
  const handled = client.handleCallback(away.callbacks[0] as string)
  await new Promise(resolve => setImmediate(resolve))
  expect(here.as.count('authorization_code')).toBe(0)
  expect(writes).toBe(0)
  show()
  expect(await handled).toMatchObject({ handled: true, session: { status: 'signed-in' } })
  expect(await started).toMatchObject({ status: 'signed-in' })
  expect((await called).status).toBe(200)
  expect(here.as.count('authorization_code')).toBe(1)
})
