import { HttpResponse } from 'msw'
import { describe, expect, test } from 'vitest'
import { clientSecretBasic } from '../../../src/extensions/client-authentication.ts'
import type { IntrospectionOptions } from '../../../src/resource-server/introspection.ts'
import type { ProtectOptions } from '../../../src/resource-server/options.ts'
import { createProtect } from '../../../src/resource-server/protect.ts'
import { handClock } from '../../support/clock.ts'
import { handledFetch } from '../../support/handled-fetch.ts'
import { requestWith } from '../../support/resource-server/cases.ts'
import {
  API,
  base64url,
  createTestIssuer,
  ISSUER,
  proof,
  testKey,
  thumbprint,
} from '../../support/resource-server/issuer.ts'

const MINUTE_MS = 60_000
const bearer = (token: string) => requestWith({ authorization: `Bearer ${token}` })

const world = (options: Partial<ProtectOptions> = {}) => {
  const issuer = createTestIssuer()
  const api = createProtect({ issuer: ISSUER, resource: API, ...options }, issuer)
  const reasonOf = async (token: string) => {
    const verdict = await api(bearer(token))
    return verdict.valid ? 'valid' : verdict.reason
  }
  const asked = (path: string) => issuer.requests.filter(one => one === path).length
  return { issuer, api, reasonOf, asked }
}

const withIntrospection = (introspection: Partial<IntrospectionOptions> = {}) =>
  world({ issuer: trust(introspection) })
const trust = (more: Partial<IntrospectionOptions> = {}) => ({
  issuer: ISSUER,
  introspection: {
    clientId: 'api',
    clientAuthentication: clientSecretBasic('the-secret-of-the-api'),
    ...more,
  },
})

const down = () => new HttpResponse('down', { status: 502 })

describe('the keys of an issuer', () => {
  test('are requested once for fifty simultaneous requests, and not for later ones', async () => {
    const { issuer, reasonOf, asked } = world()
    const verdicts = await Promise.all(Array.from({ length: 50 }, () => reasonOf(issuer.accessToken())))
    expect(new Set(verdicts)).toEqual(new Set(['valid']))
    await reasonOf(issuer.accessToken())
    expect([asked('/.well-known/openid-configuration'), asked('/jwks')]).toEqual([1, 1])
  })

  test('are requested again for an unknown key ID', async () => {
    const { issuer, reasonOf, asked } = world()
    await reasonOf(issuer.accessToken())
    const next = testKey('key-2', 'ES256')
    issuer.published.push(next)
    issuer.clock.advance(MINUTE_MS)
    expect(await reasonOf(issuer.accessToken({}, {}, next))).toBe('valid')
    expect(asked('/jwks')).toBe(2)
  })

  test('are not requested for every invented key ID', async () => {
    const { issuer, reasonOf, asked } = world()
    await reasonOf(issuer.accessToken())
    issuer.clock.advance(MINUTE_MS)
    for (let made = 0; made < 20; made++)
      expect(await reasonOf(issuer.accessToken({}, { kid: `made-up-${made}` }))).toBe('unknown_key')
    expect(asked('/jwks')).toBe(2)
  })

  test('that were withdrawn are used for at most ten minutes and one more request', async () => {
    const { issuer, reasonOf } = world()
    const token = () => issuer.accessToken()
    expect(await reasonOf(token())).toBe('valid')
    issuer.published.splice(0)
    issuer.clock.advance(11 * MINUTE_MS)
    await reasonOf(token()) // starts the request for new ones
    await expect.poll(() => reasonOf(token())).toBe('unknown_key')
  })

  test('stay in use for a day while the issuer is down', async () => {
    const { issuer, reasonOf } = world()
    expect(await reasonOf(issuer.accessToken())).toBe('valid')
    const fail = () => issuer.failNext.push({ path: '/jwks', answer: down }, { path: '/jwks', answer: down })
    fail()
    issuer.clock.advance(23 * 60 * MINUTE_MS)
    expect(await reasonOf(issuer.accessToken())).toBe('valid')
    await expect.poll(() => issuer.failNext.length).toBeLessThan(2)
    issuer.failNext.splice(0)
    fail()
    issuer.clock.advance(2 * 60 * MINUTE_MS)
    expect(await reasonOf(issuer.accessToken())).toBe('unavailable')
  })

  test.each([
    ['respond with an error', down],
    ['respond with HTML', () => HttpResponse.html('<h1>Sign in</h1>')],
    ['respond with JSON that is not a key set', () => HttpResponse.json({ keys: 'none' })],
    ['cannot be reached', () => HttpResponse.error()],
    ['redirect', () => HttpResponse.redirect('https://elsewhere.example.com/')],
  ])('that %s make no token valid: 503, and the next request retries', async (_what, answer) => {
    const { issuer, api, reasonOf } = world()
    for (let times = 0; times < 2; times++) issuer.failNext.push({ path: '/jwks', answer })
    const verdict = await api(bearer(issuer.accessToken()))
    expect(verdict).toMatchObject({
      valid: false,
      reason: 'unavailable',
      status: 503,
      cause: { code: 'ERR_NETWORK' },
    })
    issuer.failNext.splice(0)
    issuer.clock.advance(2000)
    expect(await reasonOf(issuer.accessToken())).toBe('valid')
  })

  test('that never arrive do not delay a request beyond the time limit', async () => {
    const { issuer, reasonOf } = world()
    issuer.failNext.push({ path: '/.well-known/openid-configuration', answer: () => new Promise(() => {}) })
    issuer.failNext.push({ path: '/.well-known/openid-configuration', answer: () => new Promise(() => {}) })
    const reason = reasonOf(issuer.accessToken())
    for (let waited = 0; waited < 2; waited++) {
      await expect.poll(() => issuer.clock.waiting).toBeGreaterThan(0)
      issuer.clock.advance(8000)
    }
    expect(await reason).toBe('unavailable')
  })

  test("of one issuer do not verify another's tokens", async () => {
    const clock = handClock()
    const [one, two] = [
      createTestIssuer({ clock }),
      createTestIssuer({ clock, issuer: 'https://two.example.com' }),
    ]
    const fetch = handledFetch([...one.handlers, ...two.handlers])
    const api = createProtect({ issuer: [one.issuer, two.issuer], resource: API }, { fetch, clock })
    for (const { accessToken, issuer } of [one, two])
      expect(await api(bearer(accessToken()))).toMatchObject({ valid: true, issuer })
    const crossed = two.accessToken({ iss: one.issuer })
    expect(await api(bearer(crossed))).toMatchObject({ reason: 'bad_signature' })
  })
})

describe('introspection', () => {
  const active = (issuer: ReturnType<typeof createTestIssuer>, change = {}) =>
    issuer.tokens.set('opaque', { active: true, ...issuer.claims(), ...change })

  test('runs once for a token in fifty simultaneous requests, and again after the cache time', async () => {
    const { issuer, reasonOf, asked } = withIntrospection()
    active(issuer)
    const verdicts = await Promise.all(Array.from({ length: 50 }, () => reasonOf('opaque')))
    expect(new Set(verdicts)).toEqual(new Set(['valid']))
    expect(asked('/introspect')).toBe(1)
    issuer.clock.advance(31_000)
    expect(await reasonOf('opaque')).toBe('valid')
    expect(asked('/introspect')).toBe(2)
  })

  test('detects a revocation within the cache time', async () => {
    const { issuer, reasonOf } = withIntrospection({ cacheSeconds: 10 })
    active(issuer)
    expect(await reasonOf('opaque')).toBe('valid')
    issuer.tokens.clear()
    issuer.clock.advance(11_000)
    expect(await reasonOf('opaque')).toBe('inactive')
  })

  test('caches no token beyond its expiry', async () => {
    const { issuer, reasonOf } = withIntrospection({ cacheSeconds: 3600 })
    active(issuer, { exp: issuer.now() + 20 })
    expect(await reasonOf('opaque')).toBe('valid')
    issuer.tokens.clear()
    issuer.clock.advance(21_000)
    expect(await reasonOf('opaque')).toBe('inactive')
  })

  test('caches an inactive token briefly', async () => {
    const { issuer, reasonOf, asked } = withIntrospection()
    for (let times = 0; times < 3; times++) expect(await reasonOf('opaque')).toBe('inactive')
    expect(asked('/introspect')).toBe(1)
    active(issuer)
    issuer.clock.advance(6000)
    expect(await reasonOf('opaque')).toBe('valid')
  })

  test.each([
    ['is down', down],
    ['returns HTML', () => HttpResponse.html('<h1>hello</h1>')],
    ['returns no "active"', () => HttpResponse.json({ sub: 'alice' })],
    ['returns active: "true"', () => HttpResponse.json({ active: 'true' })],
    [
      'returns "active" twice',
      () =>
        new HttpResponse('{"active":false,"active":true}', {
          headers: { 'content-type': 'application/json' },
        }),
    ],
    ['rejects this API', () => HttpResponse.json({ error: 'invalid_client' }, { status: 401 })],
    ['cannot be reached', () => HttpResponse.error()],
  ])('that %s causes a 503, is never valid, and is not cached', async (_what, answer) => {
    const { issuer, api, reasonOf } = withIntrospection()
    active(issuer)
    for (let times = 0; times < 2; times++) issuer.failNext.push({ path: '/introspect', answer })
    const verdict = await api(bearer('opaque'))
    expect(verdict).toMatchObject({ reason: 'unavailable', status: 503, headers: { 'retry-after': '1' } })
    expect(JSON.stringify(verdict)).not.toContain('the-secret-of-the-api')
    issuer.failNext.splice(0)
    expect(await reasonOf('opaque')).toBe('valid')
  })

  test.each([
    ['for another API', { aud: 'https://other.example.com' }, 'wrong_audience'],
    ['without an audience', { aud: undefined }, 'wrong_audience'],
    ['of another issuer', { iss: 'https://evil.example.com' }, 'unknown_issuer'],
    ['that is a refresh token', { token_type: 'refresh_token' }, 'wrong_type'],
    ['that has expired despite being active', { exp: 1 }, 'expired'],
    ['that is bound to a key', { cnf: { jkt: 'x' } }, 'proof_missing'],
  ])('does not make a token valid %s', async (_what, change, reason) => {
    const { issuer, reasonOf } = withIntrospection()
    active(issuer, change)
    expect(await reasonOf('opaque')).toBe(reason)
  })

  test('accepts a response without audience if the app says that the issuer checks it', async () => {
    const { issuer, reasonOf } = withIntrospection({ acceptWithoutAudience: true })
    active(issuer, { aud: undefined })
    expect(await reasonOf('opaque')).toBe('valid')
    active(issuer, { aud: 'https://other.example.com' })
    issuer.clock.advance(31_000)
    expect(await reasonOf('opaque')).toBe('wrong_audience')
  })

  test('binds opaque tokens to keys and checks their proofs', async () => {
    const { issuer, api } = withIntrospection()
    const key = testKey('device', 'ES256')
    active(issuer, { cnf: { jkt: thumbprint(key.jwk) } })
    const present = (presented: string) => api(requestWith({ authorization: 'DPoP opaque', dpop: presented }))
    const good = proof('opaque', key, issuer.now())
    expect(await present(good)).toMatchObject({ valid: true, binding: 'dpop' })
    expect(await present(good)).toMatchObject({ reason: 'proof_replayed' })
    const other = testKey('other', 'ES256')
    expect(await present(proof('opaque', other, issuer.now()))).toMatchObject({ reason: 'wrong_binding' })
  })

  test('also checks JWTs, so that a revoked one is rejected despite its valid signature', async () => {
    const { issuer, reasonOf } = withIntrospection()
    const token = issuer.accessToken()
    expect(await reasonOf(token)).toBe('inactive')
    issuer.tokens.set(token, { active: true, ...issuer.claims() })
    issuer.clock.advance(6000)
    expect(await reasonOf(token)).toBe('valid')
  })

  test("is not used for another issuer's JWT", async () => {
    const { issuer, reasonOf, asked } = withIntrospection()
    expect(await reasonOf(issuer.accessToken({ iss: 'https://evil.example.com' }))).toBe('unknown_issuer')
    expect(asked('/introspect')).toBe(0)
  })

  test('of the second issuer runs if the first does not know the token', async () => {
    const clock = handClock()
    const [one, two] = [
      createTestIssuer({ clock }),
      createTestIssuer({ clock, issuer: 'https://two.example.com' }),
    ]
    two.tokens.set('opaque', { active: true, ...two.claims() })
    const fetch = handledFetch([...one.handlers, ...two.handlers])
    const trusted = [trust(), { ...trust(), issuer: two.issuer }]
    const api = createProtect({ issuer: trusted, resource: API }, { fetch, clock })
    expect(await api(bearer('opaque'))).toMatchObject({ valid: true, issuer: two.issuer })
    // if one issuer cannot be reached, the token may still be valid
    for (let times = 0; times < 2; times++) one.failNext.push({ path: '/introspect', answer: down })
    expect(await api(bearer('unknown'))).toMatchObject({ reason: 'unavailable' })
  })
})

describe('tokens that deviate from RFC 9068', () => {
  const entra = { client_id: undefined, jti: undefined, azp: 'app', scp: 'notes:read', scope: undefined }

  test('are accepted if the app allows it, with scopes in another claim', async () => {
    const { issuer, api } = world({ acceptAnyJwt: true })
    const token = issuer.accessToken(entra, { typ: 'JWT' })
    expect(await api(bearer(token))).toMatchObject({
      valid: true,
      scope: ['notes:read'],
      clientId: undefined,
    })
    const untyped = issuer.accessToken({ ...entra, scp: ['notes:read', 'x'] }, { typ: undefined })
    expect(await api(bearer(untyped))).toMatchObject({ scope: ['notes:read', 'x'] })
  })

  test.each([
    ['an ID Token with at_hash', { at_hash: 'x' }, { typ: 'JWT' }],
    ['an ID Token with a nonce', { nonce: 'x' }, { typ: 'JWT' }],
    ["Keycloak's ID Token", { typ: 'ID' }, { typ: 'JWT' }],
    ["Keycloak's refresh token", { typ: 'Refresh' }, { typ: 'JWT' }],
    ["Cognito's ID Token", { token_use: 'id' }, { typ: undefined }],
    ['a logout token', {}, { typ: 'logout+jwt' }],
    ['a DPoP proof', {}, { typ: 'dpop+jwt' }],
    ['a typ that is a number', {}, { typ: 7 }],
  ])('are never accepted if they are %s', async (_what, claims, header) => {
    const { issuer, reasonOf } = world({ acceptAnyJwt: true })
    expect(await reasonOf(issuer.accessToken(claims, header))).toBe('wrong_type')
  })

  test('include Firebase ID Tokens as bearer tokens, with keys at a fixed address', async () => {
    const issuer = createTestIssuer({ issuer: 'https://securetoken.google.com/my-project' })
    const jwksUri = `${issuer.issuer}/jwks`
    const trusted = { issuer: issuer.issuer, jwksUri }
    const api = createProtect({ issuer: trusted, audience: 'my-project', acceptAnyJwt: true }, issuer)
    const own = {
      aud: 'my-project',
      client_id: undefined,
      jti: undefined,
      scope: undefined,
      user_id: 'alice',
    }
    const token = issuer.accessToken(own, { typ: 'JWT' })
    expect(await api(bearer(token))).toMatchObject({ valid: true, subject: 'alice', scope: [] })
    expect(issuer.requests).toEqual(['/jwks'])
    const [, body = ''] = token.split('.')
    // because the emulator signs nothing
    const unsigned = `${base64url('{"alg":"none","typ":"JWT"}')}.${body}.`
    expect(await api(bearer(unsigned))).toMatchObject({ reason: 'not_a_token' })
  })

  test('have their audience in client_id if the app allows it', async () => {
    const { issuer, reasonOf } = world({ acceptAnyJwt: true, audience: 'app', audienceClaim: 'client_id' })
    expect(
      await reasonOf(issuer.accessToken({ aud: undefined, token_use: 'access' }, { typ: undefined })),
    ).toBe('valid')
    expect(await reasonOf(issuer.accessToken({ client_id: 'other' }, { typ: undefined }))).toBe(
      'wrong_audience',
    )
  })
})
