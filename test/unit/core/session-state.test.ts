import { describe, expect, test } from 'vitest'
import { addFailure } from '../../../src/core/back-off.ts'
import { emptySession } from '../../../src/core/grant.ts'
import type { EndedSession, SessionRecord, Stored } from '../../../src/core/session.ts'
import { isSameState, type SessionState, toSession, transition } from '../../../src/core/session-state.ts'
import { NetworkError } from '../../../src/errors.ts'

const NOW = 1000
const record = (change: Partial<SessionRecord> = {}): SessionRecord => ({
  schema: 1,
  sessionId: 'lk.test.1',
  version: 1,
  tokens: { accessToken: 'a', refreshToken: 'r', scope: 'read', expiresAt: 5000 },
  ...change,
})
const ended = (change: Partial<EndedSession> = {}): EndedSession => ({
  schema: 1,
  ended: 'expired',
  sessionId: 'lk.test.1',
  ...change,
})
const leaving = ended({ ended: 'signed_out', leavingUntil: NOW + 1 })
const unusable = { unusable: 'newer' } as const
const starting: SessionState = { status: 'starting' }
const signedIn: SessionState = { status: 'signed-in', record: record() }
const signedOut: SessionState = { status: 'signed-out', reason: 'expired' }
const signingIn: SessionState = { status: 'signing-in', reason: 'expired' }
const ownSignOut: SessionState = { status: 'signing-out', isOwn: true }
const otherSignOut: SessionState = { status: 'signing-out', isOwn: false }
const states = { starting, signedIn, signedOut, signingIn, otherSignOut }

const read = (state: SessionState, stored: Stored, isOver = false, now = NOW) =>
  transition(state, { type: 'stored', stored, now, isOver })

describe('the stored record determines the session state', () => {
  test.each(Object.entries(states))('from %s: a record means signed in', (_name, state) => {
    expect(read(state, record())).toEqual({ status: 'signed-in', record: record() })
  })

  test.each(Object.entries(states).filter(([name]) => name !== 'signingIn'))(
    'from %s: an ended record gives its reason [F2.3]',
    (_name, state) => {
      expect(read(state, ended())).toEqual({ status: 'signed-out', reason: 'expired' })
    },
  )

  test('a record that only its user can restore means signed out, with the reason', () => {
    const short = record({ tokens: { accessToken: 'a', scope: '', expiresAt: NOW } })
    expect(read(signedIn, short)).toEqual({ status: 'signed-out', reason: 'no_refresh_token' })
  })

  test('a cleared store means signed out; a store that was always empty gives no reason', () => {
    expect(read(signedIn, undefined)).toEqual({ status: 'signed-out', reason: 'signed_out' })
    expect(read(starting, undefined)).toEqual({ status: 'signed-out', reason: undefined })
  })

  test('a record that this client cannot use means no session, and the state says so [F1.6]', () => {
    expect(read(signedIn, unusable)).toEqual({ status: 'signed-out', reason: 'unusable_record' })
  })
})

describe('a sign-out in progress', () => {
  test('in another page is shown until that page has left, but no longer than its time limit', () => {
    expect(read(signedIn, leaving)).toEqual(otherSignOut)
    expect(read(otherSignOut, leaving, false, NOW + 1)).toEqual({
      status: 'signed-out',
      reason: 'signed_out',
    })
    expect(read(otherSignOut, { ...leaving, leavingUntil: undefined })).toMatchObject({
      status: 'signed-out',
    })
  })

  test('in this realm is not ended by any stored record until it completes', () => {
    const begun = transition(signedIn, { type: 'sign-out-began' })
    expect(begun).toEqual(ownSignOut)
    for (const stored of [record(), ended(), leaving, undefined]) expect(read(begun, stored)).toBe(begun)
    expect(read(begun, leaving, true)).toEqual({ status: 'signed-out', reason: 'signed_out' })
    expect(read(begun, record({ sessionId: 'lk.test.2' }), true)).toMatchObject({ status: 'signed-in' })
  })
})

test('a sign-out in another page that exceeds the longest possible duration is over, because a clock was set back', () => {
  expect(read(signedIn, { ...leaving, leavingUntil: NOW + 20_000 })).toMatchObject({ status: 'signing-out' })
  expect(read(signedIn, { ...leaving, leavingUntil: NOW + 3_600_000 })).toEqual({
    status: 'signed-out',
    reason: 'signed_out',
  })
})

describe('a sign-in in progress', () => {
  test('is shown after signed out, and returns to the same reason', () => {
    const begun = transition(signedOut, { type: 'sign-in-began' })
    expect(begun).toEqual(signingIn)
    expect(transition(begun, { type: 'sign-in-ended' })).toEqual(signedOut)
  })

  test("is not ended by the record of the last session's end", () => {
    expect(read(signingIn, ended({ ended: 'signed_out' }))).toEqual({
      status: 'signing-in',
      reason: 'signed_out',
    })
  })

  test.each([starting, signedIn, ownSignOut])('changes nothing for $status', state => {
    expect(transition(state, { type: 'sign-in-began' })).toBe(state)
    expect(transition(state, { type: 'sign-in-ended' })).toBe(state)
  })
})

test('only a visible difference counts as a change', () => {
  const inState = (change: Partial<SessionRecord>): SessionState => ({
    status: 'signed-in',
    record: record(change),
  })
  const trouble = addFailure(undefined, new NetworkError('down', 'unreachable'), false, NOW, 0)
  expect(isSameState(signedIn, inState({ pending: { tokenHash: 'x', sentAt: 1 } }))).toBe(true)
  for (const change of [{ version: 2 }, { sessionId: 'lk.test.2' }, { trouble }]) {
    expect(isSameState(signedIn, inState(change))).toBe(false)
  }
  expect(isSameState(signedOut, { status: 'signed-out', reason: 'signed_out' })).toBe(false)
  expect(isSameState(starting, signedOut)).toBe(false)
})

test('a session of a grant is signed out before its first token, and signed in with one for any API', () => {
  const empty = emptySession('client_credentials', 0, 'read')
  expect(read(starting, empty)).toEqual({ status: 'signed-out' })
  const one = {
    ...empty,
    version: 2,
    resources: { 'https://api.example.com': { accessToken: 'a', scope: '' } },
  }
  expect(read(starting, one)).toEqual({ status: 'signed-in', record: one })
})

test.each([
  ['all of the requested scope', 'read write', 'write read', undefined],
  ['more than the requested scope', 'read', 'read write', undefined],
  ['less than the requested scope', 'read write admin', 'read', ['write', 'admin']],
  ['none of the requested scope', 'read', '', ['read']],
  [
    'some scope, and the record comes from a version that did not store the request',
    undefined,
    'read',
    undefined,
  ],
])('a session that was granted %s reports the missing scope', (_what, requested, scope, missing) => {
  const tokens = { ...record().tokens, scope }
  const session = toSession({
    status: 'signed-in',
    record: record({ tokens, ...(requested && { requested }) }),
  })
  expect('missingScope' in session ? session.missingScope : undefined).toEqual(missing)
})
