import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { toTokenSet } from '../../../src/authorization/renewal.ts'
import type { TokenResponse, TokenSet } from '../../../src/core/token-set.ts'

const claims = { iss: 'https://id.example.com', sub: 'alice', aud: 'app', exp: 2, iat: 1 }
const context = { receivedAt: 1_000_000, leewaySeconds: 60, scope: 'openid read' }
const previous: TokenSet = {
  accessToken: 'access-1',
  refreshToken: 'refresh-1',
  idToken: 'id-1',
  claims,
  scope: 'openid read',
  expiresAt: 1_000_000,
  refreshAt: 900_000,
}

const granted = (response: Omit<TokenResponse, 'access_token'>) => ({
  response: { access_token: 'access-2', ...response },
  claims: undefined,
})

describe('the tokens after a response', () => {
  test('are those of the response', () => {
    const response = {
      access_token: 'access-2',
      refresh_token: 'refresh-2',
      id_token: 'id-2',
      scope: 'read',
      expires_in: 3600,
    }
    expect(toTokenSet({ response, claims }, context)).toEqual({
      accessToken: 'access-2',
      refreshToken: 'refresh-2',
      idToken: 'id-2',
      claims,
      scope: 'read',
      expiresAt: 1_000_000 + 3_600_000,
      refreshAt: 1_000_000 + 3_540_000,
    })
  })

  test('keep what the response omits, except for the expiry [RF02]', () => {
    expect(toTokenSet(granted({}), { ...context, previous })).toEqual({
      ...previous,
      accessToken: 'access-2',
      expiresAt: undefined,
      refreshAt: undefined,
    })
  })

  test('have the requested scope if the first response names none', () => {
    expect(toTokenSet(granted({}), context).scope).toBe('openid read')
  })

  test('have an empty scope if the server has granted none', () => {
    expect(toTokenSet(granted({ scope: '' }), { ...context, previous }).scope).toBe('')
  })

  test.each([undefined, 0])('are used until a 401 if their lifetime is %s', seconds => {
    const { expiresAt, refreshAt } = toTokenSet(granted({ expires_in: seconds }), context)
    expect([expiresAt, refreshAt]).toEqual([undefined, undefined])
  })
})

test('a refresh is never due before four fifths of the lifetime or after its end, and times can be dates', () => {
  fc.assert(
    fc.property(
      fc.oneof(fc.double({ min: 0, minExcluded: true, noNaN: true }), fc.integer({ min: 1 })),
      fc.oneof(fc.double({ min: 0, noNaN: true, noDefaultInfinity: true }), fc.nat(100_000)),
      fc.nat(4_000_000_000_000),
      (expiresIn, leewaySeconds, receivedAt) => {
        const { expiresAt, refreshAt } = toTokenSet(granted({ expires_in: expiresIn }), {
          ...context,
          receivedAt,
          leewaySeconds,
        }) as { expiresAt: number; refreshAt: number }
        expect(refreshAt).toBeLessThanOrEqual(expiresAt)
        expect(refreshAt - receivedAt).toBeGreaterThanOrEqual((expiresAt - receivedAt) * 0.8 - 1)
        expect(expiresAt - refreshAt).toBeLessThanOrEqual(leewaySeconds * 1000 + 1)
        expect(Number.isNaN(new Date(expiresAt).getTime())).toBe(false)
      },
    ),
  )
})

describe('a refreshed ID Token', () => {
  const first = { ...claims, aud: ['app', 'api'], azp: 'app', nonce: 'n', auth_time: 7 }
  const refreshed = (change: object) =>
    toTokenSet(
      {
        response: { access_token: 'access-2', refresh_token: 'refresh-2', id_token: 'id-2' },
        claims: { ...first, exp: 9, ...change },
      },
      { ...context, previous: { ...previous, claims: first } },
    )

  test.for<[string, object]>([
    ['has the same claims', {}],
    ['has no nonce', { nonce: undefined }],
    ['has one more audience', { aud: ['api', 'app', 'other'] }],
    ['has no auth_time', { auth_time: undefined }],
  ])('that %s replaces the previous one', ([, change]) => {
    expect(refreshed(change)).toMatchObject({
      idToken: 'id-2',
      claims: { exp: 9 },
      refreshToken: 'refresh-2',
    })
  })

  test.for<[string, object]>([
    ['lacks an audience', { aud: 'app' }],
    ['has another azp', { azp: 'other' }],
    ['has another nonce', { nonce: 'm' }],
    ['has another auth_time', { auth_time: 8 }],
  ])('that %s is rejected: the previous one and the session are kept', ([, change]) => {
    expect(refreshed(change)).toMatchObject({
      idToken: 'id-1',
      claims: first,
      accessToken: 'access-2',
      refreshToken: 'refresh-2',
    })
  })

  test('of another user is returned as it is, so that the session can be ended', () => {
    expect(refreshed({ sub: 'bob', nonce: 'm' }).claims?.sub).toBe('bob')
  })
})
