import { expect, test } from 'vitest'
import { dpop } from '../../../src/dpop.ts'
import { type ClientOptions, createClient, memory } from '../../../src/index.ts'
import {
  captivePortal,
  createTestServer,
  handClock,
  lostAnswer,
  signingKey,
  slow,
  type TestServerOptions,
  truncated,
} from '../../../src/testing.ts'

const key = signingKey()
const DEVICE = 'urn:ietf:params:oauth:grant-type:device_code'

async function signedIn(options: TestServerOptions = {}, own: Partial<ClientOptions> = {}) {
  const clock = handClock({ skipUpToMs: 1500 })
  const server = createTestServer({ clock, key, ...options })
  const client = createClient({ ...server.options(), store: memory(), ...own } as ClientOptions)
  await client.signIn()
  return { clock, server, client, call: () => client.fetch(`${server.api}/notes`) }
}
const post = async (url: string, form: Record<string, string>, server = createTestServer({ key })) => {
  const answer = await server.fetch(url, { method: 'POST', body: new URLSearchParams(form) })
  return (await answer.json()) as Record<string, string>
}

test('within the grace period a lost response is repeated with the same tokens', async () => {
  const { clock, server, call, client } = await signedIn({ graceMs: 10_000 })
  clock.advance(301_000)
  server.faults.token.push(lostAnswer)
  expect((await call()).status).toBe(200)
  expect(server.tokenRequests.map(({ outcome }) => outcome)).toEqual(['ok', 'ok', 'ok'])
  expect([server.reuses, client.session.status]).toEqual([0, 'signed-in'])
})

test('a fault affects one request, at the endpoint it was set for', async () => {
  const { server, call } = await signedIn()
  server.faults.api.push(captivePortal)
  expect((await call()).headers.get('content-type')).toContain('text/html')
  expect((await call()).status).toBe(200)
  expect(server.apiRequests.map(({ status }) => status)).toEqual([200, 200])
  server.faults.api.push(truncated)
  await expect((await call()).json()).rejects.toThrow(SyntaxError)
})

test('a truncated response is the first half of the bytes', async () => {
  const bytes = Uint8Array.of(0xff, 0xfe, 0x80, 0)
  const { server, call } = await signedIn({ respond: () => new Response(bytes) })
  server.faults.api.push(truncated)
  expect(new Uint8Array(await (await call()).arrayBuffer())).toEqual(bytes.slice(0, 2))
})

test("a slow response arrives by the test's clock", async () => {
  const { clock, server, call } = await signedIn()
  server.faults.api.push(slow(5000))
  let isThere = false
  const calling = call().then(() => {
    isThere = true
  })
  await expect.poll(() => server.apiRequests.length).toBe(1)
  clock.advance(4999)
  expect(isThere).toBe(false)
  await expect
    .poll(() => {
      clock.advance(1)
      return isThere
    })
    .toBe(true)
  await calling
})

test('ID Tokens signed with a rotated key are accepted, and those signed with an unpublished one are not', async () => {
  const { server, client } = await signedIn()
  server.rotateKeys()
  await client.signIn()
  expect(client.session.status).toBe('signed-in')
  server.key = { ...signingKey('stranger'), jwks: key.jwks }
  await expect(client.signIn()).rejects.toMatchObject({ code: 'ERR_CALLBACK', reason: 'invalid_response' })
})

test('a server whose clock is ahead signs ID Tokens with its own time', async () => {
  const { server, client, clock } = await signedIn()
  const issuedAt = () => (client.session.status === 'signed-in' ? client.session.claims?.iat : undefined)
  const before = Math.floor(clock.now() / 1000)
  expect(issuedAt()).toBe(before)
  server.clockAheadMs = 20_000
  await client.signIn()
  expect(issuedAt()).toBe(before + 20)
  server.clockAheadMs = -86_400_000
  await client.signIn()
  expect(issuedAt()).toBe(before - 86_400) // the client assumes that this device's clock is wrong
})

test('DPoP: an API accepts a bound token with a proof, never as Bearer', async () => {
  const { server, client, call } = await signedIn({}, { extensions: [dpop()] })
  server.dpopNonce = 'nonce-1'
  expect((await call()).status).toBe(200)
  const authorization = `Bearer ${await client.getAccessToken()}`
  expect((await server.fetch(`${server.api}/notes`, { headers: { authorization } })).status).toBe(401)
})

test('the API responds as the test says, and rejects requests without a valid access token', async () => {
  const respond: TestServerOptions['respond'] = async (request, { subject }) =>
    request.url.endsWith('/notes') ? Response.json([`a note of ${subject}`]) : undefined
  const { server, call, client } = await signedIn({ respond })
  expect(await (await call()).json()).toEqual(['a note of alice'])
  expect(await (await client.fetch(`${server.api}/other`)).json()).toMatchObject({ path: '/other' })
  expect((await server.fetch(`${server.api}/notes`)).status).toBe(401)
})

test('the device grant: the device polls, slows down when told, and gets tokens after the user agrees', async () => {
  const clock = handClock()
  const server = createTestServer({ clock, key })
  const { issuer } = server
  const begun = await post(`${issuer}/device`, { client_id: 'app', scope: 'openid' }, server)
  const poll = () =>
    post(
      `${issuer}/token`,
      { client_id: 'app', grant_type: DEVICE, device_code: begun.device_code ?? '' },
      server,
    )
  expect((await poll()).error).toBe('authorization_pending')
  expect((await poll()).error).toBe('slow_down')
  server.approveDevice(begun.user_code ?? '', 'ada')
  clock.advance(10_000)
  expect(await poll()).toMatchObject({ token_type: 'Bearer', refresh_token: expect.any(String) })
  expect((await poll()).error).toBe('invalid_grant')

  const other = await post(`${issuer}/device`, { client_id: 'app' }, server)
  server.denyDevice(other.user_code ?? '')
  const form = { client_id: 'app', grant_type: DEVICE, device_code: other.device_code ?? '' }
  expect((await post(`${issuer}/token`, form, server)).error).toBe('access_denied')
  expect(() => server.approveDevice('0000-0000')).toThrow('0000-0000')
})

test('the authorization endpoint answers a browser with a code for the signed-in user, otherwise with an error', async () => {
  const server = createTestServer({ key })
  const query = 'redirect_uri=https://app.example.com/callback&state=s&code_challenge_method=S256'
  const visit = async (more = '') => {
    const answer = await server.fetch(`${server.issuer}/authorize?${query}${more}`)
    return new URL(answer.headers.get('location') ?? '')
  }
  expect((await visit()).searchParams.get('code')).toMatch(/^code-/)
  server.user = undefined
  expect((await visit()).search).toContain('error=access_denied')
  expect((await visit('&prompt=none')).search).toContain('error=login_required')
})

test('a request to another host causes an error that names it, or goes where the test says', async () => {
  const { client } = await signedIn()
  await expect(client.fetch('https://other.example/x')).rejects.toThrow('GET https://other.example/x')
  const open = await signedIn({ elsewhere: async () => new Response('there') })
  expect(await (await open.client.fetch('https://other.example/x')).text()).toBe('there')
})

test('mistakes of a client are reported as complaints', async () => {
  const server = createTestServer({ key })
  await post(`${server.issuer}/token?x=1`, { grant_type: 'refresh_token', refresh_token: 'x' }, server)
  expect(server.complaints).toEqual([
    'a token request had a query',
    'a token request had the wrong client_id',
  ])
})
