import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createAcceptDeviation } from '../../../src/authorization/failure.ts'
import {
  parseJson,
  readMembers,
  readRefreshToken,
  readTokenAnswer,
  respell,
  textOf,
} from '../../../src/authorization/token-response.ts'
import { createEventLog } from '../../../src/core/event-log.ts'
import type { Quirk } from '../../../src/core/quirks.ts'
import { handClock } from '../../support/clock.ts'

const bendOf = (...quirks: Quirk[]) => createAcceptDeviation(new Set(quirks), () => {})
const json = (text: string, type = 'application/json', status = 200) =>
  new Response(new TextEncoder().encode(text), { status, headers: { 'content-type': type } })
const tokens = { access_token: 'access', token_type: 'Bearer' }
const read = async (members: object, isLenient = false) =>
  (await readTokenAnswer(json(JSON.stringify(members)), bendOf(), isLenient ? () => {} : undefined)).json()

describe('JSON from a server', () => {
  test('is parsed like JSON.parse does, unless a member is repeated', () => {
    const shallow = fc.json({ maxDepth: 6 })
    fc.assert(
      fc.property(shallow, text => {
        expect(parseJson(text)).toEqual(JSON.parse(text))
      }),
    )
  })

  test.for([
    '{"access_token":"a","access_token":"b"}',
    '{"a":1,"b":{"c":[{"d":1,"d":1}]}}',
    '{"access_token":"a","access\\u005ftoken":"b"}',
    '{"__proto__":1,"__proto__":2}',
    '{"a:b":"\\"","a:b":"{"}',
  ])('with a repeated member is rejected: %s [MX03]', text => {
    expect(() => parseJson(text)).toThrow(/twice/)
  })

  test('may have colons, quotes and brackets in its strings', () => {
    const text = JSON.stringify({ 'a:"{[': '\\":{[', b: ['":', '\\\\'], c: '\u2028\\' })
    expect(parseJson(text)).toEqual(JSON.parse(text))
  })

  test.for<[string, string]>([
    ['100,000 nested arrays', `{"a":${'['.repeat(100_000)}${']'.repeat(100_000)}}`],
    ['100,000 nested objects', `${'{"a":'.repeat(100_000)}1${'}'.repeat(100_000)}`],
    ['half a million arrays that never end', '['.repeat(500_000)],
    ['a number of 400 digits', `{"expires_in":${'9'.repeat(400)}}`],
  ])('with %s is rejected without a crash [MX07]', ([, text]) => {
    expect(() => parseJson(text)).toThrow(/nested|number/)
  })

  test('keeps names such as __proto__ as own members without prototype pollution [MX06]', async () => {
    const text =
      '{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}},"toString":1,"access_token":"a","token_type":"Bearer"}'
    const members = await readMembers(json(text), bendOf())
    expect(Object.keys(members ?? {})).toContain('__proto__')
    const again = await (await readTokenAnswer(json(text), bendOf())).json()
    expect(Object.keys(again)).toEqual(Object.keys(members ?? {}))
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined()
    expect((again as { polluted?: unknown }).polluted).toBeUndefined()
  })

  test('may begin with a byte order mark [MX04]', async () => {
    expect(await readMembers(json('\uFEFF{"a":1}'), bendOf())).toEqual({ a: 1 })
  })

  test.for([
    'application/json',
    'application/json; charset=utf-8',
    'Application/JSON ;x=y',
    'application/jwk-set+json',
  ])('may have the content type %s', async type => {
    expect(await readMembers(json('{"a":1}', type), bendOf())).toEqual({ a: 1 })
  })

  test.for(['text/html', 'text/plain', 'application/jsonx', 'application/xml+jsonp', 'text/json', ''])(
    'with the content type "%s" is rejected, and accepted with the quirk any_content_type [TR30]',
    async type => {
      await expect(readMembers(json('{"a":1}', type), bendOf())).rejects.toMatchObject({
        code: 'ERR_SERVER',
        quirk: 'any_content_type',
        message: expect.stringContaining('"any_content_type"'),
      })
      expect(await readMembers(json('{"a":1}', type), bendOf('any_content_type'))).toEqual({ a: 1 })
    },
  )

  test.for(['text/html', 'text/plain', ''])(
    'in an error with the content type "%s" is not trusted, except with that quirk [TR26]',
    async type => {
      const answer = () => json('{"error":"invalid_grant"}', type, 400)
      expect(await readMembers(answer(), bendOf())).toBeUndefined()
      expect(await readMembers(answer(), bendOf('any_content_type'))).toEqual({ error: 'invalid_grant' })
    },
  )

  test('in an error is not trusted if a member is repeated', async () => {
    const text = '{"error":"invalid_grant","error":"temporarily_unavailable"}'
    expect(await readMembers(json(text, 'application/json', 400), bendOf())).toBeUndefined()
  })

  test.for(['', '[]', '42', 'null', '"a"', '<html>', '<script>{', '{"a":1}x'])(
    'that is %s is not from the server',
    async text => {
      await expect(readMembers(json(text), bendOf())).rejects.toMatchObject({ reason: 'not_the_server' })
    },
  )

  test.for(['{', '{"a":', '{"a":"', '{"a":"b}', '{"a":"b\\', '{"a":{"b":1}', '{"a":[1]', ' {"a":1,'])(
    'that ends too early means a broken connection: %s [F2.1]',
    async text => {
      await expect(readMembers(json(text), bendOf())).rejects.toMatchObject({ reason: 'unreachable' })
      // a body without a JSON content type may be anything
      await expect(readMembers(json(text, 'text/html'), bendOf())).rejects.toMatchObject({
        reason: 'not_the_server',
      })
    },
  )

  test('is parsed completely or rejected with a typed error, whatever the bytes are', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 200 }), fc.json(), fc.nat(), async (bytes, text, at) => {
        const mutated = new TextEncoder().encode(text)
        if (mutated.length) mutated[at % mutated.length] = at % 256
        for (const body of [bytes, mutated]) {
          const answer = new Response(body, { headers: { 'content-type': 'application/json' } })
          const outcome = await readTokenAnswer(answer, bendOf()).catch((error: unknown) => error)
          if (!(outcome instanceof Response)) expect(outcome).toHaveProperty('code')
        }
      }),
    )
  })
})

describe('the lifetime in a token response', () => {
  test.for<[unknown, unknown]>([
    [3600, 3600],
    ['3600', 3600],
    [0, 0],
    [1.5, 1.5],
    [1e308, 1e308],
    [null, undefined],
    [undefined, undefined],
  ])('may be %s [TR12, TR18]', async ([expires_in, understood]) => {
    expect((await read({ ...tokens, expires_in })).expires_in).toBe(understood)
  })

  test.for(['3600abc', [3600], true, {}, '', -1, '-1', '1e3', 'NaN'])(
    'may not be %s: it is rejected at a sign-in and ignored at a refresh [TR14, TR15]',
    async expires_in => {
      await expect(read({ ...tokens, expires_in })).rejects.toMatchObject({
        error: 'invalid_response',
        message: expect.stringContaining('expires_in'),
      })
      expect(await read({ ...tokens, expires_in }, true)).toEqual(tokens)
    },
  )

  test('may not exceed the range of numbers [TR15]', async () => {
    const answer = json('{"access_token":"a","token_type":"Bearer","expires_in":1e999}')
    await expect(readTokenAnswer(answer, bendOf())).rejects.toThrow(/expires_in/)
  })
})

describe('the access token in a token response', () => {
  test.for(['a b', 'a\nb', 'a\r\nX: y', 'ä', '\u0000', 'x'.repeat(65_537)])(
    'that no header can carry is rejected [MX08]',
    async access_token => {
      await expect(read({ ...tokens, access_token })).rejects.toThrow(/no header can carry/)
    },
  )

  test('may have 65,536 allowed characters', async () => {
    const access_token = `-._~+/=${'x'.repeat(65_529)}`
    expect(await read({ ...tokens, access_token })).toMatchObject({ access_token })
  })
})

describe('an error in a response with status 200', () => {
  test('is handled as that error [TR27]', async () => {
    const answer = await readTokenAnswer(json('{"error":"bad_refresh_token"}'), bendOf())
    expect([answer.status, await answer.json()]).toEqual([400, { error: 'bad_refresh_token' }])
  })

  test('with an access token is rejected [TR28]', async () => {
    await expect(read({ ...tokens, error: 'invalid_grant' })).rejects.toThrow(/both/)
  })
})

describe('an error of the token endpoint [F2.1]', () => {
  const error = async (text: string, code = 400, type = 'application/json') => {
    const answer = await readTokenAnswer(json(text, type, code), bendOf())
    return answer.headers.get('content-type') === 'application/json' ? await answer.json() : undefined
  }

  test.for<[string, string | undefined]>([
    ['', undefined],
    ['{}', undefined],
    ['{"error":""}', undefined],
    ['{"error":7}', undefined],
    ['{"error":null,"error_description":"gone"}', 'gone'],
    ['{"error":{"code":190,"message":"Session has expired"}}', 'Session has expired'],
    ['{"message":"Unauthorized"}', 'Unauthorized'],
    ['{"errors":[{"code":"invalid"}]}', undefined],
    ['{"error":"invalid_grant","error":"temporarily_unavailable"}', undefined],
  ])('without an error code counts as a rejection: %s', async ([text, said]) => {
    for (const code of [400, 401])
      expect(await error(text, code)).toEqual({ error: 'refused', error_description: said })
  })

  test('without a JSON content type is a rejection, but its code is not trusted', async () => {
    expect(await error('{"error":"invalid_grant"}', 400, 'text/html')).toEqual({ error: 'refused' })
  })

  test.for<[number, string]>([
    [400, '<html>'],
    [401, '<html>'],
    [400, '[]'],
    [403, ''],
    [403, '{"message":"Forbidden"}'],
    [403, '{"error":"Forbidden"}'],
    [404, '{"error":"Not Found"}'],
    [404, ''],
    [407, ''],
  ])('with status %i and %s is from an intermediary', async ([code, text]) => {
    expect(await error(text, code)).toBeUndefined()
  })

  test.for([403, 404, 422])('may have status %i if it is a valid OAuth error', async code => {
    expect(await error('{"error":"invalid_grant"}', code)).toEqual({ error: 'invalid_grant' })
  })

  test('may have status 200, even if it is an object', async () => {
    const answer = await readTokenAnswer(json('{"error":{"message":"no"}}'), bendOf())
    expect([answer.status, await answer.json()]).toEqual([400, { error: 'refused', error_description: 'no' }])
  })
})

describe('the refresh token in a rejected token response [F1.3]', () => {
  const kept = (text: string) => readRefreshToken(text)?.refresh_token

  test.for([
    '{"refresh_token":"r"}',
    '{"access_token":"a","refresh_token":"r","access_token":"b"}',
    '{"refresh\\u005ftoken":"r","x":1,"x":2}',
    '{"refresh_token":"r","x":"\\"refresh_token\\":"}',
    '{"refresh_token":"r","authed_user":{"refresh_token":"another"}}',
    `{"refresh_token":"r","deep":${'['.repeat(40)}${']'.repeat(40)}}`,
  ])('is used if it is unambiguous: %s', text => {
    expect(kept(text)).toBe('r')
  })

  test.for([
    '{"refresh_token":"r","refresh_token":"s"}',
    '{"refresh_token":"r","refresh\\u005ftoken":"s"}',
    '{"refresh_token":""}',
    '{"refresh_token":7}',
    '{"refresh_token":"\ufffd"}',
    '["refresh_token"]',
    '{"refresh_token":"r"',
    'refresh_token=r',
    '',
  ])('is not used if it is ambiguous: %s', text => {
    expect(kept(text)).toBeUndefined()
  })
})

describe('a token response that violates a rule', () => {
  test('may lack its type only with the quirk missing_token_type [TR08]', async () => {
    const answer = () => json('{"access_token":"a"}')
    await expect(readTokenAnswer(answer(), bendOf())).rejects.toMatchObject({
      quirk: 'missing_token_type',
    })
    const read = await readTokenAnswer(answer(), bendOf('missing_token_type'))
    expect(await read.json()).toEqual({ access_token: 'a', token_type: 'Bearer' })
  })

  test('may have status 201 only with the quirk token_status_201', async () => {
    const answer = () => json(JSON.stringify(tokens), 'application/json', 201)
    await expect(readTokenAnswer(answer(), bendOf())).rejects.toMatchObject({
      quirk: 'token_status_201',
    })
    expect((await readTokenAnswer(answer(), bendOf('token_status_201'))).status).toBe(200)
  })

  test('causes one warning per quirk', async () => {
    const told: string[] = []
    const log = createEventLog(handClock(), 'a tab')
    log.subscribe(event => {
      if (event.type === 'warning') told.push(event.message)
    })
    const acceptDeviation = createAcceptDeviation(
      new Set<Quirk>(['missing_token_type', 'any_content_type']),
      log.warn,
    )
    for (let round = 0; round < 3; round++)
      await readTokenAnswer(json('{"access_token":"a"}', 'text/plain'), acceptDeviation)
    expect(told).toEqual([expect.stringContaining('JSON'), expect.stringContaining('token_type')])
  })
})

describe('a response that an extension rewrites', () => {
  const nested = (members: object) => (members as { user: object }).user as Record<string, unknown>

  test('is the text that it builds from the members', () => {
    expect(respell('{"ok":true,"user":{"access_token":"a"}}', nested)).toBe('{"access_token":"a"}')
  })

  test.each([
    ['has a repeated member', '{"user":{"access_token":"a"},"user":{"access_token":"b"}}'],
    ['is not an object', '["user"]'],
    ['is not JSON', '<html>'],
    ['is empty', ''],
  ])('is unchanged if it %s', (_what, text) => {
    expect(respell(text, nested)).toBe(text)
  })
})

describe('a form-encoded response', () => {
  const form = (text: string, status = 200) =>
    json(text, 'application/x-www-form-urlencoded; charset=utf-8', status)

  test('is read like JSON if the quirk allows it, and a repeated member is rejected [MX03]', async () => {
    const answer = form('access_token=a+b%2F&token_type=bearer&expires_in=60')
    const text = await textOf(answer, bendOf('form_encoded'))
    expect(JSON.parse(text)).toEqual({ access_token: 'a b/', token_type: 'bearer', expires_in: '60' })
    expect(answer.headers.get('content-type')).toBe('application/json')
    const twice = await textOf(form('error=a&error=b'), bendOf('form_encoded'))
    expect(() => parseJson(twice)).toThrow(/twice/)
  })

  test('names the quirk otherwise, but not for an answer of something in between', async () => {
    for (const status of [200, 400, 401])
      await expect(textOf(form('error=invalid_grant', status), bendOf())).rejects.toMatchObject({
        code: 'ERR_SERVER',
        quirk: 'form_encoded',
      })
    for (const [text, status] of [
      ['', 400],
      ['error=busy', 503],
      ['error=blocked', 403],
    ] as const)
      expect(await textOf(form(text, status), bendOf())).toBe(text)
  })
})
