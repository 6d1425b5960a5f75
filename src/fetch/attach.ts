/** What `fetch` takes as its first argument. */
export type Input = Parameters<typeof globalThis.fetch>[0]
export type Init = Parameters<typeof globalThis.fetch>[1]

type HeaderSource = NonNullable<Init>['headers']

/** Where the headers of this call come from: those in `init` replace a Request's own. */
const headersOf = (input: Input, init: Init): HeaderSource =>
  init?.headers ?? (isRequest(input) ? input.headers : undefined)

/** Requests of another realm or a polyfill count too. */
export const isRequest = (input: Input): input is Request =>
  typeof input === 'object' && 'headers' in input && 'url' in input

const isIterable = (headers: object): headers is Iterable<readonly [string, string]> =>
  Symbol.iterator in headers

/** The same call in a form that can be read more than once. Nothing is changed where nothing has to be. */
export function settle(input: Input, init: Init): [Input, Init] {
  // a Request in the second place: its members are getters, which a copy would miss
  if (init && isRequest(init as Input)) return [new Request(input, init), undefined]
  const { headers } = init ?? {}
  const isUsedUpByReading =
    headers && isIterable(headers) && !Array.isArray(headers) && !(headers instanceof Headers)
  return isUsedUpByReading ? [input, { ...init, headers: [...headers] as [string, string][] }] : [input, init]
}

/** Whether the caller has set `Authorization` itself: then latchkey leaves the call alone. */
export function hasAuthorization(input: Input, init: Init): boolean {
  const headers = headersOf(input, init)
  if (!headers) return false
  if (headers instanceof Headers) return headers.has('authorization')
  const entries: Iterable<readonly unknown[]> = isIterable(headers) ? headers : Object.entries(headers)
  for (const [name] of entries) if (String(name).toLowerCase() === 'authorization') return true
  return false
}

/** The same `init` plus the access token (RFC 6750 section 2.1), in the caller's own shape; nothing is mutated. */
export function withToken(input: Input, init: Init, accessToken: string): NonNullable<Init> {
  const headers = headersOf(input, init)
  const authorization = `Bearer ${accessToken}`
  if (!headers) return { ...init, headers: { authorization } }
  if (headers instanceof Headers) {
    const copy = new Headers(headers)
    copy.set('authorization', authorization)
    return { ...init, headers: copy }
  }
  if (isIterable(headers)) {
    const entries = [...headers, ['authorization', authorization]] as [string, string][]
    return { ...init, headers: entries }
  }
  return { ...init, headers: { ...headers, authorization } }
}
