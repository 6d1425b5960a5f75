import { type Call, isRequest } from './attach.ts'

type Body = NonNullable<RequestInit['body']>

/** A body that nobody else can change, or `undefined` for one that can be read only once. */
function keepBody(body: Body): Body | undefined {
  if (typeof body !== 'object' || body instanceof Blob) return body
  if (body instanceof URLSearchParams) return new URLSearchParams(body)
  if (body instanceof ArrayBuffer) return body.slice(0)
  if (ArrayBuffer.isView(body)) {
    return new Uint8Array(body.buffer, body.byteOffset, body.byteLength).slice() as Body
  }
  if (!(body instanceof FormData)) return undefined
  const copy = new FormData()
  for (const [name, value] of body) copy.append(name, value)
  return copy
}

/**
 * The same call for another send. A stream is never kept: it goes out once. (A Request that was made of a stream cannot
 * be told from others: it is kept like them.)
 * @returns `undefined` when the body can be sent only once.
 */
export function keepForReplay([input, init]: Call): Call | undefined {
  // a body in `init` takes the place of the Request's
  if (init?.body === undefined || init.body === null) {
    if (!isRequest(input)) return [input instanceof URL ? input.href : input, init]
    return [input.body ? input.clone() : input, init]
  }
  const body = keepBody(init.body)
  return body === undefined ? undefined : [input, { ...init, body }]
}

/** A kept call, and what is left of it for one more send. */
export const takeOne = (kept: Call): Call => [isRequest(kept[0]) ? kept[0].clone() : kept[0], kept[1]]
