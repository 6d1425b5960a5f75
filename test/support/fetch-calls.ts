import type { Arbitrary } from 'fast-check'
import fc from 'fast-check'

/** The kinds of calls to generate. */
export interface CallKinds {
  /** Whether this runtime can send a stream to a server of HTTP/1.1. */
  streams: boolean
  /** Whether there is a base URL for relative URLs. */
  relative: boolean
  /** Which objects of other JavaScript realms can be created: only buffers or, with frames, forms and the like too. */
  realm: 'buffers' | 'all'
  /** Whether to generate calls that fetch refuses or that can be sent only once. */
  anything: boolean
}

export type HeadersSpec = {
  shape: 'object' | 'null-prototype' | 'Headers' | 'list' | 'Map' | 'iterator'
  fields: [string, string][]
}

export type BodySpec =
  | { kind: 'text'; text: string }
  | { kind: 'params'; pairs: [string, string][] }
  | { kind: 'form'; parts: [string, string | { bytes: Uint8Array; type: string; name?: string }][] }
  | { kind: 'blob'; bytes: Uint8Array; type?: string }
  | {
      kind: 'view'
      bytes: Uint8Array
      as: 'ArrayBuffer' | 'Uint8Array' | 'Uint16Array' | 'DataView'
      /** From another realm; transferred before the call; shared memory; resizable memory. */
      odd?: 'elsewhere' | 'detached' | 'shared' | 'resizable'
    }
  /** Created in another realm. */
  | { kind: 'foreign'; as: 'params' | 'form' | 'blob'; text: string }
  | { kind: 'stream'; chunks: Uint8Array[] }
  | { kind: 'null' }

/** The members of `init`. Those that tests examine have names here. */
export interface InitSpec {
  /** `logged`: records which members are read. */
  shape?: 'plain' | 'null-prototype' | 'getters' | 'inherited' | 'logged'
  headers?: HeadersSpec | { shape: 'malformed'; value: unknown }
  body?: BodySpec
  signal?: 'quiet' | 'aborted' | 'aborted with a reason' | 'aborted at once' | 'null'
  others?: Record<string, unknown>
}

export interface CallSpec {
  /** The last part of the URL. */
  readonly suffix: string
  readonly input:
    | 'text'
    | 'URL'
    /** An object that converts to a URL, such as a link in a page. */
    | 'object'
    | 'relative'
    | 'relative to the folder'
    | { request: InitSpec; elsewhere?: boolean }
    | { bad: string }
    /** No arguments at all. */
    | 'none'
  readonly init?: InitSpec | null
  /** Whether to pass the same arguments twice. */
  readonly twice?: boolean
}

const bytes = fc.uint8Array({ maxLength: 64 })
const text = fc.oneof(fc.string({ maxLength: 20 }), fc.string({ unit: 'grapheme', maxLength: 20 }))
const fieldName = fc.oneof(
  fc.constantFrom(
    'x-mine',
    'X-Mine',
    'X-MINE',
    'Accept',
    'accept-language',
    'Content-Type',
    'X-Empty',
    'range',
  ),
  fc.constantFrom('if-none-match', 'x-1', "x!#$%&'*+.^_`|~", 'DPoP', 'Cookie2', 'WWW-Authenticate', 'Accept'),
  fc.stringMatching(/^[xX]-[a-zA-Z]{1,8}$/),
)
const fieldValue = fc.oneof(
  fc.constantFrom(
    '',
    'yes',
    ' padded\t',
    'a, b',
    'text/plain;charset=utf-8',
    'b\tc',
    'gr\u00fc\u00df',
    '"quoted"',
  ),
  fc.stringMatching(/^[!-~]{1,30}$/),
)
const headers: Arbitrary<HeadersSpec> = fc.record({
  shape: fc.constantFrom('object', 'null-prototype', 'Headers', 'list', 'list', 'Map', 'iterator'),
  fields: fc.array(fc.tuple(fieldName, fieldValue), { maxLength: 4 }),
})
const malformed = fc.constantFrom<unknown[]>(
  null as unknown as unknown[],
  { 'x-mine': 'a\nb' },
  { 'x mine': 'a' },
  { '': 'a' },
  { 'x-mine': '\u20ac' },
  [['x-mine']],
  [['x-mine', 'a', 'b']],
  [[]],
  ['x-mine'],
  [null],
  'x-mine: a',
  7,
)

const bodyOf = ({ streams, realm, anything }: CallKinds): Arbitrary<BodySpec> => {
  const part = fc.record(
    { bytes, type: fc.constantFrom('', 'image/png'), name: text },
    { requiredKeys: ['bytes', 'type'] },
  )
  const type = fc.constantFrom('', 'text/plain', 'application/json')
  const views = fc.constantFrom('ArrayBuffer', 'Uint8Array', 'Uint16Array', 'DataView')
  return fc.oneof(
    fc.record({ kind: fc.constant('text'), text }),
    fc.record({ kind: fc.constant('params'), pairs: fc.array(fc.tuple(text, text), { maxLength: 3 }) }),
    fc.record({
      kind: fc.constant('form'),
      parts: fc.array(fc.tuple(text, fc.oneof(text, part)), { maxLength: 3 }),
    }),
    fc.record({ kind: fc.constant('blob'), bytes, type }, { requiredKeys: ['kind', 'bytes'] }),
    fc.record({ kind: fc.constant('view'), bytes, as: views }),
    fc.record({ kind: fc.constant('view'), bytes, as: views, odd: fc.constant('elsewhere') }),
    ...(anything
      ? [
          fc.record({
            kind: fc.constant('view'),
            bytes,
            as: views,
            // a page has shared memory only if it is cross-origin isolated
            odd: fc.constantFrom('detached', 'resizable', realm === 'all' ? 'resizable' : 'shared'),
          }),
        ]
      : []),
    ...(realm === 'all'
      ? [fc.record({ kind: fc.constant('foreign'), as: fc.constantFrom('params', 'form', 'blob'), text })]
      : []),
    fc.constant({ kind: 'null' }),
    ...(streams
      ? [fc.record({ kind: fc.constant('stream'), chunks: fc.array(bytes, { maxLength: 3 }) })]
      : []),
  ) as Arbitrary<BodySpec>
}

const oneOf = (...values: unknown[]) => fc.constantFrom(...values)
const QUIET = ['GET', 'get', 'Head', 'HEAD', 'OPTIONS', 'delete', 'PROPFIND']
const LOUD = ['POST', 'post', 'PUT', 'put', 'PATCH', 'patch', 'DELETE', 'REPORT', 'x-Custom', 'QUERYING']
const POLICIES = ['', 'no-referrer', 'origin', 'unsafe-url', 'same-origin', 'strict-origin-when-cross-origin']

/** Members that any runtime accepts, or ignores because it does not know them. */
const harmless = {
  credentials: oneOf('omit', 'same-origin', 'include'),
  cache: oneOf('default', 'no-store', 'reload', 'no-cache', 'force-cache'),
  redirect: oneOf('follow', 'error', 'manual'),
  referrer: oneOf('', 'about:client', 'HERE/page?secret', 'HERE'),
  referrerPolicy: oneOf(...POLICIES),
  integrity: oneOf(''),
  keepalive: fc.boolean(),
  mode: oneOf('cors'),
  priority: oneOf('high', 'low', 'auto'),
  window: oneOf(null),
  next: oneOf({ revalidate: 60, tags: ['a'] }),
  cf: oneOf({ cacheTtl: 5 }),
  dispatcher: oneOf('COUNTING'),
}

/** Members that at least one runtime refuses, or that make the response fail. */
const questionable = {
  method: oneOf('', 'B AD', 'CONNECT', 'trace', 'GET', 'gr\u00fc\u00df'),
  credentials: oneOf('omit', 'nonsense'),
  cache: oneOf('only-if-cached', 'nonsense'),
  redirect: oneOf('error', 'nonsense'),
  referrer: oneOf('http://[', 'https://elsewhere.example/'),
  referrerPolicy: oneOf('nonsense'),
  integrity: oneOf('sha256-AAAA', 'nothing-known'),
  mode: oneOf('no-cors', 'same-origin', 'navigate', 'nonsense'),
  priority: oneOf('nonsense'),
  window: oneOf('nonsense'),
}

const some = (members: Record<string, Arbitrary<unknown>>) => fc.record(members, { requiredKeys: [] })

function initOf(kinds: CallKinds): Arbitrary<InitSpec> {
  const body = bodyOf(kinds)
  const signal = kinds.anything
    ? oneOf('quiet', 'quiet', 'null', 'aborted', 'aborted with a reason', 'aborted at once')
    : oneOf('quiet')
  const shape = oneOf('plain', 'plain', 'null-prototype', 'getters', 'inherited', 'logged')
  const merge = (members: Record<string, Arbitrary<unknown>>, required: never[], rest = some(harmless)) =>
    fc
      .tuple(fc.record({ shape, signal, headers, ...members }, { requiredKeys: required }), rest)
      .map(([{ method, ...known }, others]: [Record<string, unknown>, Record<string, unknown>]) => ({
        ...known,
        others: method === undefined ? others : { ...others, method },
      }))
  const quiet = merge({ method: oneOf(...QUIET) }, [])
  const loud = merge({ method: oneOf(...LOUD), body }, ['method', 'body'] as never[])
  const odd = merge(
    {
      headers: fc.oneof(
        headers,
        malformed.map(value => ({ shape: 'malformed', value })),
      ),
      body,
      method: oneOf('GET', 'POST'),
    },
    [],
    fc.tuple(some(harmless), some(questionable)).map(([some, more]) => ({ ...some, ...more })),
  )
  const weighed = [
    { arbitrary: quiet, weight: 3 },
    { arbitrary: loud, weight: 5 },
  ]
  if (kinds.anything) weighed.push({ arbitrary: odd, weight: 3 })
  return fc.oneof(...weighed) as Arbitrary<InitSpec>
}

/** Generates random calls of fetch as plain data, so that fast-check can print them and tests can build them repeatedly. */
export function fetchCalls(kinds: CallKinds): Arbitrary<CallSpec> {
  const init = initOf(kinds)
  const requestInit = initOf({ ...kinds, anything: false, streams: kinds.streams && kinds.anything })
  const request =
    kinds.realm === 'all'
      ? fc.record({ request: requestInit, elsewhere: fc.boolean() })
      : fc.record({ request: requestInit })
  const bad = fc
    .constantFrom('http://', 'https://[', 'nonsense:', 'http://user:pass@HOST/x', '/no-base')
    .map(bad => ({ bad }))
  const weighed: { arbitrary: Arbitrary<CallSpec['input']>; weight: number }[] = [
    { arbitrary: fc.constantFrom('text', 'text', 'URL', 'URL', 'object'), weight: 5 },
    { arbitrary: request, weight: 4 },
  ]
  if (kinds.relative)
    weighed.push({ arbitrary: fc.constantFrom('relative', 'relative to the folder'), weight: 2 })
  if (kinds.anything) weighed.push({ arbitrary: fc.oneof(bad, bad, fc.constant('none' as const)), weight: 1 })
  return fc.record(
    {
      suffix: fc.constantFrom('', '?a=b&a=c', '?q=gr\u00fc\u00df%20', '#part', '/../up', '?'),
      input: fc.oneof(...weighed),
      init: fc.oneof({ arbitrary: init, weight: 8 }, { arbitrary: fc.constant(null), weight: 1 }),
      ...(kinds.anything ? { twice: fc.constantFrom(false, false, true) } : {}),
    },
    { requiredKeys: ['suffix', 'input'] },
  )
}
