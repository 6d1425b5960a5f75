/** What `fetch` takes as its first argument. */
export type Input = Parameters<typeof globalThis.fetch>[0]
export type Init = Parameters<typeof globalThis.fetch>[1]
/** What `fetch` is called with. */
export type Arguments = [input: Input, init?: Init]

type Members = Record<PropertyKey, unknown>

/** The first argument of a call. */
export interface Target {
  /** A Request of this platform, or what it says as a text. */
  readonly input: Input
  readonly address: string
  /** A Request of another library, which brings its own `fetch`. */
  readonly foreign: Request | undefined
}

/** A call of `fetch` as it was when it was made: nothing that its caller does later changes it. */
export interface Call {
  readonly input: Input
  /** Its options, each of them read once. */
  readonly init: Members | undefined
  /** Its headers, from the options or the Request, in the shape in which they were given. */
  readonly headers: unknown
  /** Whether fetch knows one of the options: then it forgets a Request's referrer (Fetch standard, section 5.4). */
  readonly counts: boolean
  /** The Request is a copy that nobody else has, because it has a body. */
  readonly owned?: boolean
  /** Another of that copy, for what is sent after it. */
  spare?: Request
}

/** What any runtime knows. Most know more. */
const MEMBERS = 'body duplex headers keepalive method mode redirect signal'.split(' ')

/** What this platform reads of the options of a call, in its own order. */
function readNames(): ReadonlySet<string> {
  const names = new Set<string>()
  new Request('data:,', new Proxy({}, { get: (_, name) => void names.add(String(name)) }))
  for (const name of MEMBERS) names.add(name)
  return names
}

export const isObject = (value: unknown): value is object => typeof value === 'object' && value !== null

/** What `read` gives, or `undefined` where the platform says that it was called on something else. */
export function tried<T>(read: () => T): T | undefined {
  try {
    return read()
  } catch {
    return undefined
  }
}

/** Works on objects of other realms too, and on nothing that only looks like one. */
export const getterOf = (prototype: object, name: string) =>
  Object.getOwnPropertyDescriptor(prototype, name)?.get as () => unknown

/** Where a Request of this platform goes. */
const urlOf = (input: object): string | undefined =>
  input instanceof Request
    ? input.url
    : input instanceof URL
      ? undefined
      : tried(() => getterOf(Request.prototype, 'url').call(input) as string)

const isForeign = (input: object): input is Request =>
  'headers' in input && 'url' in input && typeof (input as Request).clone === 'function'

/** Reads the first argument: once, because what it says may change from one time to the next. */
export function readTarget(given: Input): Target {
  if (!isObject(given)) return { input: given, address: String(given), foreign: undefined }
  const url = urlOf(given)
  if (url !== undefined) return { input: given, address: url, foreign: undefined }
  const foreign = isForeign(given) ? given : undefined
  const address = `${foreign?.url ?? (given as URL)}`
  return { input: address, address, foreign }
}

const isIterable = (headers: object): headers is Iterable<unknown> =>
  typeof (headers as { [Symbol.iterator]?: unknown })[Symbol.iterator] === 'function'

/** A copy of headers in the same shape. What is malformed stays so: fetch has its own words for it. */
function readHeaders(headers: unknown): unknown {
  if (!isObject(headers)) return headers
  if (headers instanceof Headers) return new Headers(headers)
  if (isIterable(headers)) {
    return Array.from(headers, pair =>
      isObject(pair) ? Array.from(pair as Iterable<unknown>, part => `${part}`) : pair,
    )
  }
  const copy: Members = { ...headers }
  for (const [name, value] of Object.entries(copy)) if (typeof value !== 'string') copy[name] = `${value}`
  return copy
}

/** Reads the rest of a call. */
export interface CallReader {
  /** @returns `undefined` for options that are none. */
  read(target: Target, options: Init): Call | undefined
  /** The same call, for which a Request with a body is used up, as fetch does it. */
  own(call: Call): Call
}

export function createCallReader(): CallReader {
  let names: ReadonlySet<string> | undefined

  /** @returns whether there was anything that fetch knows. */
  const readInto = (members: Members, source: Members): boolean => {
    names ??= readNames()
    let counts = false
    for (const name of names) {
      const value = source[name]
      if (value === undefined) continue
      members[name] = name === 'headers' ? readHeaders(value) : value
      counts = true
    }
    return counts
  }

  return {
    read({ input, foreign }, options) {
      if (options !== undefined && typeof options !== 'object') return undefined
      if (!options && !foreign) return { input, init: undefined, headers: undefined, counts: false }
      const init: Members = {}
      if (foreign) readInto(init, foreign as unknown as Members)
      const source = (options ?? {}) as Members
      const counts = readInto(init, source)
      // what only one runtime knows reaches it as it is
      for (const name of Reflect.ownKeys(source)) {
        if (!names?.has(name as string)) init[name] = source[name]
      }
      return { input, init, headers: init.headers, counts }
    },

    own(call) {
      const { input, init } = call
      if (!isObject(input)) return call
      const request = input as Request
      // not every browser shows whether a Request has a body
      if (/^(GET|HEAD)$/.test(request.method) || (init?.body ?? null) !== null) {
        return { ...call, headers: call.headers ?? readHeaders(request.headers) }
      }
      const copy = new Request(request, init as Init)
      return { ...call, input: copy, headers: readHeaders(copy.headers), owned: true }
    },
  }
}

/** Whether its headers are for us to add to: the caller has no `Authorization` of its own there, and fetch takes them. */
export function isOpen({
  input,
  init,
  headers = isObject(input) ? (input as Request).headers : undefined,
}: Call): boolean {
  // fetch would take any header off
  if ((init?.mode ?? (input as Partial<Request>).mode) === 'no-cors') return false
  if (headers === undefined) return true
  if (!isObject(headers)) return false
  if (headers instanceof Headers) return !headers.has('authorization')
  for (const [name] of isIterable(headers) ? (headers as Iterable<unknown[]>) : Object.entries(headers)) {
    if (String(name).toLowerCase() === 'authorization') return false
  }
  return true
}

/** The access token as a header (RFC 6750 section 2.1). */
export const bearer = (accessToken: string): Readonly<Record<string, string>> => ({
  authorization: `Bearer ${accessToken}`,
})

/** Puts headers in the place of those that have the same name. */
function put(headers: unknown, more: Readonly<Record<string, string>>): NonNullable<Init>['headers'] {
  if (!isObject(headers)) return { ...more }
  if (headers instanceof Headers) for (const [name, value] of Object.entries(more)) headers.set(name, value)
  else if (Array.isArray(headers)) {
    const others = headers.filter(([name]) => !Object.hasOwn(more, String(name).toLowerCase()))
    return [...others, ...Object.entries(more)]
  } else Object.assign(headers, more)
  return headers as HeadersInit
}

/**
 * What to call fetch with for a call and these headers.
 * @param again it went out before: what went out then stays as it was.
 */
export function withHeaders(
  { input, init, headers, counts }: Call,
  more: Readonly<Record<string, string>>,
  again: boolean,
  redirect?: RequestRedirect,
): Arguments {
  const members: NonNullable<Init> = { ...init, headers: put(again ? readHeaders(headers) : headers, more) }
  if (redirect) members.redirect = redirect
  if (isObject(input) && !counts) {
    // fetch forgets these as soon as there are options
    const { referrer, referrerPolicy } = input as Request
    if (referrer !== 'about:client') members.referrer = referrer
    if (referrerPolicy) members.referrerPolicy = referrerPolicy
  }
  return [input, members]
}
