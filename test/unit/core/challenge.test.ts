import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { judgeAnswer, parseChallenges } from '../../../src/core/challenge.ts'

const read = (header: string | null) =>
  parseChallenges(header).map(({ scheme, parameters }) => [scheme, Object.fromEntries(parameters)])

describe('a WWW-Authenticate header', () => {
  test.each<[string, string | null, unknown]>([
    ['that is absent', null, []],
    ['that is empty', '', []],
    ['with a scheme only', 'Bearer', [['bearer', {}]]],
    [
      'with quoted parameters',
      'Bearer realm="a b", error="invalid_token"',
      [['bearer', { realm: 'a b', error: 'invalid_token' }]],
    ],
    [
      'with unquoted parameters',
      'Bearer error=invalid_token,scope=read',
      [['bearer', { error: 'invalid_token', scope: 'read' }]],
    ],
    ['in capitals', 'BEARER ERROR="invalid_token"', [['bearer', { error: 'invalid_token' }]]],
    [
      'with commas in quotes',
      'Bearer error_description="no, not, Basic realm=x", error="e"',
      [['bearer', { error_description: 'no, not, Basic realm=x', error: 'e' }]],
    ],
    ['with escapes in quotes', 'Bearer realm="a \\"b\\" \\\\ c"', [['bearer', { realm: 'a "b" \\ c' }]]],
    [
      'with whitespace around everything',
      ' \tBearer  realm = "a" ,\t error\t=\t"e" , ',
      [['bearer', { realm: 'a', error: 'e' }]],
    ],
    ['with empty list members', ',,Bearer realm="a",,error="e",', [['bearer', { realm: 'a', error: 'e' }]]],
    ['with an empty value', 'Bearer realm="", error="e"', [['bearer', { realm: '', error: 'e' }]]],
    [
      'with a parameter given twice',
      'Bearer error="first", error="second"',
      [['bearer', { error: 'first' }]],
    ],
    ['with a parameter without a scheme', 'error="invalid_token"', []],
  ])('%s', (_what, header, expected) => {
    expect(read(header)).toEqual(expected)
  })

  test('with several challenges is read completely and in order', () => {
    expect(
      read('Basic realm="x", DPoP algs="ES256 RS256", error="use_dpop_nonce", Bearer, Digest a=b'),
    ).toEqual([
      ['basic', { realm: 'x' }],
      ['dpop', { algs: 'ES256 RS256', error: 'use_dpop_nonce' }],
      ['bearer', {}],
      ['digest', { a: 'b' }],
    ])
  })

  test('with token68 credentials does not affect what follows', () => {
    const challenges = parseChallenges('Negotiate YWJj/+ab==, Bearer error="invalid_token"')
    expect(challenges.map(({ scheme }) => scheme)).toContain('negotiate')
    expect(challenges.find(({ scheme }) => scheme === 'bearer')?.parameters.get('error')).toBe(
      'invalid_token',
    )
  })

  test('with an unterminated quote keeps what came before [WA12]', () => {
    const [challenge] = parseChallenges('Bearer error="invalid_token", error_description="no end')
    expect(challenge?.scheme).toBe('bearer')
    expect(challenge?.parameters.get('error')).toBe('invalid_token')
  })

  test('with names of object members causes no prototype pollution', () => {
    const [challenge] = parseChallenges('Bearer __proto__="x", constructor="y"')
    expect(challenge?.parameters.get('__proto__')).toBe('x')
    expect(({} as { x?: unknown }).x).toBeUndefined()
  })
})

describe('an example from the specifications', () => {
  const INVALID = { error: 'invalid_token' }
  test.each<[string, string, string, unknown]>([
    [
      'several challenges',
      'WA01',
      'Basic realm="simple", Bearer error="invalid_token", scope="a b"',
      [
        ['basic', { realm: 'simple' }],
        ['bearer', { ...INVALID, scope: 'a b' }],
      ],
    ],
    [
      'quotes in quotes',
      'WA02',
      'Newauth realm="apps", type=1, title="Login to \\"apps\\"", Basic realm="simple"',
      [
        ['newauth', { realm: 'apps', type: '1', title: 'Login to "apps"' }],
        ['basic', { realm: 'simple' }],
      ],
    ],
    [
      'a comma in quotes',
      'WA03',
      'Bearer realm="a, b", error="invalid_token"',
      [['bearer', { realm: 'a, b', ...INVALID }]],
    ],
    ['names in any case, values as tokens', 'WA06', 'bEaReR ERROR=invalid_token', [['bearer', INVALID]]],
    [
      'whitespace around =',
      'WA07',
      'Bearer error = "invalid_token" , scope = "x"',
      [['bearer', { ...INVALID, scope: 'x' }]],
    ],
    [
      'empty list members',
      'WA08',
      ',, Bearer realm="x",,, error="invalid_token",',
      [['bearer', { realm: 'x', ...INVALID }]],
    ],
    [
      'an unknown parameter',
      'WA09',
      'Bearer x-foo=1, error="invalid_token"',
      [['bearer', { 'x-foo': '1', ...INVALID }]],
    ],
    [
      'an escaped letter',
      'WA11',
      'Bearer error_description="a\\tb"',
      [['bearer', { error_description: 'atb' }]],
    ],
    [
      'a missing comma',
      'WA17',
      'Bearer error="invalid_token" error_description="x"',
      [['bearer', { ...INVALID, error_description: 'x' }]],
    ],
    [
      'single quotes, which are ordinary characters',
      'WA17',
      "Bearer error='invalid_token'",
      [['bearer', { error: "'invalid_token'" }]],
    ],
  ])('%s [%s]', (_what, _id, header, expected) => {
    expect(read(header)).toEqual(expected)
  })

  test('a challenge with two errors keeps the first and causes no action [WA10]', () => {
    const header = 'Bearer error="invalid_token", error="invalid_request"'
    expect(read(header)).toEqual([['bearer', INVALID]])
    expect(judgeAnswer(401, header)).toEqual({ do: 'pass', error: 'invalid_token' })
  })

  test('token68 credentials stay with their own scheme [WA04]', () => {
    const header = 'Negotiate abcd1234==, Bearer error="invalid_token"'
    expect(parseChallenges(header).map(({ scheme }) => scheme)).toEqual(['negotiate', 'bearer'])
    expect(judgeAnswer(401, header).do).toBe('refresh')
  })

  test('a page that may not read the header treats the 401 as one without a challenge [WA15]', () => {
    expect(judgeAnswer(401, null)).toEqual({ do: 'refresh', error: undefined })
  })
})

describe('an API response', () => {
  test.for<[number, string | null, 'pass' | 'refresh' | 'step-up']>([
    [200, null, 'pass'],
    [200, 'Bearer error="invalid_token"', 'pass'],
    [400, 'Bearer error="invalid_request"', 'pass'],
    [401, null, 'refresh'],
    [401, '', 'refresh'],
    [401, 'Bearer', 'refresh'],
    [401, 'Bearer realm="x"', 'refresh'],
    [401, 'Bearer error="invalid_token"', 'refresh'],
    [401, 'Basic realm="x", Bearer error="invalid_token"', 'refresh'],
    [401, 'Negotiate YWJj==, bEaReR ERROR=invalid_token', 'refresh'],
    [401, 'DPoP error="invalid_token"', 'refresh'],
    [401, 'garbage; "unfinished', 'refresh'],
    [401, '"unfinished', 'refresh'],
    [401, 'error="invalid_token"', 'refresh'],
    [401, 'Basic realm="x"', 'refresh'],
    [401, 'Token realm="x"', 'refresh'],
    [401, 'Basic realm="Bearer", Bearerish, Digest bearer=1', 'refresh'],
    [401, 'Bearer error="invalid_request"', 'refresh'],
    [401, 'Bearer error="token_expired"', 'refresh'],
    [401, 'Bearer error="something new"', 'refresh'],
    [401, 'Bearer error="__proto__"', 'refresh'],
    [401, 'Bearer error="constructor"', 'refresh'],
    [401, 'DPoP error="use_dpop_nonce"', 'pass'],
    [401, 'DPoP algs="ES256", error="use_dpop_nonce", Bearer', 'pass'],
    [401, 'Negotiate', 'pass'],
    [401, 'NTLM TlRMTVNTUAACAAAA', 'pass'],
    [401, 'Negotiate, NTLM, Basic realm="x"', 'pass'],
    [401, 'Negotiate, Bearer', 'refresh'],
    [403, 'Basic realm="x"', 'pass'],
    [400, 'Bearer error="invalid_token"', 'pass'],
    [401, 'Bearer error="insufficient_scope", scope="admin"', 'step-up'],
    [403, 'Bearer error="insufficient_scope", scope="admin"', 'step-up'],
    [401, 'Bearer error="insufficient_user_authentication", acr_values="high"', 'step-up'],
    [403, null, 'pass'],
    [403, 'Bearer', 'pass'],
    [403, 'Bearer error="invalid_token"', 'pass'],
    // malformed: no automatic action (RFC 6750 section 3)
    [401, 'Bearer error="invalid_token", error="insufficient_scope"', 'pass'],
    [401, 'Bearer realm="a", realm="b", error="invalid_token"', 'pass'],
    [403, 'Bearer error="insufficient_scope", scope="a", scope="b"', 'pass'],
  ])('%i with %j causes: %s [F3.11, RQ12, RQ16]', ([status, header, expected]) => {
    expect(judgeAnswer(status, header).do).toBe(expected)
  })

  test('that requires another sign-in says which (RFC 6750 section 3, RFC 9470 section 3)', () => {
    const header =
      'Bearer error="insufficient_user_authentication", acr_values="a b", max_age="60", scope="x y"'
    expect(judgeAnswer(401, header)).toEqual({
      do: 'step-up',
      error: 'insufficient_user_authentication',
      stepUp: { acrValues: 'a b', maxAgeSeconds: 60, scope: 'x y' },
    })
  })

  test.for(
    [
      `acr_values="${'a'.repeat(10_000)}"`,
      'acr_values="a\u00e9"',
      'acr_values="a\r\nb"',
      'max_age="soon"',
      'max_age="-1"',
      'max_age="1e3"',
      'max_age="99999999999999"',
      'scope="a\\"b"',
      'scope=" a"',
      'scope="a\u0000b"',
    ].map(text => [text]),
  )('requests nothing for %j', ([parameter]) => {
    const verdict = judgeAnswer(401, `Bearer error="insufficient_user_authentication", ${parameter}`)
    expect(verdict).toEqual({
      do: 'step-up',
      error: 'insufficient_user_authentication',
      stepUp: { acrValues: undefined, maxAgeSeconds: undefined, scope: undefined },
    })
  })
})

describe('values from the request are not repeated [F6.1]', () => {
  const accessToken = 'eyJhbGciOiJub25lIn0.eyJzdWIiOiJhbGljZSJ9.c2lnbmF0dXJl+/=='
  const sent = [`Bearer ${accessToken}`, 'a-secret-of-the-caller']
  const parts: [string, string][] = [
    ['the whole value', accessToken],
    ['its end', accessToken.slice(-20)],
    ['a part inside other text', `no ${accessToken.slice(5, 25)} here`],
    ['it as in a URL', encodeURIComponent(accessToken)],
    ['the value in capitals', accessToken.toUpperCase()],
    ['a header of the caller', 'a-secret-of-the-caller'],
  ]
  test.each(parts)('in an error if it is an access token or a header: %s', (_what, text) => {
    expect(judgeAnswer(401, `Bearer error="${text}"`, sent)).toEqual({ do: 'refresh', error: undefined })
  })

  test.each(parts)('in a step-up: %s', (_what, text) => {
    const scope = text.replaceAll(' ', '_')
    const header = `Bearer error="insufficient_scope", scope="read ${scope}", acr_values="${scope}"`
    expect(judgeAnswer(403, header, sent)).toEqual({
      do: 'step-up',
      error: 'insufficient_scope',
      stepUp: { scope: undefined, acrValues: undefined, maxAgeSeconds: undefined },
    })
  })

  test('in part, but common words may be', () => {
    const header = 'Bearer error="insufficient_scope", scope="read write https://api.example.com/notes.read"'
    expect(judgeAnswer(403, header, ['Bearer short', 'read', 'application/json'])).toMatchObject({
      stepUp: { scope: 'read write https://api.example.com/notes.read' },
    })
  })

  test('and an error is truncated, and omitted if it is invalid', () => {
    expect(judgeAnswer(401, `Bearer error="${'long '.repeat(100)}"`).error).toHaveLength(64)
    expect(judgeAnswer(401, 'Bearer error="a\u0001b"')).toEqual({ do: 'refresh', error: undefined })
  })
})

const hostile = fc.array(
  fc.constantFrom(
    'Bearer',
    ' ',
    ',',
    '"',
    '\\',
    '=',
    '==',
    'a',
    'realm="',
    '\t',
    '\u0000',
    'é',
    '""',
    'x=y',
    '\\"',
  ),
  { maxLength: 300 },
)

test('no text makes the parser throw or return more challenges than the text has words [WA12]', () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.string({ unit: 'binary' }),
        hostile.map(parts => parts.join('')),
      ),
      header => {
        const challenges = parseChallenges(header)
        expect(challenges.length).toBeLessThanOrEqual(header.length)
        for (const { scheme } of challenges) expect(scheme).toMatch(/^[!-~]+$/)
      },
    ),
  )
})

test('text that follows the grammar is parsed to its meaning', () => {
  const token = fc.stringMatching(/^[a-z][a-z0-9-]{0,8}$/)
  const value = fc.string({ unit: fc.constantFrom('a', ' ', ',', '"', '\\', '='), maxLength: 8 })
  const challenge = fc.tuple(
    token,
    fc.dictionary(token, value, { minKeys: 1, maxKeys: 4, noNullPrototype: true }),
  )
  fc.assert(
    fc.property(fc.array(challenge, { minLength: 1, maxLength: 4 }), challenges => {
      const header = challenges
        .map(([scheme, parameters]) => {
          const pairs = Object.entries(parameters).map(
            ([name, text]) => `${name}="${text.replace(/["\\]/g, '\\$&')}"`,
          )
          return `${scheme} ${pairs.join(', ')}`
        })
        .join(', ')
      expect(read(header)).toEqual(challenges)
    }),
  )
})

test.each([
  ['quotes', '"'],
  ['backslashes in an unterminated quote', 'Bearer a="\\'],
  ['equals signs', '='],
  ['words and commas', 'a,'],
  ['parameters', 'a="b",'],
  ['spaces', ' '],
  ['half-open quotes', 'a="'],
  ['unterminated quotes with escapes', '"\\\\'],
])('64 KB of %s are parsed quickly [WA16]', (_what, unit) => {
  const header = unit.repeat(Math.ceil(65_536 / unit.length))
  expect(parseChallenges(header).length).toBeLessThanOrEqual(header.length)
  const longest = unit.repeat(Math.floor(16_000 / unit.length))
  expect(parseChallenges(longest).length).toBeLessThanOrEqual(longest.length)
})
