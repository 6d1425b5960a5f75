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
  ['has a number for an access token', 'TR07', altered({ access_token: 7 })],
  ['has null for an access token', 'TR07', altered({ access_token: null })],
  ['has no token_type', 'TR08', altered({ token_type: undefined })],
  ['has the token_type mac', 'TR08', altered({ token_type: 'mac' })],
  ['has the token_type N_A', 'TR08', altered({ token_type: 'N_A' })],
  ['has an error beside its tokens', 'TR28', altered({ error: 'invalid_grant' })],
  ['is JSON that says it is a page', 'TR30', rewritten(text => text, { type: 'text/html' })],
  ['does not say what it is', 'TR30', rewritten(text => text, { type: null })],
  ['has two access tokens', 'MX03', twice],
  ['is nested 100,000 levels deep', 'MX07', deep],
  ['has an access token of a megabyte, or so', 'MX08', altered({ access_token: 'x'.repeat(200_000) })],
]

describe('a token answer that', () => {
  test.for(unfit)('%s is refused at a sign-in, and nothing is stored [%s]', async ([, , fault]) => {
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
    ['has a number for a scope', '', altered({ scope: 7 })],
    ['is JSON that says it is text', '', rewritten(text => text, { type: 'text/plain' })],
  ] as [string, string, Fault][])(
    '%s is refused at a refresh, and the next one sends the refresh token that it brought [F1.3, %s]',
    async ([, , fault]) => {
      const { as, signedIn, stored, expire, clock } = world() // this server knows no grace
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

  test('is refused, and of somebody else, ends the session: its refresh token is never sent [F1.3]', async () => {
    const { as, signedIn, expire, stored } = world()
    const client = await signedIn()
    as.idTokenClaims = { sub: 'mallory' }
    expire()
    as.failNext.push(altered({ token_type: 'mac' }))
    await expect(client.fetch(`${API}/me`)).rejects.toMatchObject({ reason: 'subject_changed' })
    expect(await stored()).not.toContainEqual(expect.objectContaining({ tokens: expect.anything() }))
  })

  test('has two refresh tokens gives neither: the session is kept as it was [F1.3]', async () => {
    const { as, signedIn, stored, expire } = world()
    const client = await signedIn()
    const [before] = (await stored()) as { tokens: object }[]
    expire()
    as.failNext.push(rewritten(text => text.replace('{', '{"refresh_token":"other",')))
    await expect(client.fetch(`${API}/me`)).rejects.toMatchObject({ error: 'invalid_response' })
    expect(((await stored()) as { tokens: object }[])[0]?.tokens).toEqual(before?.tokens)
  })

  test('has a lifetime that is none is used until a 401, and that is told [F1.3, F9.7]', async () => {
    const { as, signedIn, expire } = world()
    const client = await signedIn()
    expire()
    as.failNext.push(altered({ expires_in: 'soon' }))
    expect((await client.fetch(`${API}/me`)).status).toBe(200)
    expect(warnings(client)).toContain('token_response')
  })

  test.for<[string, string, Fault]>([
    [
      'is one byte a minute for ever',
      'MX02',
      {
        afterWork: true,
        answer: () => new Response(new ReadableStream({ pull: () => new Promise(() => {}) })),
      },
    ],
    [
      'is a gigabyte',
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
  ])('%s is given up, and the session is kept [%s]', async ([, , fault]) => {
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

  test.for(['Bearer', 'bearer', 'BEARER'])('has the token_type %s is taken [TR09]', async token_type => {
    const { as, client } = world()
    as.failNext.push(altered({ token_type }))
    expect(await client().signIn()).toMatchObject({ status: 'signed-in' })
  })

  test('begins with a byte order mark is taken [MX04]', async () => {
    const { as, client } = world()
    as.failNext.push(rewritten(text => `\uFEFF${text}`))
    expect(await client().signIn()).toMatchObject({ status: 'signed-in' })
  })

  test('has members named after what objects inherit is taken [MX06]', async () => {
    const { as, client } = world()
    as.failNext.push(
      rewritten(text =>
        text.replace('{', '{"__proto__":{"scope":"admin"},"constructor":1,"toString":1,"hasOwnProperty":1,'),
      ),
    )
    expect(await client().signIn()).toMatchObject({ status: 'signed-in', scope: ['openid', 'read'] })
  })

  test('has no Cache-Control is taken [TR23]', async () => {
    const { as, client } = world()
    as.failNext.push(rewritten(text => text))
    expect(await client().signIn()).toMatchObject({ status: 'signed-in' })
  })
})

describe('an error of the token endpoint', () => {
  test.for([
    ['invalid_client', 401],
    ['invalid_scope', 400],
    ['unauthorized_client', 400],
  ] as const)('%s is told by its name [TR24, TR25]', async ([error, code]) => {
    const { as, signedIn, expire } = world()
    const client = await signedIn()
    expire()
    as.failNext.push(oauthError(error, code, { 'www-authenticate': 'Bearer error="invalid_token"' }))
    await expect(client.fetch(`${API}/me`)).rejects.toMatchObject({ code: 'ERR_SERVER', error, status: code })
    expect(client.session.status).toBe('signed-in')
  })

  test.for(['text/html', 'text/plain', 'none'])(
    'whose body says that it is %s is not believed by its name: the session is kept [F2.1, TR26]',
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

  test('with status 200 is that error, at a sign-in and at a refresh [TR27]', async () => {
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

  test('that calls the refresh token bad ends the session as invalid_grant does, also with 200 [F2.1]', async () => {
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
  ])('that %s is a refusal by the name %s, which is sent once and says what helps [F2.1]', async test => {
    const [, error, fault] = test
    const { as, signedIn, expire } = world()
    const client = await signedIn()
    expire()
    as.failNext.push(fault, fault, fault)
    await expect(client.fetch(`${API}/me`)).rejects.toMatchObject({
      code: 'ERR_SERVER',
      error,
      retryable: false,
      message: expect.stringContaining('signIn() begins anew'),
    })
    expect(as.count('refresh_token')).toBe(1)
    expect(client.session.status).toBe('signed-in')
  })

  const html = { 'content-type': 'text/html' }
  test.for<[string, Fault]>([
    ['a page of a hotel', captivePortal],
    ['a page with 401', status(401, html, '<h1>Unauthorized</h1>')],
    ['403 of a firewall', status(403, html, '<h1>Blocked</h1>')],
    ['403 of a firewall in JSON', status(403, json, '{"error":"Forbidden"}')],
    ['404 of a proxy', status(404)],
    ['407', status(407)],
    ['a redirect', status(302, { location: 'https://portal.example/' })],
  ])('of something in between (%s) keeps the session, and is asked for once [F2.1]', async ([, fault]) => {
    const { as, signedIn, expire } = world()
    const client = await signedIn()
    expire()
    as.failNext.push(fault, fault, fault)
    await expect(client.fetch(`${API}/me`)).rejects.toMatchObject({
      code: 'ERR_NETWORK',
      reason: 'not_the_server',
      message: expect.stringContaining('signIn() begins anew'),
    })
    expect(as.count('refresh_token')).toBe(1)
    expect(client.session.status).toBe('signed-in')
  })
})

describe('the scope in an answer', () => {
  test('that is missing is what was asked for [TR19]', async () => {
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

  test('that a refresh makes wider is told of; with strict it is refused, and the session is kept [RF12]', async () => {
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

  test('that a refresh makes narrower changes that of the access token, not what was asked for [RF13]', async () => {
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
    '%s is named by the error that refuses, and accepts with one warning',
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
