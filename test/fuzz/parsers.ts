import fc from 'fast-check'
import { AuthorizationResponseError } from 'oauth4webapi'
import { createAcceptDeviation, retryAfterMs, toLatchkeyError } from '../../src/authorization/failure.ts'
import { decodeJwtPart } from '../../src/authorization/id-token.ts'
import {
  parseJson,
  readMembers,
  readRefreshToken,
  readTokenAnswer,
} from '../../src/authorization/token-response.ts'
import { createTransactions } from '../../src/authorization/transaction.ts'
import { matchesRedirectUri, parseCallback } from '../../src/core/callback.ts'
import { judgeAnswer } from '../../src/core/challenge.ts'
import { isMembers } from '../../src/core/members.ts'
import { QUIRKS } from '../../src/core/quirks.ts'
import { sessionOf } from '../../src/core/session.ts'
import { CallbackError } from '../../src/errors.ts'
import { parseStored } from '../../src/session/record.ts'
import { memoryKeyValue } from '../../src/storage/memory.ts'
import { handClock } from '../support/clock.ts'
import { holds, hostileBytes, mutatedJson, mutatedText, odd, outcome, type Target } from './hostile.ts'

const NOW = 1_800_000_000_000
const bends = fc.boolean().map(all => createAcceptDeviation(new Set(all ? QUIRKS : []), () => {}))
const tokenAnswer = {
  access_token: 'access',
  token_type: 'Bearer',
  expires_in: 300,
  refresh_token: 'refresh',
  scope: 'openid read',
  id_token: 'eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhbGljZSJ9.c2ln',
}
const answers = fc
  .tuple(
    hostileBytes(tokenAnswer),
    fc.constantFrom(200, 201, 400, 401, 500),
    fc.constantFrom(
      'application/json',
      'application/json; charset=utf-16',
      'text/html',
      'application/x+json',
      '',
    ),
  )
  .map(
    ([body, status, type]) => new Response(body, { status, headers: type ? { 'content-type': type } : {} }),
  )

const record = {
  schema: 1,
  sessionId: 'session',
  version: 3,
  tokens: { accessToken: 'a', scope: 'read', expiresAt: NOW, refreshToken: 'r', claims: { sub: 'alice' } },
  resources: { 'https://api.example.com': { accessToken: 'b', scope: '' } },
  pending: { tokenHash: 'hash', sentAt: NOW },
}
const transaction = {
  schema: 1,
  state: 'lk.test.abc.def',
  codeVerifier: 'verifier',
  redirectUri: 'https://app.example.com/callback',
  scope: 'openid',
  createdAt: NOW,
}
const tryParse = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}
/** Values that a store may return: a changed record, one with a changed part, or anything else. */
const stored = (valid: Record<string, unknown>) =>
  fc.oneof(
    mutatedJson(valid).map(tryParse),
    fc
      .tuple(
        fc.constantFrom(...Object.keys(valid).filter(name => isMembers(valid[name])), ''),
        odd,
        fc.string(),
      )
      .chain(([part, value, name]) =>
        part
          ? mutatedJson(valid[part] as object).map(text => ({ ...valid, [part]: tryParse(text) }))
          : fc.constant({ ...valid, [name]: value }),
      ),
    fc.anything({ withBigInt: true, withDate: true, withNullPrototype: true, withSparseArray: true }),
  )

const header = (...valid: string[]) =>
  fc.oneof(...valid.map(mutatedText), fc.string({ unit: 'binary' }), fc.string({ unit: 'grapheme-ascii' }))
const challenges = header(
  'Bearer realm="a, b", error="invalid_token", scope="x y"',
  'DPoP algs="ES256", Bearer error="insufficient_scope", max_age="5", Negotiate abc==',
)

export const parsers: readonly Target[] = [
  {
    name: 'a JSON response has one interpretation, or is rejected',
    oneOf: 1,
    property: () =>
      fc.asyncProperty(mutatedJson(tokenAnswer), async text => {
        const value = await outcome(() => {
          try {
            return parseJson(text)
          } catch (error) {
            if (error instanceof SyntaxError) return undefined
            throw error
          }
        })
        if (value !== undefined)
          holds(JSON.stringify(value) === JSON.stringify(JSON.parse(text)), 'Read as something else.')
      }),
  },
  {
    name: 'a response has only own members, or none',
    oneOf: 1,
    property: () =>
      fc.asyncProperty(answers, bends, async (answer, acceptDeviation) => {
        const members = await outcome(() => readMembers(answer, acceptDeviation))
        holds(members === undefined || isMembers(members), 'Members that are none.')
        if (members)
          holds(Object.getPrototypeOf(members) === Object.prototype, 'A prototype that came with the answer.')
      }),
  },
  {
    name: 'a token response is accepted only with an access token that a header can carry',
    oneOf: 1,
    property: () =>
      fc.asyncProperty(
        fc.tuple(answers, fc.boolean()),
        bends,
        async ([answer, isLenient], acceptDeviation) => {
          const read = await outcome(() =>
            readTokenAnswer(answer, acceptDeviation, isLenient ? () => {} : undefined),
          )
          if (!read?.ok || !read.headers.get('content-type')?.includes('json')) return
          const { access_token, expires_in } = (await read.json()) as Record<string, unknown>
          if (typeof access_token === 'string') new Headers({ authorization: `Bearer ${access_token}` })
          holds(
            access_token === undefined || expires_in === undefined || Number(expires_in) >= 0,
            'No lifetime.',
          )
        },
      ),
  },
  {
    name: 'the refresh token of a rejected response is the one in it, or none',
    oneOf: 1,
    property: () =>
      fc.asyncProperty(mutatedJson(tokenAnswer), async text => {
        const read = await outcome(() => readRefreshToken(text) ?? 'none')
        holds(read !== undefined, 'Threw.')
        if (typeof read !== 'object') return
        holds(read.refresh_token === JSON.parse(text).refresh_token, 'Another one.')
        holds(/^[ -~]+$/.test(read.refresh_token), 'Not one that can be sent.')
      }),
  },
  {
    name: 'any challenge is parsed',
    oneOf: 1,
    property: () =>
      fc.asyncProperty(challenges, fc.constantFrom(200, 401, 403), async (text, status) => {
        const verdict = await outcome(() => judgeAnswer(status, text))
        holds(verdict !== undefined, 'No verdict.')
        if (verdict?.do === 'step-up')
          new URL(`https://id.example.com/?${new URLSearchParams({ scope: verdict.stepUp.scope ?? '' })}`)
      }),
  },
  {
    name: 'a callback URL is parsed, or belongs to another client',
    oneOf: 1,
    property: () =>
      fc.asyncProperty(
        header(`${transaction.redirectUri}?code=abc&state=lk.test.abc.def&iss=https%3A%2F%2Fid.example.com`),
        header(transaction.redirectUri),
        async (address, redirectUri) => {
          const found = await outcome(() => parseCallback(address) ?? 'none')
          holds(found !== undefined, 'No answer.')
          if (typeof found === 'object') {
            holds(found.state.startsWith('lk.'), 'Not of ours.')
            await outcome(() => matchesRedirectUri(found.url, redirectUri))
          }
        },
      ),
  },
  {
    name: 'the text from a callback is shortened, printable and without markup',
    oneOf: 1,
    property: () =>
      fc.asyncProperty(header('access_denied'), header('<b>no</b>'), async (error, description) => {
        const parameters = new URLSearchParams({
          error,
          error_description: description,
        })
        const told = toLatchkeyError(
          new AuthorizationResponseError('refused', { cause: parameters }),
          'The sign-in',
          NOW,
        )
        holds(told instanceof CallbackError, 'Not of a callback.')
        for (const text of [told.message, (told as CallbackError).error])
          holds(/^[^<>\n\r\0]{0,300}$/.test(text ?? ''), `Shown: ${text}`)
      }),
  },
  {
    name: 'a stored record is complete or ignored',
    oneOf: 1,
    property: () =>
      fc.asyncProperty(stored(record), async value => {
        const read = await outcome(() => sessionOf(parseStored(value)) ?? 'none')
        holds(read !== undefined, 'Threw.')
        if (typeof read !== 'object') return
        holds(read.schema === 1 && Number.isSafeInteger(read.version), 'Not a record.')
        holds(
          typeof read.tokens.accessToken === 'string' && read.tokens.accessToken !== '',
          'No access token.',
        )
        for (const token of Object.values(read.resources ?? {}))
          holds(typeof token.accessToken === 'string', 'Damaged.')
      }),
  },
  {
    name: 'a stored transaction is found or ignored',
    oneOf: 1,
    property: () =>
      fc.asyncProperty(stored(transaction), async value => {
        const place = memoryKeyValue()
        const transactions = createTransactions(place, 't ', handClock({ startAt: NOW }))
        await place.update('t lk.test.abc.def', () => value)
        const read = await outcome(async () => (await transactions.find('lk.test.abc.def')) ?? 'none')
        holds(read !== undefined, 'Threw.')
        const all = await outcome(() => transactions.all())
        holds(all?.length === (typeof read === 'object' ? 1 : 0), 'Found in one way only.')
        await outcome(() => transactions.save({ ...transaction, schema: 1, state: 'other' } as never))
        holds((await transactions.find('other')) !== undefined, 'Stood in the way of another.')
      }),
  },
  {
    name: 'Retry-After causes a wait of at most an hour, or none',
    oneOf: 1,
    property: () =>
      fc.asyncProperty(
        header(
          '120',
          'Sun, 06 Nov 1994 08:49:37 GMT',
          'Sunday, 06-Nov-94 08:49:37 GMT',
          'Sun Nov  6 08:49:37 1994',
        ),
        header('Sun, 06 Nov 1994 08:49:37 GMT'),
        async (value, date) => {
          const bytes = (text: string) => text.replace(/[^\t -~\u0080-\u00ff]/g, '')
          const headers = { 'retry-after': bytes(value), date: bytes(date) }
          const wait = await outcome(() => retryAfterMs(new Response(null, { headers }), NOW) ?? 0)
          holds(wait !== undefined && wait >= 0 && wait <= 3_600_000, `Waits ${wait} ms.`)
        },
      ),
  },
  {
    name: 'any JWT can be inspected',
    oneOf: 1,
    property: () =>
      fc.asyncProperty(header(tokenAnswer.id_token), mutatedJson({ sub: 'alice' }), async (jwt, claims) => {
        const bytes = Buffer.from(claims).toString('base64url')
        for (const text of [jwt, `${bytes}.${bytes}.`])
          holds(typeof (await outcome(() => decodeJwtPart(text, 1))) === 'object', 'No members.')
      }),
  },
]
