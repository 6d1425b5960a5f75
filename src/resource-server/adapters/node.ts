import type { Protect } from '../protect.ts'
import type { Granted, Requirements } from '../verdict.ts'
import { judge } from './guard.ts'

/** What an adapter reads of a request of Node's `http` or `https`. */
export interface NodeRequest {
  readonly method?: string | undefined
  readonly url?: string | undefined
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>
  readonly rawHeaders?: readonly string[]
  /** Of Node's `tls`, where the connection is. */
  readonly socket?: object
}

/** What an adapter writes of a response of Node's `http` or `https`. */
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

/** Headers that Node joins or drops where they come twice: two tokens or proofs must not become one. */
const ONCE = ['authorization', 'dpop']

/**
 * The request as the web has it, without its body.
 * @param path the whole one, where a router has taken its own part off `url`.
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
  // Request refuses these methods; no proof is for one of them
  const isOdd = /^(connect|trace|track)$/i.test(method)
  return new Request(url, { headers, method: isOdd ? 'GET' : method })
}

/** Judges a request with the client's certificate of its connection, if there is one. */
export function judgeNode(
  protect: Protect,
  request: NodeRequest,
  requirements: Requirements,
): Promise<Granted | Response> {
  const { raw } = (request.socket as TlsSocket | undefined)?.getPeerCertificate?.() ?? {}
  return judge(protect, toWebRequest(request), { ...requirements, ...(raw && { certificate: raw }) })
}

/** Adds headers without losing what others have exposed to pages (CORS). */
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
 * For Node's `http` and `https`: judges a request, and answers it where it may not pass.
 * @param requirements what every request needs beside a valid token.
 * @returns a function that resolves with the verdict of a request that may pass, and with `undefined` for one that it
 * has answered: a refused one, or one for the metadata (RFC 9728).
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
