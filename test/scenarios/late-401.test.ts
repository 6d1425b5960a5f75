import { describe, expect, test } from 'vitest'
import type { Presentation } from '../../src/core/extension.ts'
import type { Wake } from '../../src/core/ports.ts'
import { hold } from '../support/faults.ts'
import { API } from '../support/strict-api.ts'
import { type World, worlds } from '../support/world.ts'

const world = worlds()

test('a 401 for a request with an older token than the stored one is replayed without a refresh', async () => {
  const { signedIn, as, api, fetch } = world()
  let letGo = () => {}
  const gate = new Promise<void>(resolve => {
    letGo = resolve
  })
  let slow = true
  const client = await signedIn({
    // the first request to /slow takes a long time
    async fetch(input, init) {
      if (slow && String(input).endsWith('/slow')) {
        slow = false
        await gate
      }
      return fetch(input, init)
    },
  })
  const late = client.fetch(`${API}/slow`)
  as.revokeAccessTokens()
  expect((await client.fetch(`${API}/me`)).status).toBe(200)
  expect(as.count('refresh_token')).toBe(1)
  letGo()
  expect((await late).status).toBe(200)
  expect(as.count('refresh_token')).toBe(1)
  expect(api.statuses()).toEqual([401, 200, 401, 200])
})

test('the replay is the same request with the new token [RQ09]', async () => {
  const { signedIn, as, api } = world()
  const client = await signedIn()
  as.revokeAccessTokens()
  const headers = { 'content-type': 'application/json', 'x-mine': 'yes' }
  const init = { method: 'POST', body: '{"text":"grüß"}', headers }
  const response = await client.fetch(`${API}/me?a=b`, init)
  expect(await response.json()).toMatchObject({ method: 'POST', body: '{"text":"grüß"}' })
  const [first, second] = api.requests
  expect(second).toMatchObject({
    ...first,
    status: 200,
    headers: { ...first?.headers, authorization: expect.any(String) },
  })
  expect(second?.headers.authorization).not.toBe(first?.headers.authorization)
  expect(init).toEqual({ method: 'POST', body: '{"text":"grüß"}', headers })
  expect(headers).toEqual({ 'content-type': 'application/json', 'x-mine': 'yes' })
})

test('an endpoint that always responds with 401 causes one refresh, then its 401s are returned [RF14, RQ10]', async () => {
  const { signedIn, as, api } = world()
  const client = await signedIn()
  for (let call = 0; call < 5; call++) {
    const response = await client.fetch(`${API}/always-401`)
    expect(response.status).toBe(401)
    expect(await response.json()).toMatchObject({ error: 'invalid_token' })
  }
  expect(as.count('refresh_token')).toBe(1)
  expect(api.requests).toHaveLength(6)
  expect((await client.fetch(`${API}/me`)).status).toBe(200)
  expect(client.session.status).toBe('signed-in')
})

test('two endpoints that always respond with 401 do not alternate refreshes endlessly [RF14]', async () => {
  const { signedIn, as } = world()
  const client = await signedIn()
  for (let call = 0; call < 10; call++) await client.fetch(`${API}/always-401/${call % 2}`)
  expect(as.count('refresh_token')).toBeLessThanOrEqual(2)
})

test('twenty calls at once to an endpoint that always responds with 401 cause one refresh', async () => {
  const { signedIn, as } = world()
  const client = await signedIn()
  const calls = Array.from({ length: 20 }, () => client.fetch(`${API}/always-401`))
  expect((await Promise.all(calls)).map(({ status }) => status)).toEqual(Array(20).fill(401))
  expect(as.count('refresh_token')).toBe(1)
})

test('a 403 is returned without a refresh', async () => {
  const { signedIn, as } = world()
  const client = await signedIn()
  const response = await client.fetch(`${API}/forbidden`)
  expect(response.status).toBe(403)
  expect(response.headers.get('www-authenticate')).toContain('insufficient_scope')
  expect(as.count('refresh_token')).toBe(0)
})

test('a 401 whose refresh fails is returned unchanged', async () => {
  const { signedIn, as } = world()
  const client = await signedIn()
  as.revokeAccessTokens()
  as.failNext.push(...Array(5).fill({ afterWork: false, answer: () => Response.error() }))
  const response = await client.fetch(`${API}/me`)
  expect(response.status).toBe(401)
  expect(await response.json()).toMatchObject({ error: 'invalid_token' })
  expect(client.session.status).toBe('signed-in')
})

test('a body that can be read only once is sent once, and its 401 is returned [RQ18]', async () => {
  const { signedIn, as, api } = world()
  const client = await signedIn()
  as.revokeAccessTokens()
  const body = new ReadableStream({
    start(controller) {
      controller.enqueue(new TextEncoder().encode('once'))
      controller.close()
    },
  })
  const init: RequestInit & { duplex: 'half' } = { method: 'POST', body, duplex: 'half' }
  expect((await client.fetch(`${API}/me`, init)).status).toBe(401)
  expect(api.requests.map(({ body: sent }) => sent)).toEqual(['once'])
  expect((await client.fetch(`${API}/me`)).status).toBe(200) // the token was refreshed anyway
  expect(as.count('refresh_token')).toBe(1)
})

test('a Request with a body is replayed completely', async () => {
  const { signedIn, as, api } = world()
  const client = await signedIn()
  as.revokeAccessTokens()
  const request = new Request(`${API}/me`, { method: 'PUT', body: 'twice', headers: { 'x-mine': 'yes' } })
  expect((await client.fetch(request)).status).toBe(200)
  expect(api.requests.map(({ method, body, headers }) => [method, body, headers['x-mine']])).toEqual([
    ['PUT', 'twice', 'yes'],
    ['PUT', 'twice', 'yes'],
  ])
})

test('an adopted token that the API also rejects is refreshed after half a minute, not after five', async () => {
  const { as, clock, store, client, signedIn } = world({ accessTokenSeconds: 3600 })
  const deaf = { ...store, channel: () => ({ post() {}, listen: () => () => {}, close() {} }) }
  const one = await signedIn({ store: deaf })
  const other = client({ store: deaf })
  await other.start()
  expect((await other.fetch(`${API}/me`)).status).toBe(200)
  as.revokeAccessTokens()
  expect((await one.fetch(`${API}/me`)).status).toBe(200)
  as.revokeAccessTokens()
  // it finds the first client's token in the store, which is also revoked: a call gets only one replay
  expect((await other.fetch(`${API}/me`)).status).toBe(401)
  expect(as.count('refresh_token')).toBe(1)
  clock.advance(31_000)
  expect((await other.fetch(`${API}/me`)).status).toBe(200)
  expect(as.count('refresh_token')).toBe(2)
})

test('a token that was requested before the 401 and is also rejected is refreshed after half a minute', async () => {
  const { as, clock, signedIn } = world({ accessTokenSeconds: 300 })
  const client = await signedIn()
  clock.advance(270_000)
  const held = hold()
  as.failNext.push(held)
  expect((await client.fetch(`${API}/me`)).status).toBe(200) // and starts a refresh in the background
  await held.arrived
  clock.advance(1000)
  as.revokeAccessTokens()
  const call = client.fetch(`${API}/me`)
  await expect.poll(() => client.types().filter(type => type === 'api-response').length).toBe(2)
  held.release()
  expect((await call).status).toBe(401)
  expect(as.count('refresh_token')).toBe(1)
  clock.advance(31_000)
  expect((await client.fetch(`${API}/me`)).status).toBe(200)
  expect(as.count('refresh_token')).toBe(2)
})

describe('a request stays in the session it was made in', () => {
  /** A client whose first request to /slow waits until the test releases it. */
  const withSlowCall = async (here: World) => {
    let who = 'alice'
    let letGo = () => {}
    const gate = new Promise<void>(resolve => {
      letGo = resolve
    })
    let isFirst = true
    const client = await here.signedIn({
      subject: () => who,
      async fetch(input, init) {
        if (isFirst && String(input).endsWith('/slow')) {
          isFirst = false
          await gate
        }
        return here.fetch(input, init)
      },
    })
    const late = client.fetch(`${API}/slow`, { method: 'POST', body: 'of alice' })
    here.as.revokeAccessTokens()
    const become = (name: string) => {
      who = name
    }
    return { client, late, letGo, become }
  }

  test('a 401 for alice is not replayed as bob, who has signed in here meanwhile [F1.2]', async () => {
    const here = world()
    const { client, late, letGo, become } = await withSlowCall(here)
    become('bob')
    await client.signIn()
    letGo()
    const response = await late
    expect([response.status, await response.json()]).toMatchObject([401, { error: 'invalid_token' }])
    expect(here.api.requests).toHaveLength(1)
    expect(await (await client.fetch(`${API}/me`)).json()).toMatchObject({ who: 'bob' })
  })

  test('a 401 for alice is not replayed as bob, who has signed in in another tab meanwhile [F1.2]', async () => {
    const here = world()
    const { client, late, letGo } = await withSlowCall(here)
    await here.signedIn({ subject: () => 'bob' })
    await expect.poll(() => client.session).toMatchObject({ claims: { sub: 'bob' } })
    letGo()
    expect((await late).status).toBe(401)
    expect(here.api.requests).toHaveLength(1)
  })

  test('a 401 for alice is not replayed as bob, even if this tab does not know about bob yet [F1.2]', async () => {
    const here = world()
    const store = { ...here.store, channel: () => ({ post() {}, listen: () => () => {}, close() {} }) }
    const client = await here.signedIn({ store })
    here.as.revokeAccessTokens()
    await here.signedIn({ store, subject: () => 'bob' })
    expect((await client.fetch(`${API}/me`)).status).toBe(401)
    expect(here.api.requests).toHaveLength(1)
    expect(here.as.count('refresh_token')).toBe(0)
  })

  test("a call that waits for alice's refresh is not sent as bob [F1.2]", async () => {
    const here = world()
    let who = 'alice'
    const client = await here.signedIn({ subject: () => who })
    here.expire()
    const held = hold()
    here.as.failNext.push(held)
    const calls = [client.fetch(`${API}/me`), client.getAccessToken()].map(call =>
      call.catch((error: unknown) => error),
    )
    await held.arrived
    who = 'bob'
    const signedIn = client.signIn()
    held.release()
    await signedIn
    const ends = await Promise.all(calls)
    const texts = here.api.requests.map(({ headers }) => headers.authorization)
    const ofBob = await client.getAccessToken()
    expect(ends[1]).not.toBe(ofBob)
    expect(texts).not.toContain(`Bearer ${ofBob}`)
  })

  test('a call that waits for the store after sleep is not sent as bob, who is now signed in [F1.2]', async () => {
    const here = world()
    let wake = () => {}
    const awake: Wake = {
      listen(heard) {
        wake = heard
        return () => {}
      },
    }
    const store = { ...here.store, channel: () => ({ post() {}, listen: () => () => {}, close() {} }) }
    const client = await here.signedIn({ store, wake: awake })
    await here.signedIn({ store, subject: () => 'bob' })
    wake()
    const replaced = { code: 'ERR_AUTHORIZATION_REQUIRED', reason: 'replaced' }
    const calls = [client.fetch(`${API}/me`), client.getAccessToken()]
    for (const end of await Promise.allSettled(calls)) expect(end).toMatchObject({ reason: replaced })
    expect(here.api.requests).toEqual([])
    expect(await (await client.fetch(`${API}/me`)).json()).toMatchObject({ who: 'bob' })
  })

  test('a proof uses the key of the session that its access token belongs to [F1.2]', async () => {
    const here = world()
    here.as.moreMembers = { token_type: 'DPoP' }
    let who = 'alice'
    const asked: [string, string][] = []
    let prove = () => {}
    const presentation: Presentation = {
      async headers(_request, accessToken, sessionId) {
        asked.push([accessToken, sessionId])
        await new Promise<void>(resolve => {
          prove = resolve
        })
        return { authorization: `Bearer ${accessToken}` }
      },
      answered: () => false,
    }
    const client = await here.signedIn({
      subject: () => who,
      extensions: [() => ({ tokenType: 'dpop', presentation })],
    })
    const accessToken = await client.getAccessToken()
    const [record] = (await here.stored()) as { sessionId: string }[]
    const call = client.fetch(`${API}/me`)
    await expect.poll(() => asked).toEqual([[accessToken, record?.sessionId]])
    who = 'bob'
    await client.signIn()
    prove()
    expect(await (await call).json()).toMatchObject({ who: 'alice' })
  })
})

test.for([
  [undefined],
  ['Basic realm="api"'],
  ['Token realm="api"'],
  ['Bearer error="token_expired"'],
  ['error="invalid_token"'],
  ['Bearer error="invalid_request"'],
  ['nonsense, of; "whatever'],
])(
  'a first 401 with the challenge %j causes one refresh and one replay; later ones cause no more [F3.11]',
  async ([challenge]) => {
    const { signedIn, as, fetch } = world()
    const sent: string[] = []
    const client = await signedIn({
      async fetch(input, init) {
        if (!String(input).startsWith(API)) return fetch(input, init)
        const accessToken = new Headers(init?.headers).get('authorization')?.slice(7) ?? ''
        sent.push(accessToken)
        const headers = challenge === undefined ? undefined : { 'www-authenticate': challenge }
        const isFit = as.introspect(accessToken) && !String(input).endsWith('/always')
        return isFit ? Response.json({}) : new Response(null, { status: 401, headers })
      },
    })
    as.revokeAccessTokens()
    expect((await client.fetch(`${API}/me`)).status).toBe(200)
    expect([as.count('refresh_token'), sent.length]).toEqual([1, 2])
    for (let call = 0; call < 5; call++) expect((await client.fetch(`${API}/always`)).status).toBe(401)
    expect([as.count('refresh_token'), sent.length]).toEqual([2, 2 + 6])
  },
)

test.for([['Negotiate'], ['NTLM'], ['DPoP error="use_dpop_nonce"'], ['Bearer error="insufficient_scope"']])(
  'a 401 with %s, which no new access token can fix, is returned [F3.11]',
  async ([challenge]) => {
    const { signedIn, as, fetch } = world()
    const headers = { 'www-authenticate': challenge as string }
    const client = await signedIn({
      fetch: async (input, init) =>
        String(input).startsWith(API) ? new Response(null, { status: 401, headers }) : fetch(input, init),
    })
    expect((await client.fetch(`${API}/me`)).status).toBe(401)
    expect(as.count('refresh_token')).toBe(0)
  },
)
