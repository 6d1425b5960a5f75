import { describe, expect, test } from 'vitest'
import { judgeAnswer, parseChallenges } from '../../../src/core/challenge.ts'
import { ConfigurationError } from '../../../src/errors.ts'
import type { ProtectOptions } from '../../../src/resource-server/options.ts'
import { createProtect, requireScope } from '../../../src/resource-server/protect.ts'
import type { Requirements } from '../../../src/resource-server/verdict.ts'
import { requestWith } from '../../support/resource-server/cases.ts'
import {
  API,
  createTestIssuer,
  ISSUER,
  proof,
  testKey,
  thumbprint,
} from '../../support/resource-server/issuer.ts'

const world = (options: Partial<ProtectOptions> = {}) => {
  const issuer = createTestIssuer()
  const api = createProtect(
    { issuer: ISSUER, audience: API, dpop: 'off', realm: 'notes', ...options },
    issuer,
  )
  const key = testKey('device', 'ES256')
  const bound = issuer.accessToken({ cnf: { jkt: thumbprint(key.jwk) } })
  const challengeOf = async (headers: Record<string, string>, requirements: Requirements = {}) => {
    const verdict = await api(requestWith(headers), requirements)
    if (verdict.valid) throw new Error('valid')
    return verdict.headers['www-authenticate']
  }
  return { issuer, api, key, bound, challengeOf }
}

const bearer = (token: string) => ({ authorization: `Bearer ${token}` })

describe('a challenge', () => {
  test('has no error if no token was sent, and names the required scope', async () => {
    const { challengeOf } = world()
    expect(await challengeOf({})).toBe('Bearer realm="notes"')
    expect(await challengeOf({}, { scope: 'notes:read' })).toBe('Bearer realm="notes", scope="notes:read"')
  })

  test('names the error and, if scopes are missing, all required scopes', async () => {
    const { challengeOf, issuer } = world()
    expect(await challengeOf(bearer('x'))).toBe(
      'Bearer realm="notes", error="invalid_token", error_description="The access token is malformed."',
    )
    expect(await challengeOf(bearer(issuer.accessToken()), { scope: ['notes:read', 'admin'] })).toBe(
      'Bearer realm="notes", error="insufficient_scope", error_description="The access token lacks a scope.", scope="notes:read admin"',
    )
  })

  test('requests another authentication with acr_values and max_age', async () => {
    const { challengeOf, issuer } = world()
    const challenge = await challengeOf(bearer(issuer.accessToken()), {
      acrValues: ['mfa', 'phr'],
      maxAgeSeconds: 300,
    })
    expect(challenge).toContain('error="insufficient_user_authentication"')
    expect(challenge).toContain('acr_values="mfa phr", max_age=300')
    expect(judgeAnswer(401, challenge ?? null)).toEqual({
      do: 'step-up',
      error: 'insufficient_user_authentication',
      stepUp: { acrValues: 'mfa phr', maxAgeSeconds: 300, scope: undefined },
    })
  })

  test("refers to the API's metadata (RFC 9728)", async () => {
    const { challengeOf } = world({ resource: `${API}/v1`, realm: undefined })
    expect(await challengeOf({})).toBe(
      `Bearer resource_metadata="${API}/.well-known/oauth-protected-resource/v1"`,
    )
  })

  test('offers both schemes, with the error in the one that was used', async () => {
    const { challengeOf, bound } = world({ dpop: 'accepted', realm: undefined, algorithms: ['ES256'] })
    expect(await challengeOf({})).toBe('Bearer, DPoP algs="ES256"')
    const parsed = parseChallenges((await challengeOf({ authorization: `DPoP ${bound}` })) ?? null)
    expect(parsed.map(({ scheme, parameters }) => [scheme, parameters.get('error')])).toEqual([
      ['dpop', 'invalid_token'],
      ['bearer', undefined],
    ])
  })

  test('offers only DPoP if that is required', async () => {
    const { challengeOf, issuer } = world({ dpop: 'required', algorithms: ['ES256'] })
    expect(await challengeOf({})).toBe('DPoP realm="notes", algs="ES256"')
    expect(await challengeOf(bearer(issuer.accessToken()))).toMatch(
      /^DPoP realm="notes", error="invalid_token"/,
    )
  })

  test('cannot be broken by quotes in its values', async () => {
    const { challengeOf } = world({ realm: 'a"\r\nx: "b\\' })
    expect(await challengeOf({})).toBe('Bearer realm="ax: b"')
  })
})

test('a rejection can be read by pages and must not be cached', async () => {
  const { api, issuer } = world()
  const verdict = await api(requestWith(bearer(issuer.accessToken())), { scope: 'admin' })
  const answer = verdict.valid ? undefined : verdict.response()
  expect(answer?.status).toBe(403)
  expect(Object.fromEntries(answer?.headers ?? [])).toMatchObject({
    'access-control-expose-headers': 'WWW-Authenticate, DPoP-Nonce',
    'cache-control': 'no-store',
    'content-type': 'application/json',
  })
  expect(await answer?.json()).toEqual({
    error: 'insufficient_scope',
    error_description: 'The access token lacks a scope.',
  })
})

test("requireScope() adds to a route's scopes and to earlier calls of itself", async () => {
  const { api, issuer } = world()
  const writers = requireScope(api, 'notes:write')
  const admins = requireScope(writers, ['admin'])
  const request = () => requestWith(bearer(issuer.accessToken()))
  expect(await writers(request())).toMatchObject({ valid: true })
  const refused = await admins(request(), { scope: 'notes:read' })
  expect(refused).toMatchObject({ reason: 'insufficient_scope' })
  expect(refused.headers['www-authenticate']).toContain('scope="notes:write admin notes:read"')
})

describe('a nonce', () => {
  const present = (token: string, presented: string) =>
    requestWith({ authorization: `DPoP ${token}`, dpop: presented })

  test('is required, then accepted, then expired', async () => {
    const { api, issuer, key, bound } = world({ dpop: 'accepted', dpopNonce: true })
    const first = await api(present(bound, proof(bound, key, issuer.now())))
    expect(first).toMatchObject({ reason: 'nonce_needed', status: 401 })
    const nonce = first.headers['dpop-nonce']
    expect(first.headers['www-authenticate']).toMatch(/^DPoP .*error="use_dpop_nonce"/)
    const second = await api(present(bound, proof(bound, key, issuer.now(), { nonce })))
    expect(second).toMatchObject({ valid: true, headers: { 'dpop-nonce': nonce } })
    issuer.clock.advance(149_000)
    const fresh = () => issuer.accessToken({ cnf: { jkt: thumbprint(key.jwk) } })
    const later = fresh()
    expect(await api(present(later, proof(later, key, issuer.now(), { nonce })))).toMatchObject({
      valid: true,
    })
    issuer.clock.advance(300_000)
    const last = fresh()
    expect(await api(present(last, proof(last, key, issuer.now(), { nonce })))).toMatchObject({
      reason: 'nonce_needed',
    })
  })

  test('from another process is accepted if both have the same secret', async () => {
    const secret = crypto.getRandomValues(new Uint8Array(32))
    const { api, issuer, key, bound } = world({ dpop: 'accepted', dpopNonce: secret })
    const other = createProtect({ issuer: ISSUER, audience: API, dpopNonce: secret }, issuer)
    const { headers } = await other(present(bound, proof(bound, key, issuer.now())))
    const nonce = headers['dpop-nonce']
    expect(await api(present(bound, proof(bound, key, issuer.now(), { nonce })))).toMatchObject({
      valid: true,
    })
  })
})

describe('a reused proof', () => {
  test('is rejected, however many copies arrive at once', async () => {
    const { api, issuer, key, bound } = world({ dpop: 'accepted' })
    const presented = proof(bound, key, issuer.now())
    const request = () => requestWith({ authorization: `DPoP ${bound}`, dpop: presented })
    const verdicts = await Promise.all(Array.from({ length: 20 }, () => api(request())))
    expect(verdicts.filter(({ valid }) => valid)).toHaveLength(1)
  })

  test("does not block the client's next proof, except one that contains the private key", async () => {
    const { api, issuer, key, bound } = world({ dpop: 'accepted' })
    const present = (header = {}) => {
      const presented = proof(bound, key, issuer.now(), {}, header)
      return api(requestWith({ authorization: `DPoP ${bound}`, dpop: presented }))
    }
    expect(await present()).toMatchObject({ valid: true })
    expect(await present({ jwk: { ...key.jwk, d: 'AAAA' } })).toMatchObject({ reason: 'proof_invalid' })
    expect(await present()).toMatchObject({ valid: true })
  })

  test("is remembered in the app's store, and a failing store rejects all proofs", async () => {
    const remembered: string[] = []
    const replayMemory = {
      async remember(id: string) {
        if (remembered.length) throw new Error('the connection is gone')
        remembered.push(id)
        return true
      },
    }
    const { api, issuer, key, bound } = world({ dpop: 'accepted', replayMemory })
    const present = () =>
      api(requestWith({ authorization: `DPoP ${bound}`, dpop: proof(bound, key, issuer.now()) }))
    expect(await present()).toMatchObject({ valid: true })
    expect(await present()).toMatchObject({ valid: false, reason: 'unavailable', status: 503 })
  })
})

test("a proof is for the origin that clients see, whatever the server's internal name", async () => {
  const { api, issuer, key, bound } = world({ dpop: 'accepted', resource: API })
  const headers = { authorization: `DPoP ${bound}`, dpop: proof(bound, key, issuer.now()) }
  expect(await api(new Request('http://10.0.0.7:8080/notes', { headers }))).toMatchObject({ valid: true })
})

describe('the metadata of an API', () => {
  const { api } = world({
    resource: `${API}/v1`,
    scopes: ['notes:read'],
    dpop: 'required',
    algorithms: ['ES256'],
    metadata: { resource_name: 'Notes', resource: 'not this one' },
  })

  test('is served at the location of RFC 9728, to every page', async () => {
    const answer = api.serveMetadata(new Request('http://inside/.well-known/oauth-protected-resource/v1'))
    expect(await answer?.json()).toEqual({
      resource: `${API}/v1`,
      resource_name: 'Notes',
      authorization_servers: [ISSUER],
      bearer_methods_supported: ['header'],
      scopes_supported: ['notes:read'],
      dpop_signing_alg_values_supported: ['ES256'],
      dpop_bound_access_tokens_required: true,
    })
    expect(answer?.headers.get('access-control-allow-origin')).toBe('*')
  })

  test('is served for no other path or method', () => {
    const at = (path: string, method = 'GET') => api.serveMetadata(new Request(API + path, { method }))
    expect(at('/.well-known/oauth-protected-resource')).toBeUndefined()
    expect(at('/v1')).toBeUndefined()
    expect(at('/.well-known/oauth-protected-resource/v1', 'POST')?.status).toBe(405)
    expect(at('/.well-known/oauth-protected-resource/v1', 'OPTIONS')?.status).toBe(204)
  })
})

const FIREBASE = (projectId: string) => `https://securetoken.google.com/${projectId}`
const emulated = (issuer: string, acceptUnsignedTokensOfEmulator: string) => ({
  issuer: { issuer, acceptUnsignedTokensOfEmulator },
})

test.each<[string, Partial<ProtectOptions>, string]>([
  ['no audience and no resource', { audience: undefined as never }, '"audience"'],
  ['no issuer', { issuer: [] }, '"issuer"'],
  ['an issuer over http', { issuer: 'http://id.example.com' }, '"issuer"'],
  ['keys over http', { issuer: { issuer: ISSUER, jwksUri: 'http://id.example.com/jwks' } }, '"jwksUri"'],
  ['a resource with a fragment', { resource: `${API}#x` }, '"resource"'],
  ['an algorithm with a shared secret', { algorithms: ['HS256' as never] }, '"algorithms"'],
  ['no algorithm', { algorithms: [] }, '"algorithms"'],
  ['an unknown DPoP mode', { dpop: 'on' as never }, '"dpop"'],
  ['a nonce secret that is too short', { dpopNonce: new Uint8Array(16) }, '"dpopNonce"'],
  ['a tolerance of an hour', { clockToleranceSeconds: 3600 }, '"clockToleranceSeconds"'],
  [
    'introspection without a client',
    { issuer: { issuer: ISSUER, introspection: { clientId: '' } } },
    'clientId',
  ],
  ['an emulator for a real project', emulated(FIREBASE('shop'), 'http://127.0.0.1:9099'), '"issuer"'],
  ['an emulator for another issuer', emulated(ISSUER, 'http://127.0.0.1:9099'), '"issuer"'],
  ...['https://127.0.0.1:9099', 'http://emulator.example.com', 'http://127.0.0.1:9099/x', 'true'].map(
    (url): [string, Partial<ProtectOptions>, string] => [
      `an emulator at ${url}`,
      emulated(FIREBASE('demo-shop'), url),
      '"acceptUnsignedTokensOfEmulator"',
    ],
  ),
])('protect() rejects %s with an error that names the option', (_what, change, option) => {
  const create = () => world(change)
  expect(create).toThrow(ConfigurationError)
  expect(create).toThrow(option)
})
