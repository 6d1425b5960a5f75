import { describe, expect, test } from 'vitest'
import type { Clock } from '../../src/core/ports.ts'
import type { Quirk } from '../../src/core/quirks.ts'
import { altered, captivePortal, type Fault, hang, reset, status, withHeaders } from '../support/faults.ts'
import { leaving } from '../support/leaving.ts'
import { atHashOf, type SigningKey, signingKey } from '../support/signing-key.ts'
import { API } from '../support/strict-api.ts'
import { type World, worlds } from '../support/world.ts'

const world = worlds()
const keysAsked = ({ as }: World) => as.requests.filter(request => request === 'GET /jwks').length
const warnings = (client: { told: readonly object[] }) =>
  client.told.flatMap(event => ('about' in event ? [event.about] : []))
const DAY = 86_400

/** Signs an ID Token with another header. */
const withHeader = (key: SigningKey, header: Record<string, unknown>): SigningKey => ({
  jwks: key.jwks,
  sign: claims => key.sign(claims, header),
})
/** A key set that the test chooses. */
const showing = (key: SigningKey, change: (key: Record<string, unknown>) => unknown[]): SigningKey => ({
  sign: key.sign,
  jwks: async () => ({ keys: (await key.jwks()).keys.flatMap(change) as Record<string, unknown>[] }),
})

describe('a sign-in is rejected, and nothing is stored, if the ID Token', () => {
  test.for<[string, (now: number) => Record<string, unknown>]>([
    ['is of another issuer [ID01]', () => ({ iss: 'https://evil.example' })],
    ['has the issuer with an extra slash [ID01]', () => ({ iss: 'https://id.example.com/' })],
    ['is for another client [ID02]', () => ({ aud: 'other' })],
    ['has no audience [ID02]', () => ({ aud: undefined })],
    ['has several audiences and no azp [ID03]', () => ({ aud: ['app', 'other'] })],
    ['has several audiences and another azp [ID03]', () => ({ aud: ['app', 'other'], azp: 'other' })],
    ['has only this client as audience and another azp [ID04]', () => ({ azp: 'other' })],
    ['has no exp [ID09]', () => ({ exp: undefined })],
    ['has an exp that is not a number [ID09]', () => ({ exp: '9999999999' })],
    ['has no iat [ID10]', () => ({ iat: undefined })],
    ['has an iat a year ahead [ID11]', now => ({ iat: now + 365 * DAY, exp: now + 366 * DAY })],
    ['has an iat ten years ago [ID11]', now => ({ iat: now - 3650 * DAY })],
    ['has no sub [ID12]', () => ({ sub: undefined })],
    ['has an empty sub [ID12]', () => ({ sub: '' })],
    ['has a number as its sub [ID12]', () => ({ sub: 7 })],
    ['has a sub of 256 characters [ID12]', () => ({ sub: 'x'.repeat(256) })],
    ['has a sub that is not ASCII [ID12]', () => ({ sub: 'ali\u0000ce' })],
    ['has another nonce [ID13]', () => ({ nonce: 'other' })],
    ['has no nonce [ID13]', () => ({ nonce: undefined })],
    ['has the at_hash of another access token [ID15]', () => ({ at_hash: 'LDktKdoQak3Pk0cnXxCltA' })],
    ['has a number as its at_hash [ID15]', () => ({ at_hash: 7 })],
  ])('%s', async ([, claims]) => {
    const { as, client, clock, stored } = world()
    as.idTokenClaims = claims(Math.floor(clock.now() / 1000))
    await expect(client().signIn()).rejects.toMatchObject({
      code: 'ERR_CALLBACK',
      reason: 'invalid_response',
    })
    expect(await stored()).toEqual([])
  })

  test.for<[string, (key: SigningKey) => SigningKey]>([
    ['has no signature [ID06]', key => withHeader(key, { alg: 'none' })],
    ['is signed with HS256 [ID07]', key => withHeader(key, { alg: 'HS256' })],
    [
      'is signed with an algorithm that the server does not announce [ID07]',
      key => withHeader(key, { alg: 'PS256' }),
    ],
    ['has a critical header [ID08]', key => withHeader(key, { crit: ['exp'] })],
    [
      'names no key, and two keys fit [ID19]',
      key => showing(withHeader(key, { kid: undefined }), one => [one, { ...one, kid: 'key-2' }]),
    ],
    ['is signed with another key of the same key ID', key => ({ jwks: signingKey().jwks, sign: key.sign })],
    ['is signed with a key for encryption [DM10]', key => showing(key, one => [{ ...one, use: 'enc' }])],
    [
      'is signed with a key that may not verify [DM10]',
      key => showing(key, one => [{ ...one, key_ops: ['sign'] }]),
    ],
    [
      'is signed with a key for another algorithm [DM10]',
      key => showing(key, one => [{ ...one, alg: 'RS512' }]),
    ],
  ])('%s', async ([, change]) => {
    const { as, client, stored } = world()
    as.key = change(as.key)
    await expect(client().signIn()).rejects.toMatchObject({
      code: 'ERR_CALLBACK',
      reason: 'invalid_response',
    })
    expect(await stored()).toEqual([])
  })

  test('is signed with an RSA key of 1,024 bits [DM10]', async () => {
    const { as, client } = world({ key: signingKey('short', 'RS1024') })
    await expect(client().signIn()).rejects.toMatchObject({ code: 'ERR_CALLBACK' })
    expect(as.complaints).toEqual([])
  })

  test.for<[string, unknown]>([
    ['is missing although openid was requested [ID25]', undefined],
    ['is encrypted [ID26]', 'a.b.c.d.e'],
  ])('%s', async ([, id_token]) => {
    const { as, client, stored } = world()
    as.failNext.push(altered({ id_token }))
    const error = await client()
      .signIn()
      .catch((reason: unknown) => reason)
    expect(error).toMatchObject({ code: 'ERR_CALLBACK', reason: 'invalid_response' })
    if (id_token) expect((error as Error).message).toMatch(/encrypted|JWE/)
    expect(await stored()).toEqual([])
  })
})

describe('a sign-in succeeds if the ID Token', () => {
  test.for<[string, (now: number) => Record<string, unknown>]>([
    ['has a list of only this client as audience [ID03]', () => ({ aud: ['app'] })],
    ['has several audiences and this client as azp [ID03]', () => ({ aud: ['app', 'other'], azp: 'app' })],
    ['has this client as azp [ID04]', () => ({ azp: 'app' })],
    ['has an iat a day ago from a slow clock [ID11]', now => ({ iat: now - DAY })],
    ['has a sub of 255 characters [ID12]', () => ({ sub: 'x'.repeat(255) })],
    ['has no at_hash [ID16]', () => ({ at_hash: undefined })],
  ])('%s', async ([, claims]) => {
    const here = world()
    here.as.idTokenClaims = claims(Math.floor(here.clock.now() / 1000))
    expect((await here.signedIn()).session.status).toBe('signed-in')
  })

  test.for([
    ['RS256', 'SHA-256'],
    ['ES384', 'SHA-384'],
    ['EdDSA', 'SHA-512'],
  ] as const)('is signed with %s and has an at_hash made with %s [ID15]', async ([alg, hash]) => {
    const here = world({ key: signingKey('key-1', alg) })
    here.as.metadata.id_token_signing_alg_values_supported = [alg]
    here.as.claimsFor = async accessToken => ({ at_hash: await atHashOf(accessToken, hash) })
    expect((await here.signedIn()).session.status).toBe('signed-in')
    here.as.claimsFor = async accessToken => ({ at_hash: await atHashOf(`${accessToken}x`, hash) })
    await expect(here.client().signIn()).rejects.toMatchObject({ reason: 'invalid_response' })
  })

  test.for<[string, (key: SigningKey) => SigningKey]>([
    ['names no key, and one key fits [ID18]', key => withHeader(key, { kid: undefined })],
    [
      'is signed with a key in a set that also has malformed ones [ID22]',
      key =>
        showing(key, one => [
          null,
          7,
          'key',
          [],
          { kty: 'unknown' },
          { ...one, key_ops: 7 },
          { kty: 'RSA', kid: 'x' },
          one,
        ]),
    ],
  ])('%s', async ([, change]) => {
    const here = world()
    here.as.key = change(here.as.key)
    expect((await here.signedIn()).session.status).toBe('signed-in')
  })
})

describe('rotated keys', () => {
  test('are fetched again even just after they were fetched [ID20, ID21]', async () => {
    const here = world()
    const client = await here.signedIn()
    expect(keysAsked(here)).toBe(1)
    here.as.key = signingKey('key-2')
    await client.signIn()
    expect(keysAsked(here)).toBe(2)
    await client.signIn()
    expect(keysAsked(here)).toBe(2)
  })

  test('are not fetched repeatedly for a key that does not exist [ID21]', async () => {
    const here = world()
    const client = await here.signedIn()
    here.as.key = withHeader(here.as.key, { kid: 'nowhere' })
    for (let round = 0; round < 5; round++) {
      here.clock.advance(1000)
      await expect(client.signIn()).rejects.toMatchObject({ code: 'ERR_CALLBACK' })
    }
    expect(keysAsked(here)).toBe(2)
  })

  test.for<[string, Fault, string]>([
    [
      '5 MB',
      status(200, { 'content-type': 'application/json' }, `{"keys":["${'x'.repeat(5_000_000)}"]}`),
      'not_the_server',
    ],
    ['a page', captivePortal, 'not_the_server'],
    ['a redirect', status(302, { location: 'https://evil.example/jwks' }), 'not_the_server'],
    ['503', status(503), 'unavailable'],
  ])(
    'replaced by %s make the sign-in fail with a typed, retryable error [DM09]',
    async ([, fault, reason]) => {
      const here = world()
      here.as.failKeys.push(...Array<Fault>(4).fill(fault))
      await expect(here.client().signIn()).rejects.toMatchObject({
        code: 'ERR_NETWORK',
        reason,
        retryable: true,
      })
      expect(await here.stored()).toEqual([])
      expect(keysAsked(here)).toBe(1)
    },
  )

  test('replaced by other JSON cause an error that names their address and does not suggest a retry [DM09, F8.15]', async () => {
    const here = world()
    const other = status(200, { 'content-type': 'application/json' }, '{"keys":{}}')
    here.as.failKeys.push(...Array<Fault>(4).fill(other))
    await expect(here.client().signIn()).rejects.toMatchObject({
      code: 'ERR_NETWORK',
      reason: 'not_the_server',
      retryable: false,
      message: expect.stringMatching(/\/jwks is not a key set: it has no array "keys"/),
    })
    expect(await here.stored()).toEqual([])
  })

  test('in a set of ten thousand are found [DM09]', async () => {
    const here = world()
    const many = Array.from({ length: 10_000 }, (_, index) => ({ kty: 'EC', kid: `other-${index}` }))
    here.as.key = showing(here.as.key, one => [...many, one])
    expect((await here.signedIn()).session.status).toBe('signed-in')
  })
})

describe('a refresh', () => {
  test.for<[string, (here: World) => void]>([
    ['unreachable keys', ({ as }) => void as.failKeys.push(...Array<Fault>(4).fill(reset))],
    [
      'a captive portal in place of the keys',
      ({ as }) => void as.failKeys.push(...Array<Fault>(4).fill(captivePortal)),
    ],
    [
      'an invalid signature',
      ({ as }) => {
        as.key = { jwks: signingKey().jwks, sign: as.key.sign }
      },
    ],
  ])('with %s keeps the new tokens and the old ID Token, and warns', async ([, spoil]) => {
    const here = world({ accessTokenSeconds: 4000 })
    const client = await here.signedIn()
    const [before] = (await here.stored()) as { tokens: Record<string, unknown> }[]
    here.expire() // the keys have expired as well
    spoil(here)
    expect((await client.fetch(`${API}/me`)).status).toBe(200)
    const [after] = (await here.stored()) as { tokens: Record<string, unknown> }[]
    expect(after?.tokens.idToken).toBe(before?.tokens.idToken)
    expect(after?.tokens.claims).toEqual(before?.tokens.claims)
    expect(after?.tokens.refreshToken).not.toBe(before?.tokens.refreshToken)
    expect(warnings(client)).toEqual(['id_token'])
    here.expire()
    expect((await client.fetch(`${API}/me`)).status).toBe(200)
    expect(here.as.reuses).toBe(0)
  })

  test('whose keys never arrive is stored after two seconds', async () => {
    const here = world({ accessTokenSeconds: 4000 })
    const timers: number[] = []
    const after: Clock['after'] = (ms, ...rest) => {
      timers.push(ms)
      return here.clock.after(ms, ...rest)
    }
    const client = await here.signedIn({ clock: { now: here.clock.now, after } })
    here.expire()
    here.as.failKeys.push(hang, hang, hang)
    timers.length = 0
    const call = client.fetch(`${API}/me`)
    // after the requests for tokens and keys, which may take 8 s each
    await expect.poll(() => timers.slice(timers.lastIndexOf(8000))).toContain(2000)
    here.clock.advance(2000)
    expect((await call).status).toBe(200)
    expect(warnings(client)).toEqual(['id_token'])
    expect((await here.stored())[0]).toMatchObject({ version: 2 })
  })

  test('fetches the keys in parallel with the token request and adopts the new ID Token', async () => {
    const here = world({ accessTokenSeconds: 4000 })
    const client = await here.signedIn()
    const [before] = (await here.stored()) as { tokens: Record<string, unknown> }[]
    here.expire()
    await client.fetch(`${API}/me`)
    const [after] = (await here.stored()) as { tokens: Record<string, unknown> }[]
    expect(after?.tokens.idToken).not.toBe(before?.tokens.idToken)
    expect(keysAsked(here)).toBe(2)
    expect(warnings(client)).toEqual([])
  })

  test('whose ID Token is for another user ends the session even if its signature is invalid [RF20]', async () => {
    const here = world()
    const client = await here.signedIn()
    here.as.idTokenClaims = { sub: 'mallory', at_hash: 'x' }
    here.expire()
    await expect(client.fetch(`${API}/me`)).rejects.toMatchObject({ reason: 'subject_changed' })
  })

  test('whose access token does not match its ID Token keeps only the new refresh token [ID15]', async () => {
    const here = world()
    const client = await here.signedIn()
    here.as.idTokenClaims = { at_hash: 'LDktKdoQak3Pk0cnXxCltA' }
    here.expire()
    await expect(client.fetch(`${API}/me`)).rejects.toMatchObject({
      code: 'ERR_SERVER',
      error: 'invalid_response',
    })
    here.as.idTokenClaims = {}
    here.clock.advance(60_000)
    expect((await client.fetch(`${API}/me`)).status).toBe(200)
    expect(here.as.reuses).toBe(0)
  })

  test.for<[string, string, Record<string, unknown>]>([
    ['lacks an audience of the first', 'RF22', { aud: 'app' }],
    ['has another auth_time', 'RF22', { auth_time: 2 }],
    ['has another nonce', 'RF23', { nonce: 'another' }],
  ])('whose ID Token %s keeps the first ID Token [%s]', async ([, , claims]) => {
    const here = world()
    here.as.idTokenClaims = { aud: ['app', 'api'], azp: 'app', auth_time: 1 }
    const client = await here.signedIn()
    const before = client.session as { claims?: unknown }
    here.as.idTokenClaims = { aud: ['app', 'api'], azp: 'app', auth_time: 1, ...claims }
    here.expire()
    expect((await client.fetch(`${API}/me`)).status).toBe(200)
    expect((client.session as { claims?: unknown }).claims).toEqual(before.claims)
  })

  test('whose ID Token has another azp is rejected [RF22]', async () => {
    const here = world()
    const client = await here.signedIn()
    here.as.idTokenClaims = { azp: 'other' }
    here.expire()
    await expect(client.fetch(`${API}/me`)).rejects.toMatchObject({ code: 'ERR_SERVER' })
    expect(client.session.status).toBe('signed-in')
  })
})

test('a sign-in as another user replaces the previous session completely [ID27]', async () => {
  const here = world()
  const users = ['alice', 'bob']
  const client = here.client({ subject: () => users.shift() as string })
  await client.signIn()
  await client.signIn()
  expect(client.session).toMatchObject({ claims: { sub: 'bob' } })
  expect(JSON.stringify(await here.stored())).not.toContain('alice')
})

describe('a required authentication context (acr)', () => {
  const claims = (acr: object) => ({
    authorizationParameters: { claims: JSON.stringify({ id_token: { acr } }) },
  })

  test.for<[string, object, string | undefined, boolean]>([
    ['a step-up gets the requested value', { stepUp: { acrValues: 'gold' } }, 'gold', true],
    ['a step-up gets one of the requested values', { stepUp: { acrValues: 'gold silver' } }, 'silver', true],
    ['a step-up gets another value', { stepUp: { acrValues: 'gold silver' } }, 'bronze', false],
    ['a step-up gets no value', { stepUp: { acrValues: 'gold' } }, undefined, false],
    ['essential claims get the requested value', claims({ essential: true, values: ['gold'] }), 'gold', true],
    ['essential claims get another value', claims({ essential: true, value: 'gold' }), 'bronze', false],
    ['essential claims get any value', claims({ essential: true }), 'bronze', true],
    ['essential claims get no value', claims({ essential: true }), undefined, false],
    ['voluntary claims get another value', claims({ value: 'gold' }), 'bronze', true],
    [
      'plain acr_values get another value',
      { authorizationParameters: { acr_values: 'gold' } },
      'bronze',
      true,
    ],
  ])(
    '%s: the sign-in fails with acr_not_met unless the value fits [ID24]',
    async ([, options, acr, fits]) => {
      const here = world()
      const client = await here.signedIn()
      const [before] = await here.stored()
      here.as.idTokenClaims = { acr }
      const signIn = client.signIn(options)
      if (fits) return void expect(await signIn).toMatchObject({ claims: { acr } })
      await expect(signIn).rejects.toMatchObject({ code: 'ERR_CALLBACK', reason: 'acr_not_met' })
      expect((await here.stored())[0]).toEqual(before)
      await expect.poll(() => here.as.revocations.length).toBe(1)
    },
  )

  test('is remembered across the redirect [ID24]', async () => {
    const here = world()
    const away = leaving(here.as)
    await here.client(away).signIn({ stepUp: { acrValues: 'gold' } })
    here.as.idTokenClaims = { acr: 'bronze' }
    await expect(here.client().handleCallback(away.callbacks[0] as string)).rejects.toMatchObject({
      reason: 'acr_not_met',
    })
  })
})

test("an ID Token is checked with the server's clock if the response tells it [ID11]", async () => {
  const here = world()
  const at = here.clock.now() - 300 * DAY * 1000
  here.as.idTokenClaims = { iat: at / 1000, exp: at / 1000 + 3600 }
  here.as.failNext.push(withHeaders({ date: new Date(at).toUTCString() }))
  expect((await here.signedIn()).session.status).toBe('signed-in')
})

describe('a sign-in that requires a recent authentication (max_age) [F2.8]', () => {
  const MAX_AGE = 60
  const signIn = async (auth_time: unknown, here = world(), stepUp: object | undefined = undefined) => {
    const now = Math.floor(here.clock.now() / 1000)
    here.as.idTokenClaims = { auth_time: typeof auth_time === 'function' ? auth_time(now) : auth_time }
    const client = here.client({ authorizationParameters: stepUp ? {} : { max_age: String(MAX_AGE) } })
    return { client, here, done: client.signIn({ stepUp }) }
  }

  test.for<[string, unknown]>([
    ['whose time is missing', undefined],
    ['from yesterday', (now: number) => now - DAY],
    ['that is a minute too old', (now: number) => now - MAX_AGE - 60],
    ['whose time is a string', (now: number) => String(now)],
    ['whose time is before 1970', -1],
    ['whose time is null', null],
  ])('is rejected for one %s, nothing is stored, and its tokens are revoked', async ([, time]) => {
    const { here, done } = await signIn(time)
    await expect(done).rejects.toMatchObject({ code: 'ERR_CALLBACK', reason: 'invalid_response' })
    expect(await here.stored()).toEqual([])
    await expect.poll(() => here.as.revocations.map(({ hint }) => hint)).toEqual(['refresh_token'])
  })

  test('is also rejected for an old one if signIn({ stepUp }) requested it', async () => {
    const { done } = await signIn((now: number) => now - DAY, world(), { maxAgeSeconds: 0 })
    await expect(done).rejects.toMatchObject({ reason: 'invalid_response' })
  })

  test('accepts a current one, and one within the clock tolerance', async () => {
    for (const seconds of [0, MAX_AGE, MAX_AGE + 20]) {
      const { client, done } = await signIn((now: number) => now - seconds)
      await done
      expect(client.session.status).toBe('signed-in')
    }
  })

  test.for([-3 * 3600, 3 * 3600])("uses the server's clock if the device's clock is %i s off", async off => {
    const here = world()
    const clock: Clock = { ...here.clock, now: () => here.clock.now() + off * 1000 }
    const now = Math.floor(here.clock.now() / 1000)
    const client = () => here.client({ clock, authorizationParameters: { max_age: String(MAX_AGE) } })
    here.as.idTokenClaims = { auth_time: now - 10 }
    expect(await client().signIn()).toMatchObject({ status: 'signed-in' })
    here.as.idTokenClaims = { auth_time: now - DAY }
    await expect(client().signIn()).rejects.toMatchObject({ reason: 'invalid_response' })
  })

  test('is not checked if max_age or the ID Token was not requested', async () => {
    const here = world()
    here.as.idTokenClaims = { auth_time: 1 }
    expect(await here.client().signIn()).toMatchObject({ status: 'signed-in' })
    const plain = here.client({ scope: 'read', authorizationParameters: { max_age: '60' } })
    expect(await plain.signIn()).toMatchObject({ status: 'signed-in' })
  })
})

test('an app cannot change the claims it receives, nor change the session through them [F6.2]', async () => {
  const { as, signedIn, client, expire } = world()
  as.idTokenClaims = { roles: ['reader'], address: { country: 'CH' } }
  const one = await signedIn()
  const claimsOf = ({ session }: { session: object }) =>
    (session as { claims: Record<string, unknown> & { roles: string[]; address: { country: string } } })
      .claims
  for (const change of [
    () => claimsOf(one).roles.push('admin'),
    () => Object.assign(claimsOf(one), { sub: 'mallory' }),
    () => Object.assign(claimsOf(one).address, { country: 'XX' }),
  ])
    expect(change).toThrow(TypeError)
  expire()
  expect((await one.fetch(`${API}/me`)).status).toBe(200)
  const other = client() // from the store
  await other.start()
  for (const { session } of [one, other])
    expect(session).toMatchObject({ claims: { sub: 'alice', roles: ['reader'], address: { country: 'CH' } } })
  expect(() => claimsOf(other).roles.push('admin')).toThrow(TypeError)
})

describe('an ID Token that deviates from the specification', () => {
  test.for<[string, Quirk, Record<string, unknown>]>([
    ['without nonce', 'missing_nonce', { nonce: undefined }],
    ['for several audiences, without azp', 'several_audiences', { aud: ['api', 'app'] }],
    ['whose sub is not ASCII', 'any_subject', { sub: 'Zoë 漢字' }],
  ])('%s is refused, and accepted with the quirk that the error names [F8.16]', async ([, quirk, claims]) => {
    const { as, client, stored, expire } = world()
    as.idTokenClaims = claims
    await expect(client().signIn()).rejects.toMatchObject({
      message: expect.stringContaining(`"${quirk}"`),
      cause: { code: 'ERR_SERVER', quirk },
    })
    expect(await stored()).toEqual([])

    const one = client({ quirks: [quirk] })
    const { nonce: _, ...rest } = claims
    expect(await one.signIn()).toMatchObject({ status: 'signed-in', claims: rest })
    expire()
    expect((await one.fetch(`${API}/me`)).status).toBe(200)
    expect(one.session).toMatchObject({ status: 'signed-in', claims: rest })
    expect(one.session).not.toHaveProperty('trouble')
    expect(warnings(one)).toEqual(['quirk'])
  })

  test.for<[string, Quirk, Record<string, unknown>]>([
    ['with another nonce', 'missing_nonce', { nonce: 'other' }],
    ['for other clients only', 'several_audiences', { aud: ['api', 'other'] }],
    [
      'for several audiences, with another client as azp',
      'several_audiences',
      { aud: ['api', 'app'], azp: 'api' },
    ],
    ['whose sub is empty', 'any_subject', { sub: '' }],
    ['whose sub has a control character', 'any_subject', { sub: 'ali\u0000ce' }],
    ['whose sub has 256 characters', 'any_subject', { sub: 'ö'.repeat(256) }],
  ])('%s is refused with every quirk [F8.16]', async ([, quirk, claims]) => {
    const { as, client, stored } = world()
    as.idTokenClaims = claims
    await expect(client({ quirks: [quirk] }).signIn()).rejects.toMatchObject({ reason: 'invalid_response' })
    expect(await stored()).toEqual([])
  })

  test('for several audiences is accepted only with a valid signature [F8.16]', async () => {
    const { as, client, stored } = world()
    as.idTokenClaims = { aud: ['api', 'app'] }
    as.key = { jwks: signingKey().jwks, sign: as.key.sign }
    const quirks: Quirk[] = ['several_audiences']
    await expect(client({ quirks }).signIn()).rejects.toMatchObject({ reason: 'invalid_response' })
    expect(await stored()).toEqual([])
  })

  test('for several audiences is accepted only with a valid signature at a refresh too [F8.16]', async () => {
    const { as, client, expire } = world()
    as.idTokenClaims = { aud: ['api', 'app'], name: 'Alice' }
    const one = client({ quirks: ['several_audiences'] })
    await one.signIn()
    as.idTokenClaims = { aud: ['api', 'app'], name: 'Mallory' }
    as.key = { jwks: as.key.jwks, sign: signingKey().sign }
    expire()
    expect((await one.fetch(`${API}/me`)).status).toBe(200)
    expect(one.session).toMatchObject({ claims: { name: 'Alice' } })
    expect(warnings(one)).toEqual(['quirk', 'id_token'])
  })
})

test('an access token that is too long for many servers is used with one warning [F8.16]', async () => {
  const { as, client, expire } = world()
  const access_token = 'x'.repeat(20_000)
  as.failNext.push(altered({ access_token, id_token: undefined }))
  const one = client({ scope: 'read' })
  await one.signIn()
  expect(await one.getAccessToken()).toBe(access_token)
  expect(one.told).toContainEqual(
    expect.objectContaining({
      about: 'access_token',
      message: expect.stringMatching(/more than 8000 characters/),
    }),
  )
  expire()
  as.failNext.push(altered({ access_token: `${access_token}2` }))
  await one.getAccessToken()
  expect(warnings(one).filter(about => about === 'access_token')).toHaveLength(1)
})
