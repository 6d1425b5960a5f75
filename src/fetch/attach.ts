/** What `fetch` takes as its first argument. */
export type Input = Parameters<typeof globalThis.fetch>[0]
export type Init = Parameters<typeof globalThis.fetch>[1]
/** What `fetch` is called with. */
export type Call = readonly [input: Input, init?: Init]

type HeaderSource = NonNullable<Init>['headers']

/** Requests of another realm or a polyfill count too. */
export const isRequest = (input: unknown): input is Request =>
  typeof input === 'object' &&
  input !== null &&
  'headers' in input &&
  typeof (input as Request).clone === 'function'

const isIterable = (headers: object): headers is Iterable<readonly [string, string]> =>
  typeof (headers as { [Symbol.iterator]?: unknown })[Symbol.iterator] === 'function'

/** Where the headers of this call come from: those in `init` replace a Request's own. */
const headersOf = ([input, init]: Call): HeaderSource =>
  init?.headers ?? (isRequest(input) ? input.headers : undefined)

/** The same headers in the same shape, which nobody else can change or use up. */
function copyHeaders(headers: HeaderSource, ...more: [string, string][]): NonNullable<HeaderSource> {
  if (!headers) return Object.fromEntries(more)
  if (headers instanceof Headers) {
    const copy = new Headers(headers)
    for (const [name, value] of more) copy.set(name, value)
    return copy
  }
  if (isIterable(headers)) return [...Array.from(headers, pair => [...pair] as [string, string]), ...more]
  return { ...headers, ...Object.fromEntries(more) }
}

/** What a copy of an object with getters or a prototype of its own would miss. */
const MEMBERS =
  'method body mode credentials cache redirect referrer referrerPolicy integrity keepalive signal duplex priority window dispatcher'.split(
    ' ',
  )

const isPlain = (init: object): boolean => {
  const prototype: unknown = Object.getPrototypeOf(init)
  return prototype === Object.prototype || prototype === null
}

/**
 * The same call as `fetch` reads it now: what the caller changes from here on does not matter. Bodies stay the caller's.
 * @returns `undefined` for what fetch itself refuses: it has its own words for that.
 */
export function settle(input: Input, init: Init): Call | undefined {
  if (init === undefined || init === null) return [input]
  if (typeof init !== 'object' || init.headers === null) return undefined
  // a Request in the second place: its members are getters, which a copy would miss
  if (isRequest(init)) return [new Request(input, init)]
  const members: NonNullable<Init> = { ...init }
  if (!isPlain(init)) {
    for (const name of MEMBERS) {
      const value = (init as Record<string, unknown>)[name]
      if (value !== undefined) (members as Record<string, unknown>)[name] = value
    }
  }
  if (init.headers !== undefined) members.headers = copyHeaders(init.headers)
  return [input, members]
}

/** Whether the caller has set `Authorization` itself: then latchkey leaves the call alone. */
export function hasAuthorization(call: Call): boolean {
  const headers = headersOf(call)
  if (!headers) return false
  if (headers instanceof Headers) return headers.has('authorization')
  const entries: Iterable<readonly unknown[]> = isIterable(headers) ? headers : Object.entries(headers)
  for (const [name] of entries) if (String(name).toLowerCase() === 'authorization') return true
  return false
}

/** The access token as a header (RFC 6750 section 2.1). */
export const bearer = (accessToken: string): Readonly<Record<string, string>> => ({
  authorization: `Bearer ${accessToken}`,
})

/**
 * The same call plus these headers, in the caller's own shape; nothing is mutated. A Request goes as a Request: `fetch`
 * would forget its referrer over an `init` (Fetch standard, section 5.4).
 */
export function withHeaders(
  call: Call,
  headers: Readonly<Record<string, string>>,
  redirect?: RequestRedirect,
): Call {
  const [input, init] = call
  const more = Object.entries(headers)
  if (input instanceof Request && !(init && Object.keys(init).length)) {
    const request = new Request(input, redirect && { redirect })
    for (const [name, value] of more) request.headers.set(name, value)
    return [request]
  }
  const members = { ...init, headers: copyHeaders(headersOf(call), ...more) }
  return [input, redirect ? { ...members, redirect } : members]
}
