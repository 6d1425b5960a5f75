import { describe, expect, test } from 'vitest'
import { altered, captivePortal, type Fault, oauthError, rewritten, status } from '../support/faults.ts'
import { API } from '../support/strict-api.ts'
import { worlds } from '../support/world.ts'

const world = worlds()
const warnings = (client: { told: readonly object[] }) =>
  client.told.flatMap(event => ('about' in event ? [event.about] : []))
const twice = rewritten(text => text.replace('{', '{"access_token":"other",'))
const deep = rewritten(text => text.replace('{', `{"more":${'['.repeat(100_000)}${']'.repeat(100_000)},`))

const unfit: [string, string, Fault][] = [
  ['has no access token', 'TR07', altered({ access_token: undefined })],
  ['has an empty access token', 'TR07', altered({ access_token: '' })],
  ['has a number as its access token', 'TR07', altered({ access_token: 7 })],
  ['has null as its access token', 'TR07', altered({ access_token: null })],
  ['has no token_type', 'TR08', altered({ token_type: undefined })],
  ['has the token_type mac', 'TR08', altered({ token_type: 'mac' })],
  ['has the token_type N_A', 'TR08', altered({ token_type: 'N_A' })],
  ['has an error and tokens', 'TR28', altered({ error: 'invalid_grant' })],
  ['is JSON labelled as HTML', 'TR30', rewritten(text => text, { type: 'text/html' })],
  ['has no content type', 'TR30', rewritten(text => text, { type: null })],
  ['has two access tokens', 'MX03', twice],
  ['is nested 100,000 levels deep', 'MX07', deep],
  ['has an access token of about a megabyte', 'MX08', altered({ access_token: 'x'.repeat(200_000) })],
]

describe('a token response that', () => {
  test.for(unfit)('%s is rejected at a sign-in, and nothing is stored [%s]', async ([, , fault]) => {
    const { as, client, stored } = world()
    as.failNext.push(fault)
    const one = client()
    await expect(one.signIn()).rejects.toMatchObject({ code: 'ERR_CALLBACK', reason: 'invalid_response' })
    expect(await stored()).toEqual([])
    expect(one.types()).not.toContain('session-started')
  })

  test.for([
    ...unfit,
    ['has the status 201', '', rewritten(text => text, { code: 201 })],
    ['has an access token that no header can carry', '', altered({ access_token: 'a\nb' })],
    ['has a number as its scope', '', altered({ scope: 7 })],
    ['is JSON labelled as text', '', rewritten(text => text, { type: 'text/plain' })],
  ] as [string, string, Fault][])(
    '%s is rejected at a refresh, and the next one sends the refresh token from it [F1.3, %s]',
    async ([, , fault]) => {
      const { as, signedIn, stored, expire, clock } = world() // this server has no grace period
      const client = await signedIn()
      const [before] = (await stored()) as { tokens: { refreshToken: string } }[]
      expire()
      as.failNext.push(fault)
      await expect(client.fetch(`${API}/me`)).rejects.toMatchObject({
        code: 'ERR_SERVER',
        error: 'invalid_response',
        message: expect.stringContaining('signIn()'),
      })
      expect(client.session.status).toBe('signed-in')
      const [after] = (await stored()) as { tokens: { refreshToken: string } }[]
      expect(after).not.toHaveProperty('pending.tokenHash')
      const brought = after?.tokens.refreshToken
      expect(after?.tokens).toEqual({ ...before?.tokens, refreshToken: brought })
      expect(brought).not.toBe(before?.tokens.refreshToken)
      expect(client.types()).toContain('token-error')
      clock.advance(60_000)
      expect((await client.fetch(`${API}/me`)).status).toBe(200)
      expect(as.tokenRequests.at(-1)).toMatchObject({ sent: brought, outcome: 'ok' })
      expect(as.reuses).toBe(0)
    },
  )

  test('is rejected and belongs to another user ends the session: its refresh token is never sent [F1.3]', async () => {
    const { as, signedIn, expire, stored } = world()
    const client = await signedIn()
    as.idTokenClaims = { sub: 'mallory' }
    expire()
    as.failNext.push(altered({ token_type: 'mac' }))
    await expect(client.fetch(`${API}/me`)).rejects.toMatchObject({ reason: 'subject_changed' })
    expect(await stored()).not.toContainEqual(expect.objectContaining({ tokens: expect.anything() }))
  })

  test('has two refresh tokens is rejected, and the session is kept unchanged [F1.3]', async () => {
    const { as, signedIn, stored, expire } = world()
    const client = await signedIn()
    const [before] = (await stored()) as { tokens: object }[]
    expire()
    as.failNext.push(rewritten(text => text.replace('{', '{"refresh_token":"other",')))
    await expect(client.fetch(`${API}/me`)).rejects.toMatchObject({ error: 'invalid_response' })
    expect(((await stored()) as { tokens: object }[])[0]?.tokens).toEqual(before?.tokens)
  })

  test('has an invalid lifetime is used until a 401, with a warning [F1.3, F9.7]', async () => {
    const { as, signedIn, expire } = world()
    const client = await signedIn()
    expire()
    as.failNext.push(altered({ expires_in: 'soon' }))
    expect((await client.fetch(`${API}/me`)).status).toBe(200)
    expect(warnings(client)).toContain('token_response')
  })

  test.for<[string, string, Fault]>([
    [
      'arrives at one byte a minute',
      'MX02',
      {
        afterWork: true,
        answer: () => new Response(new ReadableStream({ pull: () => new Promise(() => {}) })),
      },
    ],
    [
      'is a gigabyte long',
      'MX01',
      {
        afterWork: true,
        answer: () =>
          new Response(
            new ReadableStream({ pull: controller => controller.enqueue(new Uint8Array(65_536)) }),
            { headers: { 'content-type': 'application/json' } },
          ),
      },
    ],
  ])('%s is aborted, and the session is kept [%s]', async ([, , fault]) => {
    const { as, signedIn, expire, clock } = world()
    const client = await signedIn()
    expire()
    as.failNext.push(...Array<typeof fault>(20).fill(fault))
    const call = client.fetch(`${API}/me`).catch((error: unknown) => error)
    await expect.poll(() => as.count('refresh_token')).toBeGreaterThan(0)
    await new Promise(resolve => setImmediate(resolve))
    clock.advance(8000)
    expect(await call).toMatchObject({ code: 'ERR_NETWORK', retryable: true })
    expect(client.session.status).toBe('signed-in')
  })

  test.for(['Bearer', 'bearer', 'BEARER'])('has the token_type %s is accepted [TR09]', async token_type => {
    const { as, client } = world()
    as.failNext.push(altered({ token_type }))
    expect(await client().signIn()).toMatchObject({ status: 'signed-in' })
  })

  test('begins with a byte order mark is accepted [MX04]', async () => {
    const { as, client } = world()
    as.failNext.push(rewritten(text => `\uFEFF${text}`))
    expect(await client().signIn()).toMatchObject({ status: 'signed-in' })
  })

  test('has members named like inherited object properties is accepted [MX06]', async () => {
    const { as, client } = world()
    as.failNext.push(
      rewritten(text =>
        text.replace('{', '{"__proto__":{"scope":"admin"},"constructor":1,"toString":1,"hasOwnProperty":1,'),
      ),
    )
    expect(await client().signIn()).toMatchObject({ status: 'signed-in', scope: ['openid', 'read'] })
  })

  test('has no Cache-Control is accepted [TR23]', async () => {
    const { as, client } = world()
    as.failNext.push(rewritten(text => text))
    expect(await client().signIn()).toMatchObject({ status: 'signed-in' })
  })
})

describe('an error from the token endpoint', () => {
  test.for([
    ['invalid_client', 401],
    ['invalid_scope', 400],
    ['unauthorized_client', 400],
  ] as const)('%s is reported with its code [TR24, TR25]', async ([error, code]) => {
    const { as, signedIn, expire } = world()
    const client = await signedIn()
    expire()
    as.failNext.push(oauthError(error, code, { 'www-authenticate': 'Bearer error="invalid_token"' }))
    await expect(client.fetch(`${API}/me`)).rejects.toMatchObject({ code: 'ERR_SERVER', error, status: code })
    expect(client.session.status).toBe('signed-in')
  })

  test.for(['text/html', 'text/plain', 'none'])(
    'with content type %s is not trusted, and the session is kept [F2.1, TR26]',
    async type => {
      const { as, signedIn, expire, clock } = world()
      const client = await signedIn()
      expire()
      const headers: Record<string, string> = type === 'none' ? {} : { 'content-type': type }
      const fault = status(400, headers, '{"error":"invalid_grant"}')
      as.failNext.push(fault)
      await expect(client.fetch(`${API}/me`)).rejects.toMatchObject({ code: 'ERR_SERVER', error: 'refused' })
      expect(client.session.status).toBe('signed-in')
      expect(as.count('refresh_token')).toBe(1)
      clock.advance(60_000)
      expect((await client.fetch(`${API}/me`)).status).toBe(200)
    },
  )

  test('with status 200 is handled as that error, at a sign-in and at a refresh [TR27]', async () => {
    const { as, client, signedIn, expire } = world()
    as.failNext.push(oauthError('bad_verification_code', 200))
    await expect(client().signIn()).rejects.toMatchObject({
      code: 'ERR_CALLBACK',
      error: 'bad_verification_code',
    })
    const one = await signedIn()
    expire()
    as.failNext.push(oauthError('access_denied', 200))
    await expect(one.fetch(`${API}/me`)).rejects.toMatchObject({ code: 'ERR_SERVER', error: 'access_denied' })
    expect(one.session.status).toBe('signed-in')
  })

  test('that calls the refresh token bad ends the session like invalid_grant, also with status 200 [F2.1]', async () => {
    const { as, signedIn, expire } = world()
    const client = await signedIn()
    expire()
    as.failNext.push(oauthError('bad_refresh_token', 200))
    await expect(client.fetch(`${API}/me`)).rejects.toMatchObject({ reason: 'expired' })
  })

  const json = { 'content-type': 'application/json' }
  test.for<[string, string, Fault]>([
    ['has no body', 'refused', status(400)],
    ['has no body and a challenge', 'refused', status(401, { 'www-authenticate': 'Bearer' })],
    ['has no error', 'refused', status(401, json, '{"message":"Unauthorized"}')],
    ['is an object', 'refused', status(400, json, '{"error":{"message":"expired"}}')],
    ['is an object, with 200', 'refused', status(200, json, '{"error":{"message":"expired"}}')],
    ['is invalid_request', 'invalid_request', oauthError('invalid_request')],
    ['is invalid_token', 'invalid_token', oauthError('invalid_token', 401)],
  ])('that %s is reported as %s, is sent once, and its message says what helps [F2.1]', async test => {
    const [, error, fault] = test
    const { as, signedIn, expire } = world()
    const client = await signedIn()
    expire()
    as.failNext.push(fault, fault, fault)
    await expect(client.fetch(`${API}/me`)).rejects.toMatchObject({
      code: 'ERR_SERVER',
      error,
      retryable: false,
      message: expect.stringContaining('call signIn() to begin a new session'),
    })
    expect(as.count('refresh_token')).toBe(1)
    expect(client.session.status).toBe('signed-in')
  })

  const html = { 'content-type': 'text/html' }
  test.for<[string, Fault]>([
    ["a hotel's login page", captivePortal],
    ['a page with 401', status(401, html, '<h1>Unauthorized</h1>')],
    ['403 from a firewall', status(403, html, '<h1>Blocked</h1>')],
    ['403 from a firewall in JSON', status(403, json, '{"error":"Forbidden"}')],
    ['404 from a proxy', status(404)],
    ['407', status(407)],
    ['a redirect', status(302, { location: 'https://portal.example/' })],
  ])(
    'from an intermediary (%s) keeps the session, and the request is sent once [F2.1]',
    async ([, fault]) => {
      const { as, signedIn, expire } = world()
      const client = await signedIn()
      expire()
      as.failNext.push(fault, fault, fault)
      await expect(client.fetch(`${API}/me`)).rejects.toMatchObject({
        code: 'ERR_NETWORK',
        reason: 'not_the_server',
        message: expect.stringContaining('call signIn() to begin a new session'),
      })
      expect(as.count('refresh_token')).toBe(1)
      expect(client.session.status).toBe('signed-in')
    },
  )
})

describe('the scope in a token response', () => {
  test('that is missing is the requested scope [TR19]', async () => {
    const { as, client } = world()
    as.failNext.push(altered({ scope: undefined }))
    expect(await client().signIn()).toMatchObject({ scope: ['openid', 'read'] })
  })

  test('that is narrower is stored and shown, without a warning [TR20]', async () => {
    const { as, client } = world()
    as.failNext.push(altered({ scope: 'openid' }))
    const one = client()
    expect(await one.signIn()).toMatchObject({ scope: ['openid'] })
    expect(warnings(one)).toEqual([])
  })

  test('that is wider is stored and shown, with a warning [TR21]', async () => {
    const { as, client } = world()
    as.failNext.push(altered({ scope: 'openid read admin' }))
    const one = client()
    expect(await one.signIn()).toMatchObject({ scope: ['openid', 'read', 'admin'] })
    expect(warnings(one)).toEqual(['scope'])
    expect(one.told.find(event => event.type === 'warning')?.message).toContain('admin')
  })

  test('that a refresh widens causes a warning; with strict it is rejected, and the session is kept [RF12]', async () => {
    for (const strict of [false, true]) {
      const { as, signedIn, expire, clock, stored } = world()
      const client = await signedIn({ strict })
      expire()
      as.failNext.push(altered({ scope: 'openid read admin' }))
      const call = client.fetch(`${API}/me`)
      if (strict) await expect(call).rejects.toMatchObject({ code: 'ERR_SERVER', error: 'invalid_scope' })
      else expect((await call).status).toBe(200)
      expect(warnings(client)).toEqual(strict ? [] : ['scope'])
      expect((await stored())[0]).toMatchObject({ requested: 'openid read' })
      expire()
      clock.advance(60_000)
      expect((await client.fetch(`${API}/me`)).status).toBe(200)
      expect(as.reuses).toBe(0)
    }
  })

  test("that a refresh narrows changes the access token's scope, not the requested scope [RF13]", async () => {
    const { as, signedIn, expire, stored } = world()
    const client = await signedIn()
    expire()
    as.failNext.push(altered({ scope: 'openid' }))
    expect((await client.fetch(`${API}/me`)).status).toBe(200)
    expect(client.session).toMatchObject({ scope: ['openid'] })
    expect((await stored())[0]).toMatchObject({ requested: 'openid read' })
  })
})

describe('a quirk', () => {
  test.for([
    ['any_content_type', rewritten(text => text, { type: 'text/html' })],
    ['missing_token_type', altered({ token_type: undefined })],
    ['token_status_201', rewritten(text => text, { code: 201 })],
  ] as const)(
    '%s is named by the error that rejects, and accepts with one warning',
    async ([quirk, fault]) => {
      const { as, client, expire } = world()
      as.failNext.push(fault)
      await expect(client().signIn()).rejects.toMatchObject({
        message: expect.stringContaining(`"${quirk}"`),
        cause: { code: 'ERR_SERVER', quirk },
      })
      const one = client({ quirks: [quirk] })
      as.failNext.push(fault)
      await one.signIn()
      expire()
      as.failNext.push(fault)
      expect((await one.fetch(`${API}/me`)).status).toBe(200)
      expect(warnings(one)).toEqual(['quirk'])
    },
  )
})
