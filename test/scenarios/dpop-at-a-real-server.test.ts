import { readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import * as oauth from 'oauth4webapi'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { createScriptedUserAgent } from '../../examples/demo/scripted-user-agent.ts'
import {
  type AuthorizationServer,
  startAuthorizationServer,
} from '../../examples/demo/servers/authorization-server.ts'
import type { ClientEvent } from '../../src/core/events.ts'
import type { Clock, Fetch, Store } from '../../src/core/ports.ts'
import type { SessionRecord } from '../../src/core/session.ts'
import type { TokenSet } from '../../src/core/token-set.ts'
import { dpop } from '../../src/dpop.ts'
import { type Client, createClient, file, loopback, memory } from '../../src/node.ts'
import { deviceClock } from '../../src/platform/device.ts'
import { findSecrets } from '../support/canaries.ts'
import { createDpopApi } from '../support/dpop-api.ts'
import { tempFolders } from '../support/temp-folder.ts'

const API = 'https://api.example.com'
let server: AuthorizationServer
const clients: Client[] = []
const tempFolder = tempFolders()

beforeAll(async () => {
  server = await startAuthorizationServer({ accessTokenSeconds: 3600, dpopNonce: true })
})
afterAll(() => server?.close())
afterEach(() => {
  for (const client of clients.splice(0)) client.dispose()
})

/** The real provider, an API that checks proofs, and the requests that the token endpoint received. */
function net() {
  let nonce: string | undefined = 'nonce-1'
  const api = createDpopApi({
    boundTo: async accessToken =>
      ((await server.provider.AccessToken.find(accessToken)) as { jkt?: string } | undefined)?.jkt,
    nonce: () => nonce,
  })
  const tokenRequests: { dpop: string | null; status: number }[] = []
  const authorizations: URL[] = []
  const fetch: Fetch = async (input, init) => {
    const request = new Request(input, init)
    if (!request.url.startsWith(server.issuer)) return api.answer(request)
    const response = await globalThis.fetch(request)
    if (new URL(request.url).pathname === '/token') {
      tokenRequests.push({ dpop: request.headers.get('dpop'), status: response.status })
    }
    return response
  }
  return {
    api,
    fetch,
    tokenRequests,
    authorizations,
    renewNonce(next: string | undefined) {
      nonce = next
    },
  }
}

function app(fetch: Fetch, store: Store = memory(), hasDpop = true, clock?: Clock) {
  const events: ClientEvent[] = []
  const client = createClient({
    issuer: server.issuer,
    clientId: 'demo-cli',
    scope: 'openid offline_access notes:read',
    allowedOrigins: [API],
    extensions: hasDpop ? [dpop()] : [],
    fetch,
    store,
    clock,
    userAgent: loopback({ open: createScriptedUserAgent({ userName: 'alice' }) }),
  })
  client.events.subscribe(event => events.push(event))
  clients.push(client)
  return Object.assign(client, { seen: events })
}

test('a sign-in at a server that requires a nonce sends the code again with it, and the API accepts the proofs [DP01, DP02, DP04, DP06, DP10]', async () => {
  const { api, fetch, tokenRequests } = net()
  const client = app(fetch)
  await client.signIn()
  expect(tokenRequests.map(({ status }) => status)).toEqual([400, 200])
  expect((await client.fetch(`${API}/me?secret=1#part`)).status).toBe(200)
  expect((await client.fetch(`${API}/me`, { method: 'post', body: 'text' })).status).toBe(200)
  expect(api.seen.map(({ problem }) => problem)).toEqual(['nonce', undefined, undefined])
  expect(api.seen.at(-1)?.claims).toMatchObject({ htm: 'POST', htu: `${API}/me`, nonce: 'nonce-1' })
})

/** What a page sees of a response whose headers are not exposed to it (CORS). */
const withoutNonce =
  (fetch: Fetch, isHidden: (url: string) => boolean): Fetch =>
  async (input, init) => {
    const answer = await fetch(input, init)
    const headers = new Headers(answer.headers)
    if (isHidden(new Request(input).url)) headers.delete('dpop-nonce')
    return new Response(answer.body, { status: answer.status, headers })
  }

test('a server nonce that the page cannot read causes an error that says so, and the code is sent once [F6.6, F9.1]', async () => {
  const { fetch, tokenRequests } = net()
  const client = app(withoutNonce(fetch, url => url.startsWith(server.issuer)))
  await expect(client.signIn()).rejects.toMatchObject({
    code: 'ERR_CALLBACK',
    error: 'use_dpop_nonce',
    message: expect.stringContaining('Access-Control-Expose-Headers: DPoP-Nonce'),
  })
  expect(tokenRequests.map(({ status }) => status)).toEqual([400])
})

test('an API nonce that the page cannot read causes one warning, and the caller gets the 401 [F6.6, F9.7]', async () => {
  const { api, fetch } = net()
  const client = app(withoutNonce(fetch, url => url.startsWith(API)))
  await client.signIn()
  for (let call = 0; call < 2; call++) expect((await client.fetch(`${API}/me`)).status).toBe(401)
  expect(api.seen).toHaveLength(2)
  const warnings = client.seen.filter(event => event.type === 'warning')
  expect(warnings).toEqual([
    expect.objectContaining({ about: 'dpop_nonce', message: expect.stringContaining(API) }),
  ])
})

test('an API that requires a new nonce gets one more request, without a refresh [DP05, WA13]', async () => {
  const { api, fetch, tokenRequests, renewNonce } = net()
  const client = app(fetch)
  await client.signIn()
  await client.fetch(`${API}/me`)
  const before = tokenRequests.length
  renewNonce('nonce-2')
  expect((await client.fetch(`${API}/me`, { method: 'PUT', body: new Blob(['x']) })).status).toBe(200)
  expect(api.seen.slice(-2).map(({ problem }) => problem)).toEqual(['nonce', undefined])
  expect(new Set(api.seen.map(({ claims }) => claims.jti)).size).toBe(api.seen.length)
  expect(tokenRequests).toHaveLength(before)
})

test('a revoked access token is refreshed with the same key and never sent as Bearer [DP03, DP11]', async () => {
  const { api, fetch, tokenRequests } = net()
  const client = app(fetch)
  await client.signIn()
  await client.fetch(`${API}/me`)
  await server.revokeAccessToken(await client.getAccessToken())
  expect((await client.fetch(`${API}/me`)).status).toBe(200)
  expect(tokenRequests.at(-1)).toMatchObject({ status: 200, dpop: expect.any(String) })
  expect(new Set(api.seen.map(({ scheme }) => scheme))).toEqual(new Set(['DPoP']))
})

test('tokens that were copied without their key are rejected by the API, and by the server at a refresh', async () => {
  const { api, fetch, tokenRequests } = net()
  const store = memory()
  const client = app(fetch, store)
  await client.signIn()
  const names = await store.keyValue.keys('')
  const record = await store.keyValue.get(names.find(name => name.endsWith(' session')) as string)
  const { accessToken, refreshToken } = (record as SessionRecord).tokens as Required<TokenSet>
  const thief = { client_id: 'demo-cli' }
  const DPoP = oauth.DPoP({}, await oauth.generateKeyPair('ES256'))

  const call = () =>
    oauth.protectedResourceRequest(accessToken, 'GET', new URL(`${API}/me`), undefined, undefined, {
      DPoP,
      [oauth.customFetch]: (url, init) => fetch(url, init as RequestInit),
    })
  await expect(call()).rejects.toThrow()
  expect(api.seen.map(({ problem }) => problem)).toEqual(['binding'])

  const as = { issuer: server.issuer, token_endpoint: `${server.issuer}/token` }
  const refresh = () =>
    oauth.refreshTokenGrantRequest(as, thief, oauth.None(), refreshToken, {
      DPoP,
      [oauth.allowInsecureRequests]: true,
      [oauth.customFetch]: (url, init) => fetch(url, init as RequestInit),
    })
  const answers = [await refresh(), await refresh()]
  const problems: unknown[] = []
  for (const answer of answers) {
    await oauth.processRefreshTokenResponse(as, thief, answer).catch(({ error, cause }) => {
      problems.push(error ?? cause)
    })
  }
  expect(problems).toEqual(['use_dpop_nonce', 'invalid_grant'])
  expect(tokenRequests.at(-1)).toMatchObject({ status: 400 })
  expect((await client.fetch(`${API}/me`)).status).toBe(200)
})

test('parallel calls of two clients over one store share a key and never send the same proof [DP13]', async () => {
  const { api, fetch } = net()
  const store = memory()
  const [one, other] = [app(fetch, store), app(fetch, store)]
  await one.signIn()
  await other.start()
  const answers = await Promise.all(
    Array.from({ length: 20 }, (_, index) => [one, other][index % 2]?.fetch(`${API}/${index}`)),
  )
  expect(answers.map(answer => answer?.status)).toEqual(Array(20).fill(200))
  const problems = new Set(api.seen.map(({ problem }) => problem))
  problems.delete('nonce')
  expect(problems).toEqual(new Set([undefined]))
})

test('another process finds the key in the private file', async () => {
  const { fetch } = net()
  const path = join(tempFolder(), 'tokens.json')
  await app(fetch, file(path)).signIn()
  expect(statSync(path).mode & 0o777).toBe(0o600)
  const later = app(fetch, file(path))
  await later.start()
  expect((await later.fetch(`${API}/me`)).status).toBe(200)
  await later.signOut()
  expect(readFileSync(path, 'utf8')).not.toContain('"jwk"')
})

test('a lost key ends the session with a separate reason, and nothing is sent as Bearer [DP03]', async () => {
  const { api, fetch } = net()
  const store = memory()
  await app(fetch, store).signIn()
  for (const key of await store.keyValue.keys('')) {
    if (key.includes(' dpop ')) await store.keyValue.update(key, () => undefined)
  }
  const later = app(fetch, store)
  await later.start()
  const lost = { code: 'ERR_AUTHORIZATION_REQUIRED', reason: 'dpop_key_lost' }
  await expect(later.fetch(`${API}/me`)).rejects.toMatchObject(lost)
  expect(later.session).toMatchObject({ status: 'signed-out', reason: 'dpop_key_lost' })
  expect(later.seen).toContainEqual(
    expect.objectContaining({ type: 'session-ended', reason: 'dpop_key_lost' }),
  )
  expect(api.seen).toEqual([])
})

test('a session from before DPoP is not used until its first refresh binds it to a key', async () => {
  const { api, fetch, tokenRequests } = net()
  const store = memory()
  await app(fetch, store, false).signIn()
  const bound = app(fetch, store)
  await bound.start()
  expect((await bound.fetch(`${API}/me`)).status).toBe(200)
  expect(tokenRequests.at(-1)?.dpop).toBeTruthy()
  expect(new Set(api.seen.map(({ scheme }) => scheme))).toEqual(new Set(['DPoP']))
  // and a client without DPoP no longer uses it
  const old = app(fetch, store, false)
  expect((await old.start()).status).toBe('signed-out')
})

test('a redirect from an API is not followed, because a proof is valid for one URL [RQ05]', async () => {
  const { fetch } = net()
  const sent: Request[] = []
  const client = app(async (input, init) => {
    const request = new Request(input, init)
    if (request.url !== `${API}/moved`) return fetch(input, init)
    sent.push(request)
    return new Response(null, { status: 307, headers: { location: 'https://elsewhere.example.com/' } })
  })
  await client.signIn()
  await expect(client.fetch(`${API}/moved`)).rejects.toMatchObject({ code: 'ERR_CONFIGURATION' })
  expect(sent.map(({ redirect }) => redirect)).toEqual(['manual'])
  expect((await client.fetch(`${API}/moved`, { redirect: 'manual' })).status).toBe(307)
})

test.each([['x'.repeat(100_000)], ['two words'], ['quo"te']])(
  'an invalid nonce is ignored [DP07]',
  async odd => {
    const { api, fetch, renewNonce } = net()
    const client = app(fetch)
    await client.signIn()
    renewNonce(odd)
    expect((await client.fetch(`${API}/me`)).status).toBe(401)
    expect(api.seen).toHaveLength(1)
    expect(api.seen[0]?.claims).not.toHaveProperty('nonce')
  },
)

test("a device whose clock is a day off makes proofs with the server's clock", async () => {
  const { api, fetch, renewNonce } = net()
  renewNonce(undefined)
  const dayOff: Clock = { ...deviceClock, now: () => Date.now() + 24 * 3600_000 }
  const store = memory()
  await app(fetch, store, true, dayOff).signIn()
  const later = app(fetch, store, true, dayOff) // has not contacted a server yet
  await later.start()
  expect((await later.fetch(`${API}/me`)).status).toBe(200)
  expect(api.seen.map(({ problem }) => problem)).toEqual([undefined])
})

/** The provider's token responses with another type. */
const typed = (fetch: Fetch, type: string): Fetch => {
  return async (input, init) => {
    const answer = await fetch(input, init)
    const body = (await answer
      .clone()
      .json()
      .catch(() => undefined)) as { token_type?: string } | undefined
    return body?.token_type ? Response.json({ ...body, token_type: type }, answer) : answer
  }
}

test.each([
  ['Bearer', true, 'dpop()'],
  ['DPoP', false, 'dpop()'],
])(
  'a token response of type %s instead of the requested one is rejected, and nothing is stored [TR10, TR11]',
  async (type, hasDpop, advice) => {
    const { fetch } = net()
    const store = memory()
    const client = app(typed(fetch, type), store, hasDpop)
    const refused = { code: 'ERR_CALLBACK', reason: 'invalid_response' }
    await expect(client.signIn()).rejects.toMatchObject({
      ...refused,
      message: expect.stringContaining(advice),
    })
    expect((await store.keyValue.keys('')).filter(key => key.endsWith(' session'))).toEqual([])
  },
)

test.each(['dpop', 'DPOP', 'DPoP'])('token_type %s counts as DPoP [DP12]', async type => {
  const { fetch } = net()
  const client = app(typed(fetch, type))
  await client.signIn()
  expect((await client.fetch(`${API}/me`)).status).toBe(200)
})

test('a redirect that the browser hides causes a typed error that names the cause [RQ08]', async () => {
  const { fetch } = net()
  const opaque = Object.defineProperty(new Response(null), 'type', { value: 'opaqueredirect' })
  const client = app(async (input, init) => (String(input) === `${API}/moved` ? opaque : fetch(input, init)))
  await client.signIn()
  await expect(client.fetch(`${API}/moved`)).rejects.toMatchObject({
    code: 'ERR_CONFIGURATION',
    message: expect.stringContaining('redirect'),
  })
})

test('the private key is in no error, event or message, and is not visible in the client [MX10]', async () => {
  const { fetch } = net()
  const path = join(tempFolder(), 'tokens.json')
  let isBroken = false
  const client = app(async (input, init) => {
    if (isBroken) throw new TypeError(`could not send ${JSON.stringify(init)}`)
    return fetch(input, init)
  }, file(path))
  await client.signIn()
  await client.fetch(`${API}/me`)
  const [, d = 'no private key'] = /"d":\s*"([\w-]{40,})"/.exec(readFileSync(path, 'utf8')) ?? []
  expect(d).not.toBe('no private key')
  await server.revokeAccessToken(await client.getAccessToken())
  isBroken = true
  const shown: unknown[] = [client, client.seen, client.explain()]
  shown.push(await client.fetch(`${API}/me`).catch(error => error))
  isBroken = false
  shown.push(await client.fetch(`${API}/me`), client.explain())
  expect(findSecrets([d], [{ where: 'something', what: shown }])).toEqual([])
})
