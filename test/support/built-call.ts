import type { BodySpec, CallSpec, HeadersSpec, InitSpec } from './fetch-calls.ts'
import { hideBoundary } from './recorded.ts'

type Init = NonNullable<Parameters<typeof fetch>[1]>

/** The constructors of another JavaScript realm. Only frames provide forms and similar objects. */
export type Realm = Pick<typeof globalThis, 'ArrayBuffer' | 'Uint8Array' | 'Uint16Array' | 'DataView'> &
  Partial<Pick<typeof globalThis, 'Request' | 'FormData' | 'URLSearchParams' | 'Blob'>>

/** The arguments of one call. Each call is built again, because streams and iterators can be used only once. */
export interface BuiltCall {
  readonly args: [input: RequestInfo | URL, init?: Init] | []
  /** The reason with which the caller aborts the call's signal. */
  readonly reason: Error
  /** How often the call's dispatcher, an option of undici, was used. */
  readonly dispatched: { times: number }
  /** Returns everything that is visible of the arguments, to see whether fetch has changed them. */
  look(): unknown
  /** The members that fetch has read, in order, if the arguments record that. */
  readonly reads: readonly string[]
  /** Changes the caller's mutable arguments after the call. */
  meddle(): void
}

export interface Place {
  readonly origin: string
  /** A unique path with a slash at the end, below `/p/` if URLs may be relative. */
  readonly path: string
  readonly realm: Realm
}

/** Records a call, and how to change its arguments afterwards. */
type Traces = Pick<BuiltCall, 'reason' | 'dispatched'> & {
  readonly log: string[]
  readonly later: (() => void)[]
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

const emptyOf = (length: number, odd: (BodySpec & { kind: 'view' })['odd'], realm: Realm): ArrayBuffer => {
  if (odd === 'shared') return new SharedArrayBuffer(length) as unknown as ArrayBuffer
  // TypeScript's library does not know resizable buffers yet
  if (odd === 'resizable') return Reflect.construct(ArrayBuffer, [length, { maxByteLength: length + 16 }])
  return new (odd === 'elsewhere' ? realm : globalThis).ArrayBuffer(length)
}

/** A view into the middle of a buffer, if the kind of view allows it. */
function viewOf(
  { bytes, as, odd }: BodySpec & { kind: 'view' },
  { realm }: Place,
  { later }: Traces,
): BodyInit {
  const { Uint8Array: Bytes, Uint16Array: Words, DataView: View } = odd === 'elsewhere' ? realm : globalThis
  const buffer = emptyOf(bytes.length + 16, odd, realm)
  new Uint8Array(buffer).set(bytes, 8)
  const body = {
    ArrayBuffer: () => buffer,
    DataView: () => new View(buffer, 8, bytes.length),
    Uint8Array: () => new Bytes(buffer, 8, bytes.length),
    Uint16Array: () => new Words(buffer, 8, bytes.length >> 1),
  }[as]()
  if (odd === 'detached') structuredClone(buffer, { transfer: [buffer] })
  else if (odd !== 'shared') later.push(() => new Uint8Array(buffer).fill(7))
  return body
}

function foreignOf({ as, text }: BodySpec & { kind: 'foreign' }, { realm }: Place): BodyInit {
  if (as === 'params') return new (realm.URLSearchParams ?? URLSearchParams)({ text })
  if (as === 'blob') return new (realm.Blob ?? Blob)([text], { type: 'text/x-mine' })
  const form = new (realm.FormData ?? FormData)()
  form.append('text', text)
  form.append('file', new (realm.Blob ?? Blob)([text]), 'name.txt')
  return form
}

function buildBody(body: BodySpec, place: Place, call: Traces): BodyInit | null {
  switch (body.kind) {
    case 'text':
      return body.text
    case 'params':
      return new URLSearchParams(body.pairs)
    case 'blob':
      return new Blob([body.bytes.slice()], body.type === undefined ? undefined : { type: body.type })
    case 'view':
      return viewOf(body, place, call)
    case 'foreign':
      return foreignOf(body, place)
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

/** The dispatcher that undici itself uses. It exists after the first request. */
const ownDispatcher = (): { dispatch(...args: unknown[]): boolean } =>
  (globalThis as never)[Symbol.for('undici.globalDispatcher.1')]

const signalOf = (kind: InitSpec['signal'], { reason, later }: Traces): AbortSignal | null => {
  if (kind === 'null') return null
  if (kind === 'aborted at once') {
    const controller = new AbortController()
    later.push(() => controller.abort(reason))
    return controller.signal
  }
  if (kind === 'quiet') return new AbortController().signal
  return kind === 'aborted' ? AbortSignal.abort() : AbortSignal.abort(reason)
}

const ONLY_SOME = ['next', 'cf', 'priority', 'window', 'dispatcher']

/** Records which members are read, except those that only some runtimes know. */
const logged = (members: object, log: string[]) =>
  new Proxy(members, {
    get(target, name) {
      if (!ONLY_SOME.includes(String(name))) log.push(String(name))
      return Reflect.get(target, name)
    },
  })

function buildInit(spec: InitSpec, place: Place, call: Traces): Init {
  const { origin, path } = place
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
  if (spec.signal) members.signal = signalOf(spec.signal, call)
  if (spec.body) members.body = buildBody(spec.body, place, call)
  if (spec.body?.kind === 'stream') members.duplex = 'half'
  if (spec.shape === 'null-prototype') return Object.freeze(Object.assign(Object.create(null), members))
  if (spec.shape === 'inherited') return Object.freeze(Object.create(members))
  if (spec.shape === 'logged') return logged(members, call.log)
  if (spec.shape !== 'getters') return Object.freeze(members)
  const getters = Object.entries(members).map(([name, value]) => [
    name,
    { get: () => value, enumerable: true },
  ])
  return Object.freeze(Object.defineProperties({}, Object.fromEntries(getters)))
}

function buildInput({ input, suffix }: CallSpec, place: Place, call: Traces) {
  const { origin, path, realm } = place
  const url = `${origin}${path}x${suffix}`
  if (input === 'text' || input === 'none') return url
  if (input === 'URL') {
    const address = new URL(url)
    call.later.push(() => {
      address.pathname = '/changed-afterwards'
    })
    return address
  }
  if (input === 'object') {
    return {
      toString() {
        call.log.push('toString')
        return url
      },
    } as unknown as URL
  }
  if (input === 'relative') return `${path}x${suffix}`
  if (input === 'relative to the folder') return `${path.slice('/p/'.length)}x${suffix}`
  if ('bad' in input) return input.bad.replace('HOST', new URL(origin).host)
  const request = new ((input.elsewhere && realm.Request) || Request)(
    url,
    buildInit(input.request, place, call),
  )
  call.later.push(() => request.headers.set('x-late', 'yes'))
  return request
}

const lookAtHeaders = (headers: unknown): unknown =>
  headers instanceof Headers || headers instanceof Map ? [...headers] : JSON.stringify(headers)

const lookAtBody = (body: Init['body']): unknown => {
  if (body instanceof FormData) return [...body]
  // a DataView and a detached array have no text to compare
  const isGiven = ArrayBuffer.isView(body) && (body instanceof DataView || body.byteLength === 0)
  return isGiven ? 'a view' : String(body)
}

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

/** Builds the arguments of a call. @returns `undefined` if the call's Request cannot be created. */
export function buildCall(spec: CallSpec, place: Place): BuiltCall | undefined {
  const call = { reason: new Error('the reason of the caller'), dispatched: { times: 0 } }
  const traces: Traces = { ...call, log: [], later: [] }
  let input: string | URL | Request
  try {
    input = buildInput(spec, place, traces)
  } catch {
    return undefined
  }
  traces.log.length = 0
  const init = spec.init === undefined || spec.init === null ? spec.init : buildInit(spec.init, place, traces)
  const isLogged = spec.init?.shape === 'logged'
  const members = isLogged ? [] : Object.entries(init ?? {})
  return {
    ...call,
    reads: traces.log,
    args: spec.input === 'none' ? [] : init === undefined ? [input] : [input, init as Init],
    look: () => ({
      input: isRequest(input) ? lookAtRequest(input) : spec.input === 'object' ? 'an object' : String(input),
      ...(isLogged
        ? {}
        : {
            same: Object.entries(init ?? {}).every(([name, value], index) => {
              const [known, held] = members[index] as [string, unknown]
              return known === name && held === value
            }),
            headers: lookAtHeaders((init as Init | undefined)?.headers),
            body: lookAtBody((init as Init | undefined)?.body),
          }),
    }),
    meddle() {
      for (const change of traces.later) change()
    },
  }
}

const isRequest = (input: string | URL | Request): input is Request =>
  typeof input === 'object' && 'headers' in input
