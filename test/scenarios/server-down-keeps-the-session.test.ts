import { describe, expect, test } from 'vitest'
import {
  captivePortal,
  type Fault,
  hang,
  oauthError,
  reset,
  resetAfterWork,
  status,
  truncated,
} from '../support/faults.ts'
import { API } from '../support/strict-api.ts'
import { type World, worlds } from '../support/world.ts'

const world = worlds()
const later = 'Sun, 06 Nov 2050 08:49:37 GMT'

/** The stored entries, without the mark of a sent refresh token and without the recorded trouble. */
const unmarked = async ({ stored }: World) => {
  const [record] = (await stored()) as Record<string, unknown>[]
  return { ...record, pending: undefined, trouble: undefined, resources: undefined }
}

const networkFaults: [string, Fault, string][] = [
  ['the connection breaks', reset, 'unreachable'],
  ['it responds with 503', status(503), 'unavailable'],
  [
    'it responds with 500 and a page',
    status(500, { 'content-type': 'text/html' }, '<h1>Oops</h1>'),
    'unavailable',
  ],
  ['a proxy responds with 502 and an OAuth error', oauthError('invalid_grant', 502), 'unavailable'],
  ['it responds with 503 and a challenge', status(503, { 'www-authenticate': 'Basic' }), 'unavailable'],
  ['it responds with 429 and asks for a minute', status(429, { 'retry-after': '60' }), 'unavailable'],
  ['it responds with 429 and names a date', status(429, { 'retry-after': later }), 'unavailable'],
  ['it responds with 429 and invalid_grant', oauthError('invalid_grant', 429), 'unavailable'],
  ['it responds with 408', status(408), 'unavailable'],
  ['it responds with 425', status(425), 'unavailable'],
  ['a captive portal responds', captivePortal, 'not_the_server'],
  ['an intermediary redirects', status(302, { location: 'https://portal.example/' }), 'not_the_server'],
  ['the response is empty', status(200), 'not_the_server'],
  ['the response is 204', status(204), 'not_the_server'],
  [
    'it responds with 404 and a page',
    status(404, { 'content-type': 'text/html' }, '<h1>Not here</h1>'),
    'not_the_server',
  ],
]

describe('while the server is down', () => {
  test.each(networkFaults)(
    'because %s, the session is kept and the next call succeeds [TR29, MX09]',
    async (_what, fault, reason) => {
      const here = world()
      const { signedIn, as, clock, expire } = here
      const client = await signedIn()
      const session = client.session
      const before = await unmarked(here)
      expire()
      as.failNext.push(...Array<Fault>(3).fill(fault))
      await expect(client.fetch(`${API}/me`)).rejects.toMatchObject({
        name: 'NetworkError',
        code: 'ERR_NETWORK',
        retryable: true,
        reason,
      })
      expect(await unmarked(here)).toEqual(before)
      expect(client.session).toMatchObject({
        ...session,
        trouble: { error: { code: 'ERR_NETWORK', reason } },
      })
      expect(client.types()).not.toContain('session-ended')

      as.failNext.length = 0
      clock.advance(Date.parse(later) - clock.now() + 60_000)
      expect((await client.fetch(`${API}/me`)).status).toBe(200)
      expect(client.session).not.toHaveProperty('trouble')
      expect(as.reuses).toBe(0)
    },
  )

  test.each<[string, Fault]>([
    ['breaks after it has rotated', resetAfterWork],
    ['cuts off its response after it has rotated', truncated],
  ])('the grace period of a server that %s covers the retry, and no call fails', async (_what, fault) => {
    const { signedIn, as, stored, expire } = world({ graceMs: 10_000 })
    const client = await signedIn()
    expire()
    as.failNext.push(fault)
    expect((await client.fetch(`${API}/me`)).status).toBe(200)
    expect(as.count('refresh_token')).toBe(2)
    expect(as.reuses).toBe(0)
    expect((await stored())[0]).toMatchObject({ version: 2 })
  })

  test('a rotation whose response was lost ends the session as refresh_interrupted if there is no grace period [RF07]', async () => {
    const { signedIn, as, expire } = world()
    const client = await signedIn()
    expire()
    as.failNext.push(resetAfterWork)
    await expect(client.fetch(`${API}/me`)).rejects.toMatchObject({
      code: 'ERR_AUTHORIZATION_REQUIRED',
      reason: 'refresh_interrupted',
    })
  })

  test('a time-out is reported after 8 s and not retried automatically', async () => {
    const here = world()
    const { signedIn, as, clock, expire } = here
    const client = await signedIn()
    const before = await unmarked(here)
    expire()
    as.failNext.push(hang)
    const call = client.fetch(`${API}/me`).catch((error: unknown) => error)
    await expect.poll(() => as.count('refresh_token')).toBe(1)
    clock.advance(8000)
    expect(await call).toMatchObject({ code: 'ERR_NETWORK', reason: 'timeout', retryable: true })
    expect(as.count('refresh_token')).toBe(1)
    expect(await unmarked(here)).toEqual(before)
    clock.advance(60_000)
    expect((await client.fetch(`${API}/me`)).status).toBe(200)
  })

  test('one call causes at most three requests, and none while the server has asked for a pause [RA01]', async () => {
    const { signedIn, as, clock, expire } = world()
    const client = await signedIn()
    expire()
    as.failNext.push(status(429, { 'retry-after': '60' }))
    for (let call = 0; call < 5; call++) await expect(client.fetch(`${API}/me`)).rejects.toThrow()
    expect(as.count('refresh_token')).toBe(1)
    clock.advance(59_000)
    await expect(client.fetch(`${API}/me`)).rejects.toMatchObject({ code: 'ERR_NETWORK' })
    clock.advance(2000)
    expect((await client.fetch(`${API}/me`)).status).toBe(200)
    expect(as.count('refresh_token')).toBe(2)
  })

  test('a waiting call still finds tokens that another client of the store got meanwhile', async () => {
    const { signedIn, client, as, store, clock, expire } = world()
    const deaf = { ...store, channel: () => ({ post() {}, listen: () => () => {}, close() {} }) }
    const one = await signedIn({ store: deaf })
    expire()
    as.failNext.push(...Array<Fault>(3).fill(reset))
    await expect(one.fetch(`${API}/me`)).rejects.toMatchObject({ code: 'ERR_NETWORK' })
    clock.advance(1)
    const other = client({ store: deaf })
    expect((await other.fetch(`${API}/me`)).status).toBe(200)
    expect((await one.fetch(`${API}/me`)).status).toBe(200)
  })

  test.each([
    'invalid_client',
    'invalid_request',
    'server_error',
    'temporarily_unavailable',
    'slow_down',
    'nonsense',
  ])('the response %s causes a typed error, and the session is kept', async error => {
    const here = world()
    const { signedIn, as, clock, expire } = here
    const client = await signedIn()
    expire()
    as.failNext.push(
      oauthError(error, error === 'invalid_client' ? 401 : 400, { 'www-authenticate': 'Basic' }),
    )
    await expect(client.fetch(`${API}/me`)).rejects.toMatchObject({ code: 'ERR_SERVER', error })
    expect(client.session.status).toBe('signed-in')
    clock.advance(60_000)
    expect((await client.fetch(`${API}/me`)).status).toBe(200)
  })

  test.each([
    '{"ok":true}',
    '[]',
    '42',
    '{"access_token":"only"}',
    '{"access_token":7,"token_type":"Bearer"}',
  ])('the malformed response %s causes a typed error, and the session is kept', async body => {
    const here = world()
    const { signedIn, as, clock, expire } = here
    const client = await signedIn()
    expire()
    as.failNext.push(...Array<Fault>(3).fill(status(200, { 'content-type': 'application/json' }, body)))
    await expect(client.fetch(`${API}/me`)).rejects.toMatchObject({
      code: expect.stringMatching(/^ERR_(SERVER|NETWORK)$/),
    })
    expect(client.session.status).toBe('signed-in')
    as.failNext.length = 0
    clock.advance(60_000)
    expect((await client.fetch(`${API}/me`)).status).toBe(200)
  })

  test('a failed background refresh does not affect the call [RF17]', async () => {
    const { signedIn, as, clock } = world()
    const client = await signedIn()
    clock.advance(245_000)
    as.failNext.push(...Array<Fault>(3).fill(reset))
    expect((await client.fetch(`${API}/me`)).status).toBe(200)
    await expect.poll(() => client.types().filter(type => type === 'token-error').length).toBeGreaterThan(0)
    expect((await client.fetch(`${API}/me`)).status).toBe(200)
  })

  test('metadata that cannot be fetched counts as an unavailable server and is requested again', async () => {
    const { client, as } = world()
    const one = client()
    as.failMetadata.push(...Array<Fault>(2).fill(status(503)))
    await expect(one.signIn()).rejects.toMatchObject({
      code: 'ERR_NETWORK',
      retryable: true,
      reason: 'unavailable',
    })
    as.failMetadata.length = 0
    await one.signIn()
    expect(one.session.status).toBe('signed-in')
  })
})

test('a request that breaks off while the page unloads is retried once, by the next page', async () => {
  const here = world()
  await here.signedIn()
  here.expire()
  const isLeaving = { isLeaving: () => true, stop() {} }
  const leaving = here.client({ watchLeaving: () => isLeaving })
  await leaving.start()
  here.as.failNext.push(reset)
  await expect(leaving.getAccessToken()).rejects.toMatchObject({ code: 'ERR_NETWORK', reason: 'unreachable' })
  expect(here.as.count('refresh_token')).toBe(1)
  here.clock.advance(1)
  const next = here.client()
  await next.start()
  expect((await next.fetch(`${API}/me`)).status).toBe(200)
  expect(here.as.count('refresh_token')).toBe(2)
  expect(here.as.reuses).toBe(0)
})
