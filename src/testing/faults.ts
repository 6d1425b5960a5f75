import type { Clock } from '../extending.ts'
import { deviceClock } from './clock.ts'

/** A fault for one request. Push it to `server.faults`. */
export interface Fault {
  /** Whether the server handles the request first, so that only the response is faulty. */
  readonly afterWork: boolean
  /**
   * Returns the response that the client gets. `Response.error()` means that the connection breaks.
   * @param real the server's real response, if it has handled the request.
   * @param clock the server's clock. Default: the device's.
   */
  answer(real: Response | undefined, clock?: Clock): Response | Promise<Response>
}

const portal = '<!doctype html><title>Hotel Wi-Fi</title><form>Room number</form>'

/** The connection breaks before the request reaches the server. */
export const lostRequest: Fault = { afterWork: false, answer: () => Response.error() }

/** The server handles the request, but the connection breaks before the response arrives. */
export const lostAnswer: Fault = { afterWork: true, answer: () => Response.error() }

/** The server never answers. */
export const noAnswer: Fault = { afterWork: false, answer: () => new Promise(() => {}) }

/** The sign-in page of a Wi-Fi network answers, with status 200. */
export const captivePortal: Fault = {
  afterWork: false,
  answer: () => new Response(portal, { headers: { 'content-type': 'text/html;charset=utf-8' } }),
}

/** Only the first half of the response body arrives. */
export const truncated: Fault = {
  afterWork: true,
  async answer(real) {
    const bytes = (await real?.arrayBuffer()) ?? new ArrayBuffer(0)
    const type = real?.headers.get('content-type') ?? 'application/octet-stream'
    return new Response(bytes.slice(0, bytes.byteLength / 2), { headers: { 'content-type': type } })
  },
}

/**
 * The server handles the request immediately, but the response arrives late.
 * @param ms the delay in milliseconds of the server's clock, 0 or more.
 */
export const slow = (ms: number): Fault => ({
  afterWork: true,
  answer: (real, clock = deviceClock) =>
    new Promise(resolve => void clock.after(ms, () => resolve(real ?? Response.error()))),
})

/**
 * The server does not handle the request and sends this response.
 * @param code the HTTP status, 200 to 599.
 * @param headers the headers, such as `{ 'retry-after': '1' }`. Default: none.
 * @param body the body. Default: empty.
 */
export const status = (code: number, headers: Record<string, string> = {}, body = ''): Fault => ({
  afterWork: false,
  answer: () => new Response(code === 204 ? null : body, { status: code, headers }),
})

/**
 * The server does not handle the request and sends an OAuth error (RFC 6749 section 5.2).
 * @param error such as `invalid_grant`.
 * @param code the HTTP status. Default 400.
 */
export const oauthError = (error: string, code = 400, headers: Record<string, string> = {}): Fault => ({
  afterWork: false,
  answer: () => Response.json({ error, error_description: `because of ${error}` }, { status: code, headers }),
})

/** Changes members of the server's JSON response. `undefined` removes a member. */
export const altered = (change: Readonly<Record<string, unknown>>): Fault => ({
  afterWork: true,
  async answer(real) {
    const body = (await real?.json()) as Record<string, unknown>
    return Response.json({ ...body, ...change })
  },
})

/** Changes the body of the server's response as text, and optionally its content type and status. */
export const rewritten = (
  change: (text: string) => string,
  { type = 'application/json', code = 200 }: { type?: string | null; code?: number } = {},
): Fault => ({
  afterWork: true,
  async answer(real) {
    const bytes = new TextEncoder().encode(change((await real?.text()) ?? ''))
    return new Response(bytes, { status: code, headers: type === null ? {} : { 'content-type': type } })
  },
})

/** Replaces the headers of the server's JSON response. */
export const withHeaders = (headers: Readonly<Record<string, string>>): Fault => ({
  afterWork: true,
  async answer(real) {
    const body = (await real?.json()) as Record<string, unknown>
    return Response.json(body, { headers })
  },
})

/** A response that arrives when the test releases it. */
export interface Hold extends Fault {
  /** Resolves when the server has handled the request. */
  readonly arrived: Promise<void>
  /** Lets the response arrive. */
  release(): void
}

/** Holds one response back until the test releases it. */
export function hold(): Hold {
  let arrive = () => {}
  let release = () => {}
  const arrived = new Promise<void>(resolve => {
    arrive = resolve
  })
  const released = new Promise<void>(resolve => {
    release = resolve
  })
  return {
    afterWork: true,
    arrived,
    release: () => release(),
    async answer(real) {
      arrive()
      await released
      return real as Response
    },
  }
}
