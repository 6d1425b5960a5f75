import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type * as failure from '../../src/authorization/failure.ts'
import type * as idToken from '../../src/authorization/id-token.ts'
import type * as scope from '../../src/authorization/renewal.ts'
import type * as options from '../../src/authorization/request-options.ts'
import type * as answer from '../../src/authorization/token-response.ts'
import type * as callback from '../../src/core/callback.ts'
import type * as cleaning from '../../src/core/callback.ts'
import type * as challenge from '../../src/core/challenge.ts'
import type * as records from '../../src/session/record.ts'
import { type Counted, counted } from './cost.ts'

type Parsers = typeof challenge &
  typeof scope &
  typeof answer &
  typeof callback &
  typeof cleaning &
  typeof failure &
  typeof idToken &
  typeof options &
  typeof records & {
    old(text: string): unknown
    nested(text: string): unknown
    slicing(text: string): unknown
  }

let all: Counted<Parsers>
beforeAll(async () => {
  all = await counted<Parsers>(`
    export { judgeAnswer } from './src/core/challenge.ts'
    export { unasked } from './src/authorization/renewal.ts'
    export { parseJson, readMembers, readRefreshToken, readTokenAnswer } from './src/authorization/token-response.ts'
    export { isAt, parseCallback } from './src/core/callback.ts'
    export { cleanSignedOut, cleanUrl } from './src/core/callback.ts'
    export { retryAfterMs, tidy } from './src/authorization/failure.ts'
    export { decodeJwtPart } from './src/authorization/id-token.ts'
    export { parseReturnTo } from './src/authorization/request-options.ts'
    export { parseStored } from './src/session/record.ts'
    export const old = text => text.replace(/"[^"\\\\]*(?:\\\\.[^"\\\\]*)*"/g, '')
    export const nested = text => /^(?:a+)+$/.test(text)
    export const slicing = text => { while (text) text = text.slice(1) }
  `)
})
afterAll(() => all.end())

const acceptDeviation = () => {}
const json = (text: string, status = 200, type = 'application/json') =>
  new Response(new TextEncoder().encode(text), { status, headers: { 'content-type': type } })
const latin = (text: string) => text.replace(/[^\t -~\u0080-\u00ff]/g, '-')
const page = 'https://app.example.com/callback'
const tryUrl = (text: string) => (URL.canParse(text) ? new URL(text) : new URL(page))

/** Every function that reads foreign text. */
const readers: Readonly<Record<string, (parsers: Parsers, text: string) => unknown>> = {
  parseJson: ({ parseJson }, text) => parseJson(text),
  'a token response': ({ readTokenAnswer }, text) => readTokenAnswer(json(text), acceptDeviation),
  'a rejected token response': ({ readTokenAnswer }, text) =>
    readTokenAnswer(json(text, 401), acceptDeviation),
  'metadata or keys': ({ readMembers }, text) => readMembers(json(text), acceptDeviation),
  'a content type': ({ readMembers }, text) => readMembers(json('{}', 200, latin(text)), acceptDeviation),
  'an ambiguous refresh token': ({ readRefreshToken }, text) =>
    readRefreshToken(`{"refresh_token":"r","a":1,"a":${JSON.stringify(text)}}`),
  'a refresh token': ({ readRefreshToken }, text) => readRefreshToken(text),
  'a challenge': ({ judgeAnswer }, text) => judgeAnswer(401, text),
  'a callback': ({ parseCallback, matchesRedirectUri: isAt }, text) => {
    const found = parseCallback(`${page}?state=lk.a&code=b&${text}`)
    return found && isAt(found.url, page)
  },
  'an address to clean': ({ cleanUrl }, text) => cleanUrl(tryUrl(`${page}?${text}#${text}`)),
  'a fragment with tokens': ({ cleanUrl }, text) => cleanUrl(tryUrl(`${page}#access_token=a&${text}`)),
  'an address after a sign-out': ({ cleanSignedOut }, text) =>
    URL.canParse(`${page}?${text}`) && cleanSignedOut(`${page}?state=lk-out.a&${text}`),
  'Retry-After': ({ retryAfterMs }, text) =>
    retryAfterMs(new Response(null, { headers: { 'retry-after': latin(text), date: latin(text) } }), 0),
  'displayed text': ({ tidy }, text) => tidy(text, ['secret']),
  'a scope': ({ unasked }, text) => unasked(text, text.replaceAll('a', 'b')),
  'a JWT': ({ decodeJwtPart }, text) => [
    decodeJwtPart(text, 1),
    decodeJwtPart(`a.${btoa(latin(text))}.a`, 1),
  ],
  returnTo: ({ parseReturnTo }, text) => parseReturnTo(`/${text}`, page),
  'a stored record': ({ parseStored }, text) => {
    const resources = Object.fromEntries(
      [...text].map((sign, at) => [`${at}`, { accessToken: sign, scope: '' }]),
    )
    return parseStored({
      schema: 1,
      sessionId: text,
      version: 1,
      tokens: { accessToken: text, scope: text },
      resources,
    })
  },
}

const LENGTH = 150
const FACTOR = 4
/**
 * A text four times as long takes four times the work, plus a margin for effects that small texts hide. Quadratic work would
 * be sixteenfold.
 */
const MOST = 5.5

type Shape = readonly [before: string, unit: string, after: string]
async function growth(run: (text: string) => unknown, [before, unit, after]: Shape): Promise<number> {
  // whole units, and an even number: the place of the cut decides which quotes are open, and so which code reads the rest
  const times = 2 * Math.ceil(LENGTH / 2 / unit.length)
  const cost = (count: number) => all.count(() => run(before + unit.repeat(count) + after))
  const few = await cost(times)
  return (await cost(times * FACTOR)) / few
}

describe('the step counter', () => {
  test.each([
    ['an unterminated text, read in the old way', 'old', ['', '"\\', '']],
    ['alternatives with backtracking', 'nested', ['', 'a', '']],
    ['a loop that copies the rest', 'slicing', ['', 'a', '']],
  ] as const)('finds what is not linear: %s [F6.3]', async (_what, name, shape) => {
    const isSquare = name !== 'nested'
    const run = (text: string) =>
      all.parsers[name](isSquare ? text : `${text.slice(0, 3 + text.length / 75)}!`)
    expect(await growth(run, shape)).toBeGreaterThan(10)
  })

  test('grows in proportion to the text for linear code [F6.3]', async () => {
    const ratio = await growth(text => all.parsers.parseJson(text), ['"', 'a', '"'])
    expect(ratio).toBeGreaterThan(3)
    expect(ratio).toBeLessThan(MOST)
  })
})

const piece = fc.constantFrom(
  ...[
    '"',
    '\\',
    '{',
    '}',
    '[',
    ']',
    ':',
    ',',
    '=',
    ' ',
    '\t',
    '\n',
    '%',
    '&',
    '#',
    '.',
    '-',
    '+',
    '/',
    '?',
    '!',
  ],
  ...[
    'a',
    '1',
    'ü',
    '\u0000',
    '\ud800',
    '"a":',
    '"a":1,',
    '{"a":',
    'code=',
    'state=',
    'state=lk-out.',
    'Bearer ',
  ],
  ...[
    'error="',
    'DPoP a=b,',
    'access_token=',
    '"refresh_token":"r",',
    'secret',
    '%2',
    '\\"',
    '\\u0022',
    'AAAA',
  ],
)
const text = (most: number) => fc.array(piece, { maxLength: most }).map(pieces => pieces.join(''))
const shape: fc.Arbitrary<Shape> = fc.tuple(
  text(2),
  text(3).map(unit => unit || '"\\'),
  text(2),
)
const known: Shape[] = [
  ['', '"\\', ''],
  ['"', '\\"', ''],
  ['{"a":"', '\\\\', '"}'],
  ['', '{"a":', ''],
  ['', ' ', 'x'],
  ['', '1', '{'],
  ['Bearer ', 'a="', ''],
  ['Bearer ', '=', '"'],
  ['', 'a,', ''],
  ['', '&code', ''],
  ['', '.', ''],
  ['', 'a ', ''],
  ['', 'access_token="a":', '{"a":'],
]

describe('the work grows in proportion to any text for', () => {
  test.each(Object.entries(readers))('%s [F6.3]', { timeout: 120_000 }, async (_name, read) => {
    const run = (text: string) => read(all.parsers, text)
    for (const one of known) expect(await growth(run, one), JSON.stringify(one)).toBeLessThan(MOST)
    await fc.assert(
      fc.asyncProperty(shape, async one => (await growth(run, one)) < MOST),
      { numRuns: 12 },
    )
  })
})
