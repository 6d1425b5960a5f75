import fc from 'fast-check'
import { LatchkeyError } from '../../src/errors.ts'

const encoder = new TextEncoder()

/** Unexpected values in place of others. */
export const odd: fc.Arbitrary<unknown> = fc.oneof(
  fc.constantFrom<unknown>(
    null,
    true,
    '',
    ' ',
    0,
    -1,
    1e308,
    2 ** 53,
    '1e999',
    [],
    {},
    [[]],
    [null],
    '__proto__',
    'constructor',
    '\ud800',
    '\udfff\u0000\r\nx: y',
    '<img src=x onerror=alert(1)>',
    'x'.repeat(20_000),
    { toString: 1, valueOf: null, toJSON: {} },
  ),
  fc.jsonValue(),
  fc.string({ unit: 'binary' }),
)

const splice = (text: string, at: number, what: string, gone: number) => {
  const from = at % (text.length + 1)
  return text.slice(0, from) + what + text.slice(from + gone)
}

/** A text with an insertion, a deletion, or a cut. */
export const mutatedText = (text: string): fc.Arbitrary<string> =>
  fc
    .tuple(
      fc.nat(),
      fc.oneof(fc.string({ unit: 'binary' }), fc.constantFrom('"', '\\', '%', ',', '=', '')),
      fc.nat(8),
    )
    .map(([at, what, gone]) => splice(text, at, what, gone))

const withMember = (valid: object, name: string, value: unknown): string =>
  JSON.stringify(
    Object.fromEntries([...Object.entries(valid).filter(([old]) => old !== name), [name, value]]),
  )
const nested = (depth: number, open: string, close: string) => open.repeat(depth) + close.repeat(depth)

/** Malformed variants of a valid JSON document: other types, repeated members, depth, huge numbers, cut, random. */
export const mutatedJson = (valid: object): fc.Arbitrary<string> => {
  const text = JSON.stringify(valid)
  const names = fc.constantFrom(
    ...Object.keys(valid),
    '__proto__',
    'constructor',
    'toString',
    'error',
    'then',
  )
  const first = (member: string) => text.replace('{', () => `{${member},`)
  return fc.oneof(
    { weight: 6, arbitrary: fc.tuple(names, odd).map(([name, value]) => withMember(valid, name, value)) },
    fc.tuple(names, odd).map(([name, value]) => first(`${JSON.stringify(name)}:${JSON.stringify(value)}`)),
    names.map(name => first(`"${name}":{"polluted":true,"__proto__":{"polluted":true}}`)),
    fc
      .tuple(fc.constantFrom(31, 33, 1000, 100_000), fc.boolean())
      .map(([depth, list]) => first(`"deep":${list ? nested(depth, '[', ']') : '{"a":'.repeat(depth)}`)),
    fc
      .tuple(names, fc.constantFrom(39, 40, 400))
      .map(([name, digits]) => first(`"${name}":1${'0'.repeat(digits)}`)),
    fc.constantFrom(
      `\ufeff${text}`,
      `[${text}]`,
      `${text}${text}`,
      '',
      'null',
      '"',
      '{',
      '{}',
      `${text}\u0000`,
    ),
    { weight: 4, arbitrary: mutatedText(text) },
    fc.string({ unit: 'binary' }),
  )
}

/** Such documents as bytes, and bytes that are not text. */
export const hostileBytes = (valid: object): fc.Arbitrary<Uint8Array<ArrayBuffer>> =>
  fc.oneof(
    { weight: 6, arbitrary: mutatedJson(valid).map(text => encoder.encode(text)) },
    fc.uint8Array({ maxLength: 200 }).map(bytes => new Uint8Array(bytes)),
    fc.tuple(fc.nat(), fc.nat(255)).map(([at, byte]) => {
      const bytes = encoder.encode(JSON.stringify(valid))
      bytes[at % bytes.length] = byte
      return bytes
    }),
  )

const clean = [Object.prototype, Array.prototype, Function.prototype].map(prototype => ({
  prototype,
  names: Reflect.ownKeys(prototype).length,
  parent: Object.getPrototypeOf(prototype),
}))

/** Checks that the prototypes of objects are unchanged. */
export function assertUnpolluted(): void {
  for (const { prototype, names, parent } of clean) {
    if (Reflect.ownKeys(prototype).length !== names || Object.getPrototypeOf(prototype) !== parent)
      throw new Error('A prototype was polluted.')
  }
  if ('polluted' in {}) throw new Error('A prototype was polluted.')
}

/** @throws Error if latchkey does not fail this way. */
export function assertOwnError(error: unknown): void {
  if (!(error instanceof LatchkeyError))
    throw new Error('Something else than a LatchkeyError.', { cause: error })
}

/** The result, or `undefined` for a LatchkeyError. Any other error fails the property. */
export async function outcome<T>(run: () => T | Promise<T>): Promise<T | undefined> {
  try {
    return await run()
  } catch (error) {
    assertOwnError(error)
    return undefined
  } finally {
    assertUnpolluted()
  }
}

/** A property that must hold for any input. */
export interface Target {
  readonly name: string
  /** Runs once in this number of runs, because creating a whole client is slower than calling a function. */
  readonly oneOf: number
  readonly property: () => fc.IAsyncProperty<[unknown]> | fc.IAsyncProperty<[unknown, unknown]>
}

export const runsOf = ({ oneOf }: Target, runs: number): number => Math.max(1, Math.ceil(runs / oneOf))

/** @throws Error if the property does not hold. */
export function holds(what: boolean, message: string): void {
  if (!what) throw new Error(message)
}
