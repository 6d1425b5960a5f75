import { describe, expect, test } from 'vitest'
import { userInfo } from '../../src/actions/userinfo.ts'
import type { Presentation } from '../../src/core/extension.ts'
import { oauthError } from '../support/faults.ts'
import { signingKey } from '../support/signing-key.ts'
import { type World, worlds } from '../support/world.ts'

const worldsOf = worlds()
const key = signingKey()
const ENDPOINT = 'https://id.example.com/userinfo'

type Answer = (request: Request) => Response | Promise<Response>
const json = (body: unknown) => Response.json(body)
const unauthorized = (challenge = 'Bearer error="invalid_token"') =>
  new Response(null, { status: 401, headers: { 'www-authenticate': challenge } })
const jwt = (text: string) => new Response(text, { headers: { 'content-type': 'application/jwt' } })

/** A server with a UserInfo endpoint that accepts only the newest access token, or responds as the test says. */
function world(answer?: Answer, options: Parameters<typeof worldsOf>[0] = {}) {
  const here = worldsOf({ key, ...options })
  Object.assign(here.as.metadata, { userinfo_endpoint: ENDPOINT })
  const requests: Request[] = []
  const usual: Answer = request => {
    const accessToken = request.headers.get('authorization')?.replace('Bearer ', '') ?? ''
    const found = here.as.introspect(accessToken)
    return found ? json({ sub: found.subject, name: 'Alice' }) : unauthorized()
  }
  const fetch: World['fetch'] = async (input, init) => {
    const request = new Request(input, init)
    if (!request.url.startsWith(ENDPOINT)) return here.fetch(input, init)
    requests.push(request)
    return (answer ?? usual)(request)
  }
  // the API is elsewhere: no address here is an allowed origin
  const signedIn = (own: Parameters<World['signedIn']>[0] = {}) => here.signedIn({ fetch, ...own })
  return { ...here, requests, signedIn, app: () => here.client({ fetch }) }
}

test('the request carries the access token in the header and nowhere else [UI02]', async () => {
  const { signedIn, requests } = world()
  const client = await signedIn()
  const before = client.session
  expect(await userInfo(client)).toEqual({ sub: 'alice', name: 'Alice' })
  expect(client.session).toBe(before)
  const accessToken = await client.getAccessToken()
  const [request] = requests
  expect(request?.method).toBe('GET')
  expect(request?.url).toBe(ENDPOINT)
  expect(request?.headers.get('authorization')).toBe(`Bearer ${accessToken}`)
  expect(await request?.text()).toBe('')
})

test('the access token is sent to that endpoint, and client.fetch does not send it there', async () => {
  const { signedIn, requests } = world()
  const client = await signedIn()
  await userInfo(client)
  await client.fetch(ENDPOINT)
  expect(requests.map(request => request.headers.has('authorization'))).toEqual([true, false])
})

test('claims about another user are rejected, and no claim is used [UI01]', async () => {
  const { signedIn } = world(() => json({ sub: 'mallory', name: 'Mallory' }))
  const client = await signedIn()
  const before = client.session
  await expect(userInfo(client)).rejects.toMatchObject({
    code: 'ERR_SERVER',
    error: 'invalid_response',
    message: expect.stringContaining('somebody else'),
  })
  expect(client.session).toBe(before)
})

describe('a signed response', () => {
  const claims = { iss: 'https://id.example.com', aud: 'app', sub: 'alice', name: 'Alice' }
  const other = signingKey()

  test('is read once its issuer, audience, algorithm and signature are checked [UI03]', async () => {
    const { signedIn } = world(async () => jwt(await key.sign(claims)))
    expect(await userInfo(await signedIn())).toMatchObject({ sub: 'alice', name: 'Alice' })
  })

  const unsigned = (alg: string) => {
    const encode = (part: object) => Buffer.from(JSON.stringify(part)).toString('base64url')
    return `${encode({ alg })}.${encode(claims)}.`
  }
  test.each<[string, () => string | Promise<string>]>([
    ['of another issuer', () => key.sign({ ...claims, iss: 'https://evil.example' })],
    ['for another client', () => key.sign({ ...claims, aud: 'other' })],
    ['about another user', () => key.sign({ ...claims, sub: 'mallory' })],
    ['signed with a foreign key', () => other.sign(claims)],
    ['without a signature', () => unsigned('none')],
    ['signed with a secret', () => `${unsigned('HS256')}c2ln`],
    ['that is encrypted', () => 'eyJhbGciOiJSU0EtT0FFUCIsImVuYyI6IkEyNTZHQ00ifQ.a.b.c.d'],
    ['that is empty', () => 'x.y.z'],
  ])('is rejected if it is one %s [UI03]', async (_, text) => {
    const { signedIn } = world(async () => jwt(await text()))
    await expect(userInfo(await signedIn())).rejects.toMatchObject({
      code: 'ERR_SERVER',
      error: 'invalid_response',
    })
  })

  test('is requested and required if the client is registered for it [UI03]', async () => {
    const { signedIn, requests } = world()
    await expect(userInfo(await signedIn(), { signedResponseAlg: 'RS256' })).rejects.toMatchObject({
      error: 'invalid_response',
      message: expect.stringContaining('not signed'),
    })
    expect(requests[0]?.headers.get('accept')).toBe('application/jwt')
  })

  test('signed with a brand-new key of the server is read', async () => {
    const rotated = signingKey('key-2')
    let current = key
    const here = world(async () => jwt(await current.sign(claims)), {
      key: { jwks: async () => current.jwks(), sign: claims => current.sign(claims) },
    })
    const client = await here.signedIn()
    current = rotated
    expect(await userInfo(client)).toMatchObject({ sub: 'alice' })
  })
})

describe('an access token that the endpoint rejects', () => {
  test('is refreshed once, and the request is replayed [UI05]', async () => {
    const { as, signedIn, requests } = world()
    const client = await signedIn()
    as.revokeAccessTokens()
    expect(await userInfo(client)).toMatchObject({ sub: 'alice' })
    expect(requests).toHaveLength(2)
    expect(as.count('refresh_token')).toBe(1)
  })

  test('is not refreshed again if that does not help [UI05]', async () => {
    const { as, signedIn } = world(() => unauthorized())
    const client = await signedIn()
    for (let i = 0; i < 5; i++) {
      await expect(userInfo(client)).rejects.toMatchObject({
        code: 'ERR_SERVER',
        error: 'invalid_token',
        status: 401,
      })
    }
    expect(as.count('refresh_token')).toBe(1)
    expect(client.session.status).toBe('signed-in')
  })

  test('reports that the session has ended if it has', async () => {
    const { as, signedIn } = world()
    const client = await signedIn()
    as.revokeAccessTokens()
    as.failNext.push(oauthError('invalid_grant'))
    await expect(userInfo(client)).rejects.toMatchObject({
      code: 'ERR_AUTHORIZATION_REQUIRED',
      reason: 'expired',
    })
  })

  test('for missing scope is not refreshed', async () => {
    const { as, signedIn } = world(
      () =>
        new Response(null, {
          status: 403,
          headers: { 'www-authenticate': 'Bearer error="insufficient_scope", scope="openid"' },
        }),
    )
    await expect(userInfo(await signedIn())).rejects.toMatchObject({ error: 'insufficient_scope' })
    expect(as.count('refresh_token')).toBe(0)
  })
})

test('two simultaneous requests with an expired token cause one refresh', async () => {
  const { as, signedIn, expire } = world()
  const client = await signedIn()
  expire()
  await Promise.all([userInfo(client), userInfo(client)])
  expect(as.count('refresh_token')).toBe(1)
})

test('access tokens of another scheme are presented with that scheme here too', async () => {
  const { as, signedIn, requests } = world(() => json({ sub: 'alice' }))
  as.moreMembers = { token_type: 'DPoP' }
  let proofs = 0
  const presentation: Presentation = {
    headers: async ({ method, url }, accessToken) => ({
      authorization: `DPoP ${accessToken}`,
      dpop: `${method} ${url} ${++proofs}`,
    }),
    answered: () => proofs === 1, // requires another proof
  }
  const client = await signedIn({ extensions: [() => ({ tokenType: 'dpop', presentation })] })
  expect(await userInfo(client)).toEqual({ sub: 'alice' })
  const accessToken = await client.getAccessToken()
  expect(requests.map(({ headers }) => [headers.get('authorization'), headers.get('dpop')])).toEqual([
    [`DPoP ${accessToken}`, `GET ${ENDPOINT} 1`],
    [`DPoP ${accessToken}`, `GET ${ENDPOINT} 2`],
  ])
})

describe('an invalid response', () => {
  test.each<[string, Answer, object]>([
    ['503', () => new Response('', { status: 503 }), { code: 'ERR_NETWORK', reason: 'unavailable' }],
    [
      'a captive portal',
      () => new Response('<p>Room?', { headers: { 'content-type': 'text/html' } }),
      {
        code: 'ERR_NETWORK',
        reason: 'not_the_server',
      },
    ],
    [
      'a redirect',
      () => new Response(null, { status: 302, headers: { location: 'https://evil.example/' } }),
      { code: 'ERR_NETWORK', reason: 'not_the_server' },
    ],
    ['no sub', () => json({ name: 'Alice' }), { code: 'ERR_SERVER', error: 'invalid_response' }],
    ['an array', () => json([]), { code: 'ERR_SERVER', error: 'invalid_response' }],
  ])('throws a typed error: %s', async (_, answer, error) => {
    const { signedIn } = world(answer)
    const client = await signedIn()
    await expect(userInfo(client)).rejects.toMatchObject(error)
    expect(client.session.status).toBe('signed-in')
  })
})

test('separate errors report no session, no ID Token and no endpoint', async () => {
  const here = world()
  await expect(userInfo(here.app())).rejects.toMatchObject({
    code: 'ERR_AUTHORIZATION_REQUIRED',
    reason: 'no_session',
  })
  const noIdToken = await here.signedIn({ scope: 'read' })
  await expect(userInfo(noIdToken)).rejects.toMatchObject({
    code: 'ERR_CONFIGURATION',
    message: expect.stringContaining('openid'),
  })
  const insecure = world()
  Object.assign(insecure.as.metadata, { userinfo_endpoint: 'http://id.example.com/userinfo' })
  await expect(userInfo(await insecure.signedIn())).rejects.toMatchObject({
    code: 'ERR_CONFIGURATION',
    message: expect.stringContaining('userinfo_endpoint'),
  })
  expect(here.requests).toEqual([])
})
