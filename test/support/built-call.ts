import type { BodySpec, CallSpec, HeadersSpec, InitSpec } from './fetch-calls.ts'
import { hideBoundary } from './recorded.ts'

type Init = NonNullable<Parameters<typeof fetch>[1]>

/** The arguments of one call. What can be used only once is built anew for each send. */
export interface BuiltCall {
  readonly args: [input: RequestInfo | URL, init?: Init]
  /** What the signal of the call rejects with, where it is the caller's own. */
  readonly reason: Error
  /** How often the dispatcher of the call was asked to send; undici's own option. */
  readonly dispatched: { times: number }
  /** What the arguments look like, all that can be seen of them. */
  look(): unknown
}

export interface Place {
  readonly origin: string
  /** A path of its own, with a slash at the end, below `/p/` where URLs may be relative. */
  readonly path: string
}

function buildHeaders({ shape, fields }: HeadersSpec): HeadersInit {
  const pairs = fields.map(([name, value]): [string, string] => [name, value])
  const iterable = (known: Iterable<[string, string]>) => known as unknown as HeadersInit
  if (shape === 'Headers') return new Headers(pairs)
  if (shape === 'list') return Object.freeze(pairs.map(pair => Object.freeze(pair))) as HeadersInit
  if (shape === 'Map') return iterable(new Map(pairs))
  if (shape === 'iterator') return iterable(pairs[Symbol.iterator]())
  const plain = Object.assign(
    Object.create(shape === 'object' ? Object.prototype : null),
    Object.fromEntries(pairs),
  )
  return Object.freeze(plain)
}

const streamOf = (chunks: readonly Uint8Array[]) => {
  const waiting = [...chunks]
  return new ReadableStream<Uint8Array>({
    pull(controller) {
      const next = waiting.shift()
      if (next) controller.enqueue(next)
      else controller.close()
    },
  })
}

/** A view into the middle of a buffer, where the kind of view allows it. */
function viewOf(bytes: Uint8Array, as: 'ArrayBuffer' | 'Uint8Array' | 'Uint16Array' | 'DataView'): BodyInit {
  const buffer = new ArrayBuffer(bytes.length + 16)
  new Uint8Array(buffer).set(bytes, 8)
  if (as === 'ArrayBuffer') return buffer
  if (as === 'DataView') return new DataView(buffer, 8, bytes.length)
  return as === 'Uint8Array'
    ? new Uint8Array(buffer, 8, bytes.length)
    : new Uint16Array(buffer, 8, bytes.length >> 1)
}

function buildBody(body: BodySpec): BodyInit | null {
  switch (body.kind) {
    case 'text':
      return body.text
    case 'params':
      return new URLSearchParams(body.pairs)
    case 'blob':
      return new Blob([body.bytes.slice()], body.type === undefined ? undefined : { type: body.type })
    case 'view':
      return viewOf(body.bytes, body.as)
    case 'stream':
      return streamOf(body.chunks.map(chunk => chunk.slice()))
    case 'null':
      return null
    case 'form': {
      const form = new FormData()
      for (const [name, value] of body.parts) {
        if (typeof value === 'string') form.append(name, value)
        else {
          const blob = new Blob([value.bytes.slice()], { type: value.type })
          if (value.name === undefined) form.append(name, blob)
          else form.append(name, blob, value.name)
        }
      }
      return form
    }
  }
}

/** The dispatcher that undici itself uses, which is there as soon as something has been sent. */
const ownDispatcher = (): { dispatch(...args: unknown[]): boolean } =>
  (globalThis as never)[Symbol.for('undici.globalDispatcher.1')]

const signalOf = (kind: InitSpec['signal'], reason: Error): AbortSignal | null => {
  if (kind === 'null') return null
  if (kind === 'quiet') return new AbortController().signal
  return kind === 'aborted' ? AbortSignal.abort() : AbortSignal.abort(reason)
}

function buildInit(
  spec: InitSpec,
  { origin, path }: Place,
  call: Pick<BuiltCall, 'reason' | 'dispatched'>,
): Init {
  const members: Record<string, unknown> = { ...spec.others }
  if (typeof members.referrer === 'string') members.referrer = members.referrer.replace('HERE', origin + path)
  if (members.dispatcher) {
    members.dispatcher = {
      dispatch(...args: unknown[]) {
        call.dispatched.times++
        return ownDispatcher().dispatch(...args)
      },
    }
  }
  if (spec.headers)
    members.headers = spec.headers.shape === 'malformed' ? spec.headers.value : buildHeaders(spec.headers)
  if (spec.signal) members.signal = signalOf(spec.signal, call.reason)
  if (spec.body) members.body = buildBody(spec.body)
  if (spec.body?.kind === 'stream') members.duplex = 'half'
  if (spec.shape === 'null-prototype') return Object.freeze(Object.assign(Object.create(null), members))
  if (spec.shape === 'inherited') return Object.freeze(Object.create(members))
  if (spec.shape !== 'getters') return Object.freeze(members)
  const getters = Object.entries(members).map(([name, value]) => [
    name,
    { get: () => value, enumerable: true },
  ])
  return Object.freeze(Object.defineProperties({}, Object.fromEntries(getters)))
}

function buildInput(
  { input, suffix }: CallSpec,
  place: Place,
  call: Pick<BuiltCall, 'reason' | 'dispatched'>,
) {
  const { origin, path } = place
  const url = `${origin}${path}x${suffix}`
  if (input === 'text') return url
  if (input === 'URL') return new URL(url)
  if (input === 'relative') return `${path}x${suffix}`
  if (input === 'relative to the folder') return `${path.slice('/p/'.length)}x${suffix}`
  if ('bad' in input) return input.bad.replace('HOST', new URL(origin).host)
  return new Request(url, buildInit(input.request, place, call))
}

const lookAtHeaders = (headers: unknown): unknown =>
  headers instanceof Headers || headers instanceof Map ? [...headers] : JSON.stringify(headers)

function lookAtRequest(request: Request) {
  const { url, method, mode, credentials, cache, redirect, referrer, referrerPolicy, integrity, bodyUsed } =
    request
  const rest = { credentials, cache, redirect, referrer, referrerPolicy, integrity, bodyUsed }
  return {
    url,
    method,
    mode,
    headers: [...request.headers].map(pair => hideBoundary(pair.join())),
    aborted: request.signal.aborted,
    ...rest,
  }
}

/** @returns `undefined` where not even the Request of the call can be made. */
export function buildCall(spec: CallSpec, place: Place): BuiltCall | undefined {
  const call = { reason: new Error('the reason of the caller'), dispatched: { times: 0 } }
  let input: string | URL | Request
  try {
    input = buildInput(spec, place, call)
  } catch {
    return undefined
  }
  const init = spec.init === undefined || spec.init === null ? spec.init : buildInit(spec.init, place, call)
  const members = Object.entries(init ?? {})
  return {
    ...call,
    args: init === undefined ? [input] : [input, init as Init],
    look: () => ({
      input: input instanceof Request ? lookAtRequest(input) : String(input),
      same: Object.entries(init ?? {}).every(([name, value], index) => {
        const [known, held] = members[index] as [string, unknown]
        return known === name && held === value
      }),
      headers: lookAtHeaders((init as Init | undefined)?.headers),
      body: init?.body instanceof FormData ? [...init.body] : String(init?.body),
    }),
  }
}
