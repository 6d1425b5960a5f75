import { expect, test } from 'vitest'
import { type SessionRecord, toSession } from '../../../src/core/session.ts'

const claims = { iss: 'https://id.example.com', sub: 'alice', aud: 'app', exp: 2, iat: 1 }
const record: SessionRecord = {
  schema: 1,
  sessionId: 'lk.test.1',
  version: 3,
  tokens: {
    accessToken: 'secret-access',
    refreshToken: 'secret-refresh',
    idToken: 'secret-id',
    scope: 'read write',
    claims,
    expiresAt: 5000,
  },
}

test('an app sees claims, scope and expiry of its session', () => {
  expect(toSession(record)).toEqual({
    status: 'signed-in',
    claims,
    scope: ['read', 'write'],
    accessTokenExpiresAt: 5000,
  })
})

test('an app sees no token in its session', () => {
  expect(JSON.stringify(toSession(record))).not.toContain('secret')
})

test('a session without scope has an empty list', () => {
  expect(toSession({ ...record, tokens: { accessToken: 'a', scope: '' } })).toMatchObject({ scope: [] })
})

test('a snapshot cannot be changed', () => {
  const session = toSession(record) as { status: string; scope: string[] }
  expect(() => {
    session.status = 'signed-out'
  }).toThrow(TypeError)
  expect(() => session.scope.push('admin')).toThrow(TypeError)
})

test('no record is signed out, with the reason where there is one', () => {
  expect(toSession(undefined)).toEqual({ status: 'signed-out' })
  expect(toSession(undefined, 'expired')).toEqual({ status: 'signed-out', reason: 'expired' })
})
