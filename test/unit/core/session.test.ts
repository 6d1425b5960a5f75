import { expect, test } from 'vitest'
import { addFailure } from '../../../src/core/back-off.ts'
import type { SessionRecord } from '../../../src/core/session.ts'
import { toSession as snapshotOf } from '../../../src/core/session-state.ts'
import { NetworkError } from '../../../src/errors.ts'

const toSession = (record: SessionRecord) => snapshotOf({ status: 'signed-in', record })
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

test('an app sees the claims, scope and expiry of its session', () => {
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

test('trouble is shown with its error while it lasts [F2.2]', () => {
  const trouble = addFailure(undefined, new NetworkError('No answer.', 'timeout'), false, 7, 0)
  const session = toSession({ ...record, trouble })
  expect(session).toMatchObject({ trouble: { since: 7, error: { code: 'ERR_NETWORK', reason: 'timeout' } } })
  expect(toSession(record)).not.toHaveProperty('trouble')
})

test('no record means signed out, with the reason if there is one', () => {
  expect(snapshotOf({ status: 'signed-out' })).toEqual({ status: 'signed-out' })
  expect(snapshotOf({ status: 'signed-out', reason: 'expired' })).toEqual({
    status: 'signed-out',
    reason: 'expired',
  })
  expect(snapshotOf({ status: 'signing-out', isOwn: true })).toEqual({ status: 'signing-out' })
})
