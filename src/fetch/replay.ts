import { type Init, type Input, isRequest } from './attach.ts'

/** Sends the same call again, if that can be done. */
export interface Replay {
  /** What to hand to fetch the first time. */
  readonly first: Input
  /** What to hand to fetch the second time; `undefined` when the body can be sent only once. */
  readonly second: Input | undefined
}

/** Bodies that fetch reads without using them up. */
const isRepeatable = (body: unknown): boolean =>
  body === undefined ||
  body === null ||
  typeof body === 'string' ||
  body instanceof URLSearchParams ||
  body instanceof FormData ||
  body instanceof Blob ||
  body instanceof ArrayBuffer ||
  ArrayBuffer.isView(body)

/** Keeps what is needed for a second send. A stream is never buffered: it goes out once. */
export function keepForReplay(input: Input, init: Init): Replay {
  if (!isRepeatable(init?.body)) return { first: input, second: undefined }
  // a body in `init` takes the place of the Request's
  const used = isRequest(input) && input.body && !init?.body
  return { first: input, second: used ? input.clone() : input }
}
