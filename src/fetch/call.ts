import { LatchkeyError } from '../errors.ts'

/** The first argument of `fetch`. */
export type Input = Parameters<typeof globalThis.fetch>[0]
export type Init = Parameters<typeof globalThis.fetch>[1]
/** The arguments of `fetch`. */
export type Arguments = [input: Input, init?: Init]

type Members = Record<PropertyKey, unknown>

/** The first argument of a call. */
export interface Target {
  /** A Request of this platform, or the address as a text. */
  readonly input: Input
  readonly address: string
  /** A Request of another library, which brings its own `fetch`. */
  readonly foreign?: Request | undefined
}

/** A snapshot of one call of `fetch`: nothing that the caller does later changes it. */
export interface Call {
  readonly input: Input
  /** Its options, each of them read once. */
  readonly init: Members
  /** Its headers, from the options or the Request: Headers or a list of pairs, unless they are malformed. */
  readonly headers: unknown
  /** Whether the caller set an option that fetch knows: then it resets a Request's referrer (Fetch standard section 5.4). */
  readonly counts: boolean
  /** Whether the Request has a body and is therefore a copy that only latchkey has. */
  readonly owned?: boolean
  /** A clone of that Request, for the requests after the first. */
  clone?: Request
}

/** Reads a member of a call: from its options, else from its Request. */
export const memberOf = <Name extends keyof Request>({ input, init }: Call, name: Name) =>
  (init[name] === undefined ? (input as Partial<Request>)[name] : init[name]) as Request[Name] | undefined

/** The options that every runtime knows. Most know more. */
const MEMBERS = 'body duplex headers keepalive method mode redirect signal'.split(' ')

/** The names of the options that this platform reads, in its order. */
function readNames(): ReadonlySet<string> {
  const names = new Set<string>()
  new Request('data:,', new Proxy({}, { get: (_, name) => void names.add(String(name)) }))
  for (const name of MEMBERS) names.add(name)
  return names
}

export const isObject = (value: unknown): value is object => typeof value === 'object' && value !== null

/** The result of `read`, or `undefined` if it throws, such as a getter that is called on another type. */
export function tried<T>(read: () => T): T | undefined {
  try {
    return read()
  } catch {
    return undefined
  }
}

/** Turns latchkey's own failures into `undefined`. Other errors, such as the caller's abort, pass through. */
export const orNone = <T>(work: Promise<T>): Promise<T | undefined> =>
  work.catch(error => {
    if (error instanceof LatchkeyError) return undefined
    throw error
  })

/**
 * Reads a member with the getter of the platform. It works on objects of other realms too, and throws for objects that only
 * look alike. A library may have replaced the global class by a subclass, which inherits the getter.
 */
export const memberBy = (prototype: object, name: string, object: object): unknown =>
  Reflect.get(prototype, name, object)

const isForeign = (input: object): input is Request =>
  'headers' in input && 'url' in input && typeof (input as Request).clone === 'function'

/** Reads the first argument only once, because its properties may return something else the next time. */
export function readTarget(given: Input): Target {
  if (!isObject(given)) return { input: given, address: String(given) }
  const isUrl = given instanceof URL
  const url = isUrl ? undefined : tried(() => memberBy(Request.prototype, 'url', given) as string)
  if (url !== undefined) return { input: given, address: url }
  const foreign = isForeign(given) ? given : undefined
  const address = `${foreign?.url ?? (given as URL)}`
  return { input: address, address, foreign }
}

/**
 * Copies headers: to Headers, which keeps their order, or to a list of pairs. Malformed headers stay malformed, so that
 * fetch reports them.
 */
function readHeaders(headers: unknown): unknown {
  if (!isObject(headers)) return headers
  if (headers instanceof Headers) return new Headers(headers)
  const pairs = Symbol.iterator in headers ? [...(headers as Iterable<unknown>)] : Object.entries(headers)
  return pairs.map(pair => (isObject(pair) ? Array.from(pair as Iterable<unknown>, part => `${part}`) : pair))
}

/** Reads the options of a call. */
export interface CallReader {
  /** @returns `undefined` for options that are not an object. */
  read(target: Target, options: Init): Call | undefined
  /** The same call. A Request with a body is copied, which marks its body as used, as fetch does. */
  own(call: Call): Call
}

export function createCallReader(): CallReader {
  let names: ReadonlySet<string> | undefined

  /** Copies the options that fetch knows. @returns whether there was one. */
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
        // pass runtime-specific options on unchanged
        for (const name of Reflect.ownKeys(source)) {
          if (!names?.has(name as string)) init[name] = source[name]
        }
      }
      const own = () => readHeaders((input as Partial<Request>).headers)
      return { input, init, headers: 'headers' in init ? init.headers : own(), counts }
    },

    own(call) {
      const { input, init } = call
      // not every browser reveals whether a Request has a body
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

/** Whether latchkey may add its header: the caller set no `Authorization`, and fetch accepts and sends the headers. */
export function isOpen(call: Call): boolean {
  const { headers = [] } = call
  // with `no-cors`, fetch removes such headers
  if (memberOf(call, 'mode') === 'no-cors' || !isObject(headers)) return false
  return [...(headers as Pairs)].every(pair => nameOf(pair) !== 'authorization')
}

/** The access token as a header (RFC 6750 section 2.1). */
export const bearer = (accessToken: string): Readonly<Record<string, string>> => ({
  authorization: `Bearer ${accessToken}`,
})

/** The arguments of fetch for a call with more headers. They replace headers of the same name. */
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
    // fetch resets these as soon as there are options
    const { referrer, referrerPolicy } = input as Request
    if (referrer !== 'about:client') members.referrer = referrer
    if (referrerPolicy) members.referrerPolicy = referrerPolicy
  }
  return [input, members]
}
