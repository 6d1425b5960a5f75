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
  readonly foreign?: Request | undefined
}

/** A call of `fetch` as it was when it was made: nothing that its caller does later changes it. */
export interface Call {
  readonly input: Input
  /** Its options, each of them read once. */
  readonly init: Members
  /** Its headers, from the options or the Request: Headers or a list of pairs, unless they are malformed. */
  readonly headers: unknown
  /** Whether fetch knows one of the options: then it forgets a Request's referrer (Fetch standard, section 5.4). */
  readonly counts: boolean
  /** The Request is a copy that nobody else has, because it has a body. */
  readonly owned?: boolean
  /** A clone of it, for what is sent after it. */
  clone?: Request
}

/** A member of a call: from its options, else from its Request. */
export const memberOf = <Name extends keyof Request>({ input, init }: Call, name: Name) =>
  (init[name] === undefined ? (input as Partial<Request>)[name] : init[name]) as Request[Name] | undefined

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

const isForeign = (input: object): input is Request =>
  'headers' in input && 'url' in input && typeof (input as Request).clone === 'function'

/** Reads the first argument: once, because what it says may change from one time to the next. */
export function readTarget(given: Input): Target {
  if (!isObject(given)) return { input: given, address: String(given) }
  const isUrl = given instanceof URL
  const url = isUrl ? undefined : tried(() => getterOf(Request.prototype, 'url').call(given) as string)
  if (url !== undefined) return { input: given, address: url }
  const foreign = isForeign(given) ? given : undefined
  const address = `${foreign?.url ?? (given as URL)}`
  return { input: address, address, foreign }
}

/**
 * A copy of headers: Headers, which keep their order only so, or a list of pairs. What is malformed stays so: fetch has its
 * own words for it.
 */
function readHeaders(headers: unknown): unknown {
  if (!isObject(headers)) return headers
  if (headers instanceof Headers) return new Headers(headers)
  const pairs = Symbol.iterator in headers ? [...(headers as Iterable<unknown>)] : Object.entries(headers)
  return pairs.map(pair => (isObject(pair) ? Array.from(pair as Iterable<unknown>, part => `${part}`) : pair))
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
      const init: Members = {}
      let counts = false
      if (foreign) readInto(init, foreign as unknown as Members)
      if (options) {
        const source = options as Members
        counts = readInto(init, source)
        // what only one runtime knows reaches it as it is
        for (const name of Reflect.ownKeys(source)) {
          if (!names?.has(name as string)) init[name] = source[name]
        }
      }
      const own = () => readHeaders((input as Partial<Request>).headers)
      return { input, init, headers: 'headers' in init ? init.headers : own(), counts }
    },

    own(call) {
      const { input, init } = call
      // not every browser shows whether a Request has a body
      if (
        !isObject(input) ||
        /^(GET|HEAD)$/.test((input as Request).method) ||
        (init.body ?? null) !== null
      ) {
        return call
      }
      return { ...call, input: new Request(input, init as Init), owned: true }
    },
  }
}

type Pairs = Headers | [name: string, value: string][]

const nameOf = ([name]: readonly unknown[]) => String(name).toLowerCase()

/** Whether its headers are for us to add to: the caller has no `Authorization` of its own there, and fetch takes them. */
export function isOpen(call: Call): boolean {
  const { headers = [] } = call
  // fetch would take any header off
  if (memberOf(call, 'mode') === 'no-cors' || !isObject(headers)) return false
  return [...(headers as Pairs)].every(pair => nameOf(pair) !== 'authorization')
}

/** The access token as a header (RFC 6750 section 2.1). */
export const bearer = (accessToken: string): Readonly<Record<string, string>> => ({
  authorization: `Bearer ${accessToken}`,
})

/** What to call fetch with for a call and these headers, which take the place of those that have the same name. */
export function withHeaders(
  { input, init, headers = [], counts }: Call,
  more: Readonly<Record<string, string>>,
  redirect?: RequestRedirect,
): Arguments {
  const all =
    headers instanceof Headers
      ? new Headers(headers)
      : (headers as [string, string][]).filter(pair => !Object.hasOwn(more, nameOf(pair)))
  for (const [name, value] of Object.entries(more)) {
    if (all instanceof Headers) all.set(name, value)
    else all.push([name, value])
  }
  const members: NonNullable<Init> = { ...init, headers: all }
  if (redirect) members.redirect = redirect
  if (isObject(input) && !counts) {
    // fetch forgets these as soon as there are options
    const { referrer, referrerPolicy } = input as Request
    if (referrer !== 'about:client') members.referrer = referrer
    if (referrerPolicy) members.referrerPolicy = referrerPolicy
  }
  return [input, members]
}
