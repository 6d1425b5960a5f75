import { expect, test } from 'vitest'
import { decide } from '../../../src/core/decide.ts'
import { emptySession } from '../../../src/core/grant.ts'
import type { SessionRecord } from '../../../src/core/session.ts'
import type { TokenSet } from '../../../src/core/token-set.ts'

const now = 1_000_000
const record = (tokens: Partial<TokenSet> = {}, more: Partial<SessionRecord> = {}): SessionRecord => ({
  schema: 1,
  sessionId: 'lk.test.1',
  version: 1,
  tokens: {
    accessToken: 'access-1',
    refreshToken: 'refresh-1',
    scope: 'read',
    expiresAt: now + 100,
    refreshAt: now + 80,
    ...tokens,
  },
  ...more,
})

test('without a session only the user can help', () => {
  expect(decide(undefined, now)).toEqual({ do: 'authorize', reason: 'no_session' })
})

test('a fresh token is used, and no refresh is due', () => {
  expect(decide(record(), now)).toEqual({ do: 'use', accessToken: 'access-1', due: false })
})

test('after refreshAt a token is used while a refresh is due', () => {
  expect(decide(record(), now + 79)).toMatchObject({ do: 'use', due: false })
  expect(decide(record(), now + 80)).toMatchObject({ do: 'use', due: true })
  expect(decide(record(), now + 99)).toMatchObject({ do: 'use', due: true })
})

test('after expiresAt a token is not used', () => {
  expect(decide(record(), now + 100)).toEqual({ do: 'refresh', refreshToken: 'refresh-1' })
})

test('a token that a 401 rejected is not used, whatever the clock says', () => {
  expect(decide(record(), now, 'access-1')).toEqual({ do: 'refresh', refreshToken: 'refresh-1' })
})

test('a 401 for an older token does not cause a refresh', () => {
  expect(decide(record(), now, 'access-0')).toEqual({ do: 'use', accessToken: 'access-1', due: false })
})

test('a token without a known lifetime is used until a 401', () => {
  const unlimited = record({ expiresAt: undefined, refreshAt: undefined })
  expect(decide(unlimited, now + 1e12)).toMatchObject({ do: 'use', due: false })
  expect(decide(unlimited, now, 'access-1')).toMatchObject({ do: 'refresh' })
})

test('without a refresh token no refresh is ever due, and after expiry only the user can help', () => {
  const short = record({ refreshToken: undefined })
  expect(decide(short, now + 90)).toEqual({ do: 'use', accessToken: 'access-1', due: false })
  expect(decide(short, now + 100)).toEqual({ do: 'authorize', reason: 'no_refresh_token' })
  expect(decide(short, now, 'access-1')).toEqual({ do: 'authorize', reason: 'no_refresh_token' })
})

test('a refresh whose response never arrived is due immediately', () => {
  const cut = record({}, { pending: { tokenHash: 'hash', sentAt: now - 1 } })
  expect(decide(cut, now)).toMatchObject({ do: 'use', due: true })
  expect(decide(cut, now + 100)).toMatchObject({ do: 'refresh' })
})

test('a grant without a user runs again when its token expires, and is due before', () => {
  const service = (expiresAt: number) =>
    record({ refreshToken: undefined, expiresAt, refreshAt: expiresAt - 20 }, { grant: 'client_credentials' })
  expect(decide(service(now + 100), now)).toMatchObject({ do: 'use', due: false })
  expect(decide(service(now + 10), now)).toMatchObject({ do: 'use', due: true })
  expect(decide(service(now), now)).toEqual({ do: 'refresh', refreshToken: undefined })
  expect(decide(emptySession('client_credentials', 0, ''), now)).toEqual({
    do: 'refresh',
    refreshToken: undefined,
  })
})
