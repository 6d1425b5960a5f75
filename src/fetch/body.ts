import { type Call, type Init, isObject, memberBy, tried } from './call.ts'

/** From this size on, the copy is a Blob, because fetch does not copy a Blob again. */
const LARGE_BYTES = 262_144

/** Copies a buffer or view of any realm. `undefined` if it is resizable; throws for anything else, such as shared memory. */
function copyBytes(body: object): unknown {
  const view = ArrayBuffer.isView(body) ? body : undefined
  const buffer = (view?.buffer ?? body) as ArrayBuffer & { resizable?: boolean }
  const size = memberBy(ArrayBuffer.prototype, 'byteLength', buffer) as number
  if (buffer.resizable) return undefined
  const bytes = new Uint8Array(buffer, view?.byteOffset ?? 0, view?.byteLength ?? size)
  if (bytes.length >= LARGE_BYTES) return tried(() => new Blob([bytes])) ?? bytes.slice()
  return view ? bytes.slice() : bytes.slice().buffer
}

function copyForm(body: object): FormData {
  const copy = new FormData()
  FormData.prototype.forEach.call(body as FormData, (value, name) => copy.append(name, value as string))
  return copy
}

/** A copy of the body that nobody else can change. `undefined` for a body that can be read only once. */
function keepBody(body: unknown): unknown {
  if (!isObject(body) || body instanceof Blob) return body
  return (
    tried(() => copyBytes(body)) ??
    tried(() => new URLSearchParams(URLSearchParams.prototype.toString.call(body))) ??
    tried(() => copyForm(body)) ??
    tried(() => memberBy(Blob.prototype, 'size', body) !== undefined && body)
  )
}

/**
 * Keeps a copy of the caller's body if possible.
 * @returns whether the body can be sent again. A stream is never kept, so it is sent only once. (latchkey cannot recognize a
 * Request that was made from a stream, and keeps it like any other.)
 */
export function keepBodyOf({ init }: Call): boolean {
  const kept = keepBody(init.body ?? null)
  // beside a Request with a body, workerd sends nothing for `body: null`
  if (kept !== undefined && kept !== null) init.body = kept
  return kept !== undefined
}

/**
 * Prepares a call that has to wait before it is sent. Like `fetch`, it validates the call immediately and locks its stream.
 * @throws TypeError as `fetch` does.
 */
export function holdBack({ input, init, owned }: Call, isKept: boolean): void {
  if (owned) return
  const body = init.body
  const isReadOnce = !isKept && !ArrayBuffer.isView(body)
  new Request(input, (isReadOnce ? { ...init, body: undefined } : init) as Init)
  if (isReadOnce && 'pipeThrough' in (body as object)) {
    init.body = new Response(body as ReadableStream).body?.pipeThrough(new TransformStream())
  }
}

/** The call to send next. The Request itself is sent first, because its clones lack runtime-specific members. */
export function takeOne(call: Call): Call {
  if (!call.owned) return call
  if (call.clone) return { ...call, input: call.clone.clone() }
  call.clone = (call.input as Request).clone()
  return call
}

/** Cancels the caller's stream when the call is not sent any more, as fetch does. */
export function cancelBody({ input, init, owned, clone }: Call, reason?: unknown): void {
  // a stream that fetch has begun to send is locked, and this does nothing to it
  for (const body of owned ? [clone?.body, (input as Request).body] : [init.body]) {
    ;(body as Partial<ReadableStream> | null | undefined)?.cancel?.(reason).catch(() => {})
  }
}
