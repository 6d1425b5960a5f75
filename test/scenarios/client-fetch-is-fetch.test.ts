import { describe, expect, test } from 'vitest'
import type { Channel } from '../../src/core/ports.ts'
import { children } from '../support/child.ts'
import { hold } from '../support/faults.ts'
import { authorizationOf } from '../support/recorded.ts'
import { firstAuthorization, recordedClient } from '../support/recorded-client.ts'
import { startRecordingServer } from '../support/recording-server.ts'
import { API } from '../support/strict-api.ts'
import { sharedStore } from '../support/tabs.ts'
import { worlds } from '../support/world.ts'

const world = worlds()
const child = children()

test('headers that can be iterated only once are sent with the first request and with the replay', async () => {
  const { signedIn, as, api } = world()
  const client = await signedIn()
  as.revokeAccessTokens()
  const headers = new Map([['x-mine', 'yes']]).entries() as unknown as [string, string][]
  expect((await client.fetch(`${API}/me`, { headers })).status).toBe(200)
  expect(api.requests.map(request => request.headers['x-mine'])).toEqual(['yes', 'yes'])
})

test('a Request passed as init works as it does with fetch', async () => {
  const { signedIn, api } = world()
  const client = await signedIn()
  const init = new Request(`${API}/other`, { method: 'PUT', headers: { 'x-mine': 'yes' }, body: 'text' })
  expect((await client.fetch(`${API}/me`, init)).status).toBe(200)
  expect(api.requests[0]).toMatchObject({ method: 'PUT', body: 'text', headers: { 'x-mine': 'yes' } })
})

test('client.fetch works without its client as `this`', async () => {
  const { signedIn } = world()
  const { fetch } = await signedIn()
  expect((await fetch(`${API}/me`)).status).toBe(200)
})

test('a call in progress while the client is disposed still completes', async () => {
  const { signedIn, expire } = world()
  const client = await signedIn()
  expire()
  const call = client.fetch(`${API}/me`)
  client.dispose()
  expect((await call).status).toBe(200)
})

test('a call that goes on after its client was disposed listens to no news', async () => {
  const { signedIn, expire, clock } = world()
  const store = sharedStore(clock)
  const open = new Set<object>()
  const channel = (name: string): Channel => {
    const own = store.channel(name)
    return {
      ...own,
      listen(tell) {
        open.add(own)
        const stop = own.listen(tell)
        return () => {
          open.delete(own)
          stop()
        }
      },
    }
  }
  const client = await signedIn({ store: { ...store, channel } })
  expect(open.size).toBe(1)
  expire()
  const call = client.fetch(`${API}/me`)
  client.dispose()
  expect((await call).status).toBe(200) // it has refreshed, and has stored the new tokens
  expect(open.size).toBe(0)
})

test('a call before start() finds the stored session', async () => {
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

test('a call while signed out rejects with a typed error and sends nothing', async () => {
  const { client, api, as } = world()
  await expect(client().fetch(`${API}/me`)).rejects.toMatchObject({
    code: 'ERR_AUTHORIZATION_REQUIRED',
    reason: 'no_session',
  })
  expect([api.requests.length, as.requests.length]).toEqual([0, 0])
})

test('changes that the caller makes after the call are sent neither at first nor with the replay', async () => {
  const { as, api, signedIn, client } = world()
  const one = await signedIn()
  as.revokeAccessTokens()
  const headers = { 'x-mine': 'yes' }
  const body = new TextEncoder().encode('text')
  // one call has a token that the API rejects, the other has to wait for the store
  const calls = [one, client()].map(each => each.fetch(`${API}/me`, { method: 'POST', headers, body }))
  headers['x-mine'] = 'no'
  body.fill(0)
  for (const call of calls) expect((await call).status).toBe(200)
  expect(api.requests.map(request => [request.headers['x-mine'], request.body])).toEqual(
    api.requests.map(() => ['yes', 'text']),
  )
})

test('a signal of null overrides the signal of a Request, also while the call waits for a token', async () => {
  const { signedIn, client } = world()
  await signedIn()
  const request = new Request(`${API}/me`, { signal: AbortSignal.abort() })
  expect((await client().fetch(request, { signal: null })).status).toBe(200)
})

test.for<[string, unknown[]]>([
  ['null as its headers', [`${API}/me`, { headers: null }]],
  ['a string as its options', [`${API}/me`, 'text']],
  ['a number as its options', [`${API}/me`, 5]],
  ['null', [null, undefined]],
])('a call with %s is rejected by fetch itself, and no token is sent', async ([, args]) => {
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

test('a 401 whose body breaks off during the refresh causes no unhandled rejection', async () => {
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

test('a 401 from another server after a redirect is returned without a refresh [RQ12]', async () => {
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

test('a 401 from another allowed origin after a redirect causes no refresh and no replay [F3.6]', async () => {
  const { signedIn, as, fetch } = world()
  const sent: string[] = []
  const client = await signedIn({
    allowedOrigins: [API, 'https://other.example.com'],
    async fetch(input, init) {
      if (String(input).startsWith(as.issuer)) return fetch(input, init)
      sent.push(String(input))
      return Object.defineProperties(new Response('elsewhere', { status: 401 }), {
        url: { value: String(input).endsWith('/moved') ? 'https://other.example.com/' : `${API}/final` },
        redirected: { value: true },
      })
    },
  })
  expect(await (await client.fetch(`${API}/moved`)).text()).toBe('elsewhere')
  expect([as.count('refresh_token'), sent.length]).toEqual([0, 1])
  // a redirect within an origin keeps the token
  await client.fetch(`${API}/renamed`)
  expect([as.count('refresh_token'), sent.length]).toEqual([1, 3])
})

describe("the caller's arguments are read once, when the call is made", () => {
  test.each<[string, boolean]>([
    ['that waits for a token and is replayed', true],
    ['that is replayed', false],
  ])('a URL object that is changed after a call %s has no effect [F3.1]', async (_what, waits) => {
    const { as, api, signedIn, client } = world()
    const one = await signedIn()
    as.revokeAccessTokens()
    const url = new URL(`${API}/me`)
    const call = (waits ? client() : one).fetch(url, { method: 'POST', body: 'mine' })
    url.href = 'https://evil.example/take'
    expect((await call).status).toBe(200)
    expect(api.requests.map(request => request.url)).toEqual([`${API}/me`, `${API}/me`])
    expect(api.elsewhere).toEqual([])
  })

  test('an address object that changes each time it is read gets no token outside the allowed origins [F3.1]', async () => {
    const { api, signedIn } = world()
    const client = await signedIn()
    const says = [`${API}/me`, 'https://evil.example/take']
    const link = { toString: () => says.shift() ?? 'https://evil.example/again' }
    await client.fetch(link as unknown as URL)
    expect(api.requests.map(({ url }) => url)).toEqual([`${API}/me`])
    expect(api.elsewhere).toEqual([])
  })

  test('the body of a Request is consumed immediately, even if the call waits for a token [F3.3]', async () => {
    const { as, api, signedIn, expire } = world()
    const client = await signedIn()
    expire()
    const request = new Request(`${API}/me`, { method: 'POST', body: 'once' })
    const call = client.fetch(request)
    expect(request.bodyUsed).toBe(true)
    await expect(client.fetch(request)).rejects.toThrow(TypeError)
    expect((await call).status).toBe(200)
    expect(api.requests.map(({ body }) => body)).toEqual(['once'])
    expect(as.count('refresh_token')).toBe(1)
  })

  test('a getter in the options runs once, also if the call waits, is replayed, or gets no token [F3.10]', async () => {
    const { as, signedIn, client } = world()
    const one = await signedIn()
    as.revokeAccessTokens()
    for (const fetch of [client().fetch, one.fetch]) {
      let times = 0
      const init = {
        get headers() {
          times++
          return { 'x-mine': 'yes' }
        },
      }
      for (const [index, url] of [`${API}/me`, `${API}/always-401`].entries()) {
        await fetch(url, init)
        expect(times).toBe(index + 1)
      }
    }
  })
})

test.for<[string, RequestInit]>([
  ['an invalid method', { method: 'B AD' }],
  ['a body on a GET', { body: 'text' }],
  ['shared memory as its body', { method: 'POST', body: new Uint8Array(new SharedArrayBuffer(4)) as never }],
])(
  'a call with %s is rejected as fetch rejects it, also if it waits for a token [F3.10]',
  async ([, init]) => {
    const { signedIn, as, api, expire } = world()
    const client = await signedIn()
    for (const when of [() => {}, expire]) {
      when()
      await expect(client.fetch(`${API}/me`, init)).rejects.toThrow(TypeError)
    }
    expect([as.count('refresh_token'), api.requests.length]).toEqual([0, 0])
  },
)

test('client.fetch has the name and length of fetch and rejects a call without arguments [F3.10]', async () => {
  const { fetch: clientFetch, dispose } = await recordedClient(['https://api.example.com'])
  expect([clientFetch.name, clientFetch.length]).toEqual([fetch.name, fetch.length])
  await expect((clientFetch as () => Promise<Response>)()).rejects.toThrow(TypeError)
  dispose()
})

test('a no-cors call is sent unchanged, without a token and without a session [F3.8]', async () => {
  const { signedIn, client, as, fetch } = world()
  const sent: unknown[][] = []
  const send: typeof globalThis.fetch = (...args) => {
    if (String(args[0]).startsWith(as.issuer)) return fetch(...args)
    sent.push(args)
    return Promise.resolve(new Response())
  }
  for (const each of [client({ fetch: send }), await signedIn({ fetch: send })]) {
    await each.fetch(`${API}/beacon`, { mode: 'no-cors', method: 'POST', body: 'x' })
    const request = new Request(`${API}/beacon`, { mode: 'no-cors' })
    await each.fetch(request)
    expect(sent.splice(0)).toEqual([
      [`${API}/beacon`, { mode: 'no-cors', method: 'POST', body: 'x' }],
      [request, undefined],
    ])
  }
})

const cancelled = () => {
  const reasons: unknown[] = []
  const body = new ReadableStream({ cancel: reason => void reasons.push(reason) })
  return { reasons, init: { method: 'POST', body, duplex: 'half' } as RequestInit }
}

test.each<[string, (init: RequestInit) => Parameters<typeof fetch>]>([
  ['a stream', init => [`${API}/me`, init]],
  ['a Request that was created from a stream', init => [new Request(`${API}/me`, init)]],
])('%s is cancelled when its call is aborted while waiting for a token [F3.5]', async (_what, args) => {
  const { signedIn, as, api, expire } = world()
  const client = await signedIn()
  expire()
  const held = hold()
  as.failNext.push(held)
  const { reasons, init } = cancelled()
  const controller = new AbortController()
  const call = client.fetch(...args({ ...init, signal: controller.signal }))
  await held.arrived
  const reason = new Error('no longer needed')
  controller.abort(reason)
  await expect(call).rejects.toBe(reason)
  await expect.poll(() => reasons).toEqual([reason])
  held.release()
  expect(api.requests).toEqual([])
})

test('a stream is cancelled when the client is signed out [F3.5]', async () => {
  const { client } = world()
  const { reasons, init } = cancelled()
  const end = await client()
    .fetch(`${API}/me`, init)
    .catch((error: unknown) => error)
  expect(end).toMatchObject({ code: 'ERR_AUTHORIZATION_REQUIRED' })
  await expect.poll(() => reasons).toEqual([end])
})

test('a client keeps using the original fetch after its own fetch becomes the global one [F3.9]', async () => {
  const server = await startRecordingServer()
  try {
    const process = child('global-fetch', server.origin)
    expect(await process.ended).toBe(0)
    expect(process.lines()).toEqual(['200'])
    expect(server.records.map(authorizationOf)).toEqual([[firstAuthorization]])
  } finally {
    await server.close()
  }
})
