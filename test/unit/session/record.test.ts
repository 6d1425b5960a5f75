import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { emptySession } from '../../../src/core/grant.ts'
import { endedSessionOf, type SessionRecord, sessionOf } from '../../../src/core/session.ts'
import { parseStored } from '../../../src/session/record.ts'

const parseRecord = (stored: unknown) => sessionOf(parseStored(stored))

const claims = { iss: 'https://id.example.com', sub: 'alice', aud: 'app', exp: 2, iat: 1 }
const tokens = {
  accessToken: 'access-1',
  refreshToken: 'refresh-1',
  idToken: 'id-1',
  scope: 'openid read',
  claims,
  expiresAt: 5000,
  refreshAt: 4000,
}
const record: SessionRecord = {
  schema: 1,
  sessionId: 'lk.test.1',
  version: 3,
  tokens,
  pending: { tokenHash: 'hash', sentAt: 1000 },
}

describe('the record of an ended session', () => {
  const ended = {
    schema: 1,
    ended: 'expired',
    sessionId: 'lk.test.1',
    subject: 'alice',
    tried: true,
    epoch: 2,
  }

  test('is read as it was written, also through JSON', () => {
    expect(parseStored(ended)).toEqual(ended)
    expect(parseStored(JSON.parse(JSON.stringify(ended)))).toEqual(ended)
  })

  test('is ignored if its reason is damaged, and keeps its reason if only the rest is', () => {
    for (const reason of [undefined, '', 1, {}])
      expect(parseStored({ ...ended, ended: reason })).toBeUndefined()
    const damaged = { ...ended, subject: 1, tried: 'yes', epoch: 'x', leavingUntil: null }
    expect(endedSessionOf(parseStored(damaged))).toEqual({
      schema: 1,
      ended: 'expired',
      sessionId: 'lk.test.1',
    })
  })
})

describe('a record that this client cannot use', () => {
  test('from a later version is reported, not ignored [F1.6]', () => {
    expect(parseStored({ ...record, schema: 2, epoch: 3 })).toEqual({ unusable: 'newer', epoch: 3 })
  })

  test('that is bound to a key is reported if the client has no dpop() [F1.6]', () => {
    const bound = { ...record, tokenType: 'dpop' as const }
    expect(parseStored(bound)).toEqual({ unusable: 'bound', record: bound, epoch: bound.epoch })
    expect(parseStored(bound, 'dpop')).toEqual(bound)
  })
})

describe('a stored record', () => {
  test('is read as it was written, also through JSON', () => {
    expect(parseRecord(record)).toEqual(record)
    expect(parseRecord(JSON.parse(JSON.stringify(record)))).toEqual(record)
  })

  test('may lack what not every server returns', () => {
    const least = { schema: 1, sessionId: 'x', version: 1, tokens: { accessToken: 'a', scope: '' } }
    expect(parseRecord(least)).toEqual(least)
  })

  test('keeps its session if only the mark is damaged', () => {
    const { pending: _, ...rest } = record
    for (const pending of [null, 'x', {}, { tokenHash: '', sentAt: 1 }, { tokenHash: 'x', sentAt: 'y' }]) {
      expect(parseRecord({ ...record, pending })).toEqual(rest)
    }
  })

  test.each<[string, unknown]>([
    ['absent', undefined],
    ['null', null],
    ['a string', 'record'],
    ['a number', 1],
    ['an array', [record]],
    ['empty', {}],
    ['from a later version', { ...record, schema: 2 }],
    ['from a version that is a string', { ...record, schema: '1' }],
    ['without a session id', { ...record, sessionId: undefined }],
    ['with an empty session id', { ...record, sessionId: '' }],
    ['with a version that is not an integer', { ...record, version: 1.5 }],
    ['with a version that is not a number', { ...record, version: '3' }],
    ['without tokens', { ...record, tokens: undefined }],
    ['with an array as tokens', { ...record, tokens: [] }],
    ['without an access token', { ...record, tokens: { ...tokens, accessToken: undefined } }],
    ['with an empty access token', { ...record, tokens: { ...tokens, accessToken: '' } }],
    ['with an empty refresh token', { ...record, tokens: { ...tokens, refreshToken: '' } }],
    ['with a refresh token that is not a string', { ...record, tokens: { ...tokens, refreshToken: 1 } }],
    ['without a scope', { ...record, tokens: { ...tokens, scope: undefined } }],
    ['with claims without a subject', { ...record, tokens: { ...tokens, claims: {} } }],
    ['with a string as claims', { ...record, tokens: { ...tokens, claims: 'alice' } }],
    ['with a string as its expiry', { ...record, tokens: { ...tokens, expiresAt: 'soon' } }],
    [
      'with an expiry of null, which JSON makes of NaN',
      { ...record, tokens: { ...tokens, expiresAt: null } },
    ],
  ])('that is %s is invalid [ST03]', (_what, stored) => {
    expect(parseRecord(stored)).toBeUndefined()
  })
})

test('any JSON is parsed without throwing, to a complete record or nothing, without prototype pollution [ST03]', () => {
  const odd = fc.constantFrom<unknown>(undefined, null, '', 0, -1, Number.NaN, [], {}, 'text', true)
  const spoiled = fc
    .record(
      {
        schema: fc.oneof(fc.constant(1), odd),
        sessionId: fc.oneof(fc.string(), odd),
        version: fc.oneof(fc.integer(), odd),
        tokens: fc.oneof(
          fc.record(
            {
              accessToken: fc.oneof(fc.string(), odd),
              refreshToken: fc.oneof(fc.string(), odd),
              scope: fc.oneof(fc.string(), odd),
              claims: fc.oneof(fc.record({ sub: fc.oneof(fc.string(), odd) }), odd),
              expiresAt: fc.oneof(fc.double(), odd),
            },
            { requiredKeys: [] },
          ),
          odd,
        ),
        pending: fc.oneof(fc.record({ tokenHash: fc.oneof(fc.string(), odd), sentAt: odd }), odd),
      },
      { requiredKeys: [] },
    )
    .map(stored => ({ ...stored, __proto__: null }))
  fc.assert(
    fc.property(fc.oneof(fc.anything({ withNullPrototype: true }), fc.jsonValue(), spoiled), stored => {
      const read = parseRecord(stored)
      if (read) {
        expect(read.schema).toBe(1)
        expect(Number.isSafeInteger(read.version)).toBe(true)
        expect(read.sessionId).not.toBe('')
        expect(read.tokens.accessToken).not.toBe('')
        expect(parseRecord(read)).toEqual(read)
      }
      expect(Object.keys(Object.prototype)).toEqual([])
    }),
  )
})

test('a record with hostile names causes no prototype pollution [ST03]', () => {
  const hostile = JSON.parse(
    '{"schema":1,"sessionId":"x","version":1,"__proto__":{"polluted":1},' +
      '"tokens":{"accessToken":"a","scope":"","__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}}}}',
  )
  const read = parseRecord(hostile)
  expect((read as { polluted?: number } | undefined)?.polluted).toBeUndefined()
  expect(({} as { polluted?: number }).polluted).toBeUndefined()
})

test('a session of a grant is read as it was written, even before its first token', () => {
  for (const one of [emptySession('client_credentials', 3, 'read'), { ...record, grant: 'urn:example' }])
    expect(parseRecord(JSON.parse(JSON.stringify(one)))).toEqual(one)
  expect(parseRecord({ ...record, tokens: { ...tokens, accessToken: '' } })).toBeUndefined()
})
