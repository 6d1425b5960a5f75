import { describe, expect, test } from 'vitest'
import type { Fetch, Wake } from '../../src/core/ports.ts'
import { altered, hold, oauthError } from '../support/faults.ts'
import { API } from '../support/strict-api.ts'
import { type World, worlds } from '../support/world.ts'

const world = worlds()

const [NOTES, PHOTOS, ADMIN] = ['https://notes.example.com', 'https://photos.example.com', `${API}/admin`]
const resources = {
  [NOTES]: { resource: 'urn:notes' },
  [PHOTOS]: { audience: 'photos' },
  [ADMIN]: { resource: 'urn:admin', scope: 'read' },
}
const expected: Record<string, string | undefined> = {
  [NOTES]: 'urn:notes',
  [PHOTOS]: 'photos',
  [ADMIN]: 'urn:admin',
}

/** Each API accepts only tokens for its own audience and records what it received. */
function apis({ as, fetch }: World) {
  const seen: { url: string; resource: string | undefined; isValid: boolean }[] = []
  const send: Fetch = async (input, init) => {
    const request = new Request(input, init)
    const { url } = request
    if (url.startsWith(as.issuer)) return fetch(request)
    const accessToken = request.headers.get('authorization')?.replace('Bearer ', '') ?? ''
    const known = as.introspect(accessToken)
    const api = Object.keys(expected).find(name => url.startsWith(`${name}/`) || url === name)
    const isValid = known !== undefined && known.resource === (api && expected[api])
    seen.push({ url, resource: known?.resource, isValid })
    const challenge = { 'www-authenticate': 'Bearer error="invalid_token"' }
    return Response.json({}, isValid ? undefined : { status: 401, headers: challenge })
  }
  return { send, seen }
}

const calls = [`${NOTES}/all`, `${PHOTOS}/all?a=b`, `${ADMIN}/users`, `${API}/me`]

test('three APIs and one refresh token: each gets its own access token, redeemed one after the other [RQ23]', async () => {
  const here = world()
  const { send, seen } = apis(here)
  const client = await here.signedIn({ fetch: send, resources })
  const both = [...calls, ...calls]
  const answers = await Promise.all(both.map(url => client.fetch(url)))
  expect(answers.map(({ status }) => status)).toEqual(both.map(() => 200))
  expect(here.as.reuses).toBe(0)
  const refreshes = here.as.tokenRequests.filter(({ grantType }) => grantType === 'refresh_token')
  expect(refreshes.map(({ resource }) => resource).sort()).toEqual(['photos', 'urn:admin', 'urn:notes'])
  expect(new Set(refreshes.map(({ sent }) => sent)).size).toBe(3)
  expect(seen.every(({ isValid }) => isValid)).toBe(true)

  here.expire()
  await Promise.all(both.map(url => client.fetch(url)))
  expect(here.as.count('refresh_token')).toBe(3 + 4)
  expect(here.as.reuses).toBe(0)
  expect(seen.every(({ isValid }) => isValid)).toBe(true)
})

test('two tabs with three APIs redeem each refresh token once', async () => {
  const here = world()
  const { send, seen } = apis(here)
  const one = await here.signedIn({ fetch: send, resources })
  const other = here.client({ fetch: send, resources })
  const answers = await Promise.all(calls.flatMap(url => [one.fetch(url), other.fetch(url)]))
  expect(answers.every(({ ok }) => ok)).toBe(true)
  expect(here.as.count('refresh_token')).toBe(3)
  expect(here.as.reuses).toBe(0)
  expect(seen.every(({ isValid }) => isValid)).toBe(true)
})

test('the access token of an API survives a restart, next to those of other APIs', async () => {
  const here = world()
  const { send } = apis(here)
  const one = await here.signedIn({ fetch: send, resources })
  for (const url of calls) await one.fetch(url)
  one.dispose()
  const next = here.client({ fetch: send, resources })
  for (const url of calls) expect((await next.fetch(url)).status).toBe(200)
  expect(here.as.count('refresh_token')).toBe(3)
})

test("a 401 from one API refreshes only that API's access token", async () => {
  const here = world()
  const { send } = apis(here)
  const client = await here.signedIn({ fetch: send, resources })
  for (const url of calls) await client.fetch(url)
  const before = await client.getAccessToken()
  here.as.revokeAccessTokens()
  expect((await client.fetch(`${NOTES}/all`)).status).toBe(200)
  expect(here.as.tokenRequests.at(-1)).toMatchObject({ resource: 'urn:notes', outcome: 'ok' })
  expect(await client.getAccessToken()).toBe(before)
  expect(here.as.count('refresh_token')).toBe(4)
})

test("getAccessToken() returns an API's access token by its name and rejects unknown names", async () => {
  const here = world()
  const client = await here.signedIn({ fetch: apis(here).send, resources })
  const accessToken = await client.getAccessToken({ resource: `${PHOTOS}/` })
  expect(here.as.introspect(accessToken)?.resource).toBe('photos')
  expect(here.as.introspect(await client.getAccessToken())?.resource).toBeUndefined()
  await expect(client.getAccessToken({ resource: API })).rejects.toMatchObject({ code: 'ERR_CONFIGURATION' })
})

test('a path counts as a separate API by whole segments, and a host by whole names', async () => {
  const here = world()
  const { send, seen } = apis(here)
  const client = await here.signedIn({ fetch: send, resources, allowedOrigins: [] })
  await client.fetch(ADMIN)
  await client.fetch(`${ADMIN}/../admin/x`)
  expect(seen.map(({ resource }) => resource)).toEqual(['urn:admin', 'urn:admin'])
  const none = [
    `${API}/administrator`,
    `${API}/`,
    `${NOTES}.evil.example/`,
    `${NOTES}:8443/`,
    `${API}/admin/../me`,
  ]
  for (const url of [...none, 'http://notes.example.com/']) await client.fetch(url)
  expect(seen.slice(2).map(({ resource }) => resource)).toEqual(Array(6).fill(undefined))
})

test.for<[string, Record<string, unknown>]>([
  ['names another audience', { audience: 'other' }],
  ['names other audiences', { audience: ['a', 'b'] }],
])(
  'a response that %s is an error, not an access token, and does not end the session',
  async ([, change]) => {
    const here = world()
    const { send, seen } = apis(here)
    const client = await here.signedIn({ fetch: send, resources })
    here.as.failNext.push(altered(change))
    for (let call = 0; call < 5; call++) {
      await expect(client.fetch(`${PHOTOS}/all`)).rejects.toMatchObject({
        code: 'ERR_SERVER',
        error: 'invalid_target',
      })
    }
    expect(here.as.count('refresh_token')).toBe(1)
    expect(seen).toEqual([])
    expect(client.session.status).toBe('signed-in')
    // the refresh token from the response is kept because it is new
    here.clock.advance(60_000)
    expect((await client.fetch(`${PHOTOS}/all`)).status).toBe(200)
    expect(here.as.reuses).toBe(0)
  },
)

test('a response with the access token of another API, or with none of the scopes, is an error [RQ23]', async () => {
  const here = world()
  const { send } = apis(here)
  const client = await here.signedIn({ fetch: send, resources })
  here.as.failNext.push(
    altered({ access_token: await client.getAccessToken() }),
    altered({ scope: 'openid' }),
  )
  await expect(client.fetch(`${NOTES}/`)).rejects.toMatchObject({ error: 'invalid_target' })
  await expect(client.fetch(`${ADMIN}/`)).rejects.toMatchObject({ error: 'invalid_target' })
  expect((await client.fetch(`${API}/me`)).status).toBe(200)
})

test('a scope that the sign-in did not request is rejected locally and never sent [RF11]', async () => {
  const here = world()
  const { send } = apis(here)
  await here.signedIn({ fetch: send })
  // a newer version of the app finds the session of the old one
  const client = here.client({
    fetch: send,
    resources: { [NOTES]: { resource: 'urn:notes', scope: 'write' } },
  })
  await expect(client.fetch(`${NOTES}/`)).rejects.toMatchObject({
    code: 'ERR_SERVER',
    error: 'invalid_scope',
  })
  expect(here.as.count('refresh_token')).toBe(0)
  await client.signIn()
  expect((await client.fetch(`${NOTES}/`)).status).toBe(200)
  expect(here.as.tokenRequests.at(-1)).toMatchObject({ resource: 'urn:notes', scope: 'write' })
})

test("a sign-out also ends the wait for one API's access token", async () => {
  const here = world()
  const { send } = apis(here)
  const client = await here.signedIn({ fetch: send, resources })
  const held = hold()
  here.as.failNext.push(held)
  const waiting = client.fetch(`${NOTES}/`).catch((error: unknown) => error)
  await held.arrived
  await client.signOut()
  expect(await waiting).toMatchObject({ code: 'ERR_AUTHORIZATION_REQUIRED', reason: 'signed_out' })
  held.release()
  await expect.poll(() => here.stored()).toEqual([])
})

describe('an error that is permanent for one API', () => {
  const REFUSALS = [
    ['invalid_target', oauthError('invalid_target')],
    ['invalid_scope', oauthError('invalid_scope')],
  ] as const

  test.each(REFUSALS)('is requested once until the next sign-in: %s [F9.5]', async (error, fault) => {
    const here = world({ accessTokenSeconds: 3600 })
    const { send, seen } = apis(here)
    let wake = () => {}
    const awake: Wake = {
      listen(heard) {
        wake = heard
        return () => {}
      },
    }
    const client = await here.signedIn({ fetch: send, resources, wake: awake })
    here.as.failNext.push(fault)
    for (let call = 0; call < 5; call++) {
      await expect(client.fetch(`${PHOTOS}/all`)).rejects.toMatchObject({ code: 'ERR_SERVER', error })
      here.clock.advance(60_000)
      wake()
    }
    expect(here.as.count('refresh_token')).toBe(1)
    // the other clients do not know about it
    expect((await client.fetch(`${NOTES}/all`)).status).toBe(200)
    await client.signIn()
    expect((await client.fetch(`${PHOTOS}/all`)).status).toBe(200)
    expect(seen.every(({ isValid }) => isValid)).toBe(true)
    expect(client.session.status).toBe('signed-in')
  })

  test('is forgotten when another tab gets the access token', async () => {
    const here = world()
    const { send } = apis(here)
    const client = await here.signedIn({ fetch: send, resources })
    here.as.failNext.push(oauthError('invalid_target'))
    await expect(client.fetch(`${PHOTOS}/all`)).rejects.toMatchObject({ error: 'invalid_target' })
    expect((await here.client({ fetch: send, resources }).fetch(`${PHOTOS}/all`)).status).toBe(200)
    expect((await client.fetch(`${PHOTOS}/all`)).status).toBe(200)
  })
})
