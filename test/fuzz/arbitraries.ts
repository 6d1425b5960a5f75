import fc from 'fast-check'

/** Values that no member is meant to have. */
const odd = fc.oneof(
  fc.constantFrom<unknown>(
    null,
    true,
    0,
    -1,
    1e308,
    '',
    ' ',
    '\u0000',
    '\ud800',
    'a\r\nb',
    'javascript:alert(1)',
    'http://id.example.com',
    '__proto__',
    [],
    {},
    ['x', 'x'],
    { toString: 1 },
    'x'.repeat(20_000),
  ),
  fc.string({ unit: 'binary', maxLength: 40 }),
  fc.jsonValue({ maxDepth: 3 }),
)

/** A member that is set over what there is. */
const change = (names: readonly string[]) =>
  fc.tuple(
    fc.oneof(fc.constantFrom(...names, '__proto__', 'constructor', 'toString', 'error'), fc.string()),
    odd,
  )

/** JSON text that was valid, with some members changed, and sometimes damaged as text. */
export function mutatedJson(valid: Readonly<Record<string, unknown>>): fc.Arbitrary<string> {
  const names = Object.keys(valid)
  const changed = fc.array(change(names), { maxLength: 3 }).map(changes => {
    const members = new Map(Object.entries(valid))
    for (const [name, value] of changes) members.set(name, value)
    // not by an object: a member called __proto__ has to be in the text
    return `{${[...members].map(([name, value]) => `${JSON.stringify(name)}:${JSON.stringify(value ?? null)}`).join(',')}}`
  })
  const damages = fc.constantFrom<(text: string) => string>(
    text => text,
    text => text,
    text => `\ufeff${text}`,
    text => text.slice(0, text.length / 2),
    text => text.replace('{', '{"access_token":"other",'),
    text => text.replace('{', '{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}},'),
    text => `${'['.repeat(5000)}${text}${']'.repeat(5000)}`,
    text => text.replace(/\d+/, '9'.repeat(400)),
    text => `${text}${text}`,
    text => `<html>${text}</html>`,
  )
  return fc.tuple(changed, damages).map(([text, damage]) => damage(text))
}

/** Whatever may come as a body: mutated JSON, or bytes. */
export const body = (valid: Readonly<Record<string, unknown>>): fc.Arbitrary<string | Uint8Array> =>
  fc.oneof(
    { weight: 4, arbitrary: mutatedJson(valid) },
    { weight: 1, arbitrary: fc.string({ unit: 'binary' }) },
    { weight: 1, arbitrary: fc.uint8Array({ maxLength: 300 }) },
  )

/** An answer with such a body: mostly one that says it is JSON. */
export const answer = (valid: Readonly<Record<string, unknown>>): fc.Arbitrary<() => Response> =>
  fc
    .record({
      body: body(valid),
      status: fc.oneof(
        { weight: 4, arbitrary: fc.constant(200) },
        { weight: 1, arbitrary: fc.constantFrom(201, 204, 302, 400, 401, 404, 429, 500, 503) },
      ),
      type: fc.oneof(
        { weight: 4, arbitrary: fc.constant('application/json') },
        {
          weight: 1,
          arbitrary: fc.constantFrom('text/html', 'text/plain', '', 'application/JSON; charset=utf-8'),
        },
      ),
      extra: fc.dictionary(
        fc.constantFrom('www-authenticate', 'retry-after', 'date', 'dpop-nonce', 'location'),
        fc.string({ unit: 'grapheme-ascii', maxLength: 30 }),
      ),
    })
    .map(({ body, status, type, extra }) => () => {
      const isEmpty = [204, 302].includes(status)
      const headers = { ...(type ? { 'content-type': type } : {}), ...extra }
      return new Response(isEmpty ? null : (body as BodyInit), { status, headers })
    })

/** A JWT that was valid, with a part exchanged, cut off or damaged. */
export const mutatedJwt = (valid: string): fc.Arbitrary<string> => {
  const [head = '', claims = '', signature = ''] = valid.split('.')
  const encode = (text: string) => Buffer.from(text).toString('base64url')
  const decoded = (part: string) =>
    JSON.parse(Buffer.from(part, 'base64url').toString()) as Record<string, unknown>
  return fc.oneof(
    fc.string({ unit: 'binary' }),
    mutatedJson(decoded(claims)).map(text => `${head}.${encode(text)}.${signature}`),
    mutatedJson(decoded(head)).map(text => `${encode(text)}.${claims}.${signature}`),
    fc.constantFrom(
      `${head}.${claims}.`,
      `${head}.${claims}`,
      `${encode('{"alg":"none"}')}.${claims}.`,
      `${head}.${claims}.${signature}.${signature}.${signature}`,
      `${head}.${claims}.${signature.split('').reverse().join('')}`,
    ),
  )
}
