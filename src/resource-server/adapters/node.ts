import type { Protect } from '../protect.ts'
import type { Granted, Requirements } from '../verdict.ts'
import { judge } from './guard.ts'

/** The parts of a request of Node's `http` or `https` that an adapter reads. */
export interface NodeRequest {
  readonly method?: string | undefined
  readonly url?: string | undefined
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>
  readonly rawHeaders?: readonly string[]
  /** For a TLS connection: a socket of Node's `tls`, which has the client's certificate. */
  readonly socket?: object
}

/** The parts of a response of Node's `http` or `https` that an adapter uses. */
export interface NodeResponse {
  statusCode: number
  setHeader(name: string, value: string): unknown
  getHeader(name: string): unknown
  end(body?: string): unknown
}

interface TlsSocket {
  readonly encrypted?: boolean
  getPeerCertificate?(): { readonly raw?: Uint8Array }
}

/** Node joins or drops these headers if a request repeats them. Two tokens or proofs must not look like one. */
const ONCE = ['authorization', 'dpop']

/**
 * Converts the request to a web `Request` without its body.
 * @param path the whole path, if a router has removed its mount path from `url`.
 */
export function toWebRequest(request: NodeRequest, path = request.url ?? '/'): Request {
  const headers = new Headers()
  const { rawHeaders = [], method = 'GET', socket } = request
  for (const name of ONCE) {
    const values = rawHeaders.filter((_, index) => index % 2 && rawHeaders[index - 1]?.toLowerCase() === name)
    const value = values.length ? values.join(', ') : request.headers[name]
    if (value !== undefined) headers.set(name, String(value))
  }
  const host = String(request.headers.host ?? 'localhost')
  const base = `${(socket as TlsSocket | undefined)?.encrypted ? 'https' : 'http'}://${host}`
  const url = URL.canParse(base + path) ? base + path : 'http://localhost/'
  // Request refuses these methods, and no proof is for one of them
  const isOdd = /^(connect|trace|track)$/i.test(method)
  return new Request(url, { headers, method: isOdd ? 'GET' : method })
}

/** The requirements for one request, with the client's certificate of its connection if there is one. */
export function withCertificate(socket: object | undefined, requirements: Requirements): Requirements {
  const { raw } = (socket as TlsSocket | undefined)?.getPeerCertificate?.() ?? {}
  return raw ? { ...requirements, certificate: raw } : requirements
}

/** Checks a request. */
export function judgeNode(
  protect: Protect,
  request: NodeRequest,
  requirements: Requirements,
): Promise<Granted | Response> {
  return judge(protect, toWebRequest(request), withCertificate(request.socket, requirements))
}

/** Sets headers, but keeps the headers that other code already exposes to pages (CORS). */
export function putHeaders(
  response: Pick<NodeResponse, 'getHeader' | 'setHeader'>,
  headers: Granted['headers'],
): void {
  for (const [name, value] of Object.entries(headers)) {
    const old = name === 'access-control-expose-headers' ? response.getHeader(name) : undefined
    response.setHeader(name, old ? `${old}, ${value}` : value)
  }
}

/**
 * Creates a guard for Node's `http` and `https`, which checks each request and answers a refused one.
 * @param requirements what every request requires beyond a valid token.
 * @returns a function that resolves with the verdict if the request may pass. It resolves with `undefined` if it has
 * answered the request: a refused one, or one for the metadata (RFC 9728).
 */
export const nodeGuard =
  (protect: Protect, requirements: Requirements = {}) =>
  async (request: NodeRequest, response: NodeResponse): Promise<Granted | undefined> => {
    const caller = await judgeNode(protect, request, requirements)
    if (!(caller instanceof Response)) {
      putHeaders(response, caller.headers)
      return caller
    }
    response.statusCode = caller.status
    putHeaders(response, Object.fromEntries(caller.headers))
    response.end(await caller.text())
    return undefined
  }
