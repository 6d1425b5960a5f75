import { expect, test } from 'vitest'
import { API } from '../support/strict-api.ts'
import { worlds } from '../support/world.ts'

const world = worlds()

test('headers that can be walked through only once arrive, with the first send and with the replay', async () => {
  const { signedIn, as, api } = world()
  const client = await signedIn()
  as.revokeAccessTokens()
  const headers = new Map([['x-mine', 'yes']]).entries() as unknown as [string, string][]
  expect((await client.fetch(`${API}/me`, { headers })).status).toBe(200)
  expect(api.requests.map(request => request.headers['x-mine'])).toEqual(['yes', 'yes'])
})

test('a Request in place of init is taken as fetch takes it', async () => {
  const { signedIn, api } = world()
  const client = await signedIn()
  const init = new Request(`${API}/other`, { method: 'PUT', headers: { 'x-mine': 'yes' }, body: 'text' })
  expect((await client.fetch(`${API}/me`, init)).status).toBe(200)
  expect(api.requests[0]).toMatchObject({ method: 'PUT', body: 'text', headers: { 'x-mine': 'yes' } })
})

test('it may be passed on unbound', async () => {
  const { signedIn } = world()
  const { fetch } = await signedIn()
  expect((await fetch(`${API}/me`)).status).toBe(200)
})

test('a call that is under way while the client is disposed still ends', async () => {
  const { signedIn, expire } = world()
  const client = await signedIn()
  expire()
  const call = client.fetch(`${API}/me`)
  client.dispose()
  expect((await call).status).toBe(200)
})

test('a call before start() finds the session that is stored', async () => {
  const { signedIn, client, as } = world()
  await signedIn()
  const later = client()
  expect(later.session).toEqual({ status: 'starting' })
  const calls = await Promise.all([
    later.fetch(`${API}/me`),
    later.fetch(`${API}/me`),
    later.getAccessToken(),
  ])
  expect(calls[0]).toMatchObject({ status: 200 })
  expect(as.count('refresh_token')).toBe(0)
  expect(later.session.status).toBe('signed-in')
})

test('a call of who is signed out rejects with a typed error, and nothing is sent', async () => {
  const { client, api, as } = world()
  await expect(client().fetch(`${API}/me`)).rejects.toMatchObject({
    code: 'ERR_AUTHORIZATION_REQUIRED',
    reason: 'no_session',
  })
  expect([api.requests.length, as.requests.length]).toEqual([0, 0])
})

test('what the caller changes after the call is not sent, neither at first nor with the replay', async () => {
  const { as, api, signedIn, client } = world()
  const one = await signedIn()
  as.revokeAccessTokens()
  const headers = { 'x-mine': 'yes' }
  const body = new TextEncoder().encode('text')
  // the one has a token at hand that is refused, the other has to wait for the store
  const calls = [one, client()].map(each => each.fetch(`${API}/me`, { method: 'POST', headers, body }))
  headers['x-mine'] = 'no'
  body.fill(0)
  for (const call of calls) expect((await call).status).toBe(200)
  expect(api.requests.map(request => [request.headers['x-mine'], request.body])).toEqual(
    api.requests.map(() => ['yes', 'text']),
  )
})

test('a signal of null takes the place of the one of a Request, also while a token is waited for', async () => {
  const { signedIn, client } = world()
  await signedIn()
  const request = new Request(`${API}/me`, { signal: AbortSignal.abort() })
  expect((await client().fetch(request, { signal: null })).status).toBe(200)
})

test.for<[string, unknown[]]>([
  ['no headers but null', [`${API}/me`, { headers: null }]],
  ['a text for its options', [`${API}/me`, 'text']],
  ['a number for its options', [`${API}/me`, 5]],
  ['null', [null, undefined]],
])('a call with %s is refused by fetch itself, and no token is sent', async ([, args]) => {
  const { signedIn, as, fetch } = world()
  const sent: unknown[][] = []
  const client = await signedIn({
    async fetch(...given) {
      if (String(given[0]).startsWith(as.issuer)) return fetch(...given)
      sent.push(given)
      throw new TypeError('refused')
    },
  })
  await expect(client.fetch(...(args as [string]))).rejects.toThrow(TypeError)
  expect(sent).toEqual([args])
})

test("a 401 whose body breaks off while the refresh is under way is nobody else's rejection", async () => {
  const { signedIn, as, fetch } = world()
  const rejections: unknown[] = []
  const note = (reason: unknown) => rejections.push(reason)
  process.on('unhandledRejection', note)
  let isFirst = true
  const client = await signedIn({
    async fetch(input, init) {
      if (String(input).startsWith(as.issuer) || !isFirst) return fetch(input, init)
      isFirst = false
      const body = new ReadableStream({ start: controller => controller.error(new TypeError('terminated')) })
      return new Response(body, { status: 401 })
    },
  })
  expect((await client.fetch(`${API}/me`)).status).toBe(200)
  await new Promise(resolve => setImmediate(resolve))
  process.off('unhandledRejection', note)
  expect(rejections).toEqual([])
})

test('a 401 of another server, to which a redirect led, is passed on and costs no refresh [RQ12]', async () => {
  const { signedIn, as, fetch } = world()
  const client = await signedIn({
    async fetch(input, init) {
      if (String(input).startsWith(as.issuer)) return fetch(input, init)
      const response = new Response('elsewhere', { status: 401 })
      return Object.defineProperties(response, {
        url: { value: 'https://elsewhere.example.com/' },
        redirected: { value: true },
      })
    },
  })
  const response = await client.fetch(`${API}/me`)
  expect(response.status).toBe(401)
  expect(await response.text()).toBe('elsewhere')
  expect(as.count('refresh_token')).toBe(0)
})
