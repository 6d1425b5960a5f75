import { type Call, getterOf, type Init, isObject, tried } from './call.ts'

/** From here on a copy is a Blob, which fetch does not copy once more. */
const LARGE_BYTES = 262_144

/** The bytes of a buffer or a view, of any realm; `undefined` for shared memory and whatever else may not be copied. */
function copyBytes(body: object): unknown {
  const view = ArrayBuffer.isView(body) ? body : undefined
  const buffer = (view?.buffer ?? body) as ArrayBuffer & { resizable?: boolean }
  const size = getterOf(ArrayBuffer.prototype, 'byteLength').call(buffer) as number
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

/** A body that nobody else can change, or `undefined` for one that can be read only once. */
function keepBody(body: unknown): unknown {
  if (!isObject(body) || body instanceof Blob) return body
  return (
    tried(() => copyBytes(body)) ??
    tried(() => new URLSearchParams(URLSearchParams.prototype.toString.call(body))) ??
    tried(() => copyForm(body)) ??
    tried(() => getterOf(Blob.prototype, 'size').call(body) !== undefined && body)
  )
}

/**
 * Takes the body from its caller.
 * @returns whether it can be sent again. A stream is never kept: it goes out once. (A Request that was made of a stream
 * cannot be told from others: it is kept like them.)
 */
export function keepBodyOf({ init }: Call): boolean {
  const kept = keepBody(init.body ?? null)
  if (kept !== undefined) init.body = kept
  return kept !== undefined
}

/**
 * For a call that has to wait: fetch would refuse it at once or take its stream at once.
 * @throws TypeError what fetch says.
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

/** What of the call is sent next. The Request itself goes first: its clones lack what only one runtime knows. */
export function takeOne(call: Call): Call {
  if (!call.owned) return call
  if (call.clone) return { ...call, input: call.clone.clone() }
  call.clone = (call.input as Request).clone()
  return call
}

/** Nothing of the call is sent any more: the caller's stream is cancelled, as fetch does it. */
export function cancelBody({ input, init, owned, clone }: Call, reason?: unknown): void {
  // fetch itself holds what it has begun to send
  for (const body of owned ? [clone?.body, (input as Request).body] : [init.body]) {
    ;(body as Partial<ReadableStream> | null | undefined)?.cancel?.(reason).catch(() => {})
  }
}
