import type { Clock } from '../extending.ts'
import { deviceClock } from './clock.ts'

/** Something that goes wrong with one request, on order: push it to `server.faults`. */
export interface Fault {
  /** Whether the server does its work first, so that only the answer goes wrong. */
  readonly afterWork: boolean
  /**
   * What the client gets. `Response.error()` stands for a connection that breaks.
   * @param real the server's own answer, if it has done its work.
   * @param clock the server's clock. Default: the device's.
   */
  answer(real: Response | undefined, clock?: Clock): Response | Promise<Response>
}

const portal = '<!doctype html><title>Hotel Wi-Fi</title><form>Room number</form>'

/** The connection breaks before the server has seen the request. */
export const lostRequest: Fault = { afterWork: false, answer: () => Response.error() }

/** The server has done its work, but the connection breaks before its answer arrives. */
export const lostAnswer: Fault = { afterWork: true, answer: () => Response.error() }

/** The server never answers. */
export const noAnswer: Fault = { afterWork: false, answer: () => new Promise(() => {}) }

/** The sign-in page of a Wi-Fi network answers, with status 200. */
export const captivePortal: Fault = {
  afterWork: false,
  answer: () => new Response(portal, { headers: { 'content-type': 'text/html;charset=utf-8' } }),
}

/** The first half of the answer arrives as if it were the whole. */
export const truncated: Fault = {
  afterWork: true,
  async answer(real) {
    const text = (await real?.text()) ?? ''
    return new Response(text.slice(0, text.length / 2), { headers: { 'content-type': 'application/json' } })
  },
}

/**
 * The server does its work at once, and its answer arrives late.
 * @param ms by how many milliseconds of the server's clock, 0 or more.
 */
export const slow = (ms: number): Fault => ({
  afterWork: true,
  answer: (real, clock = deviceClock) =>
    new Promise(resolve => void clock.after(ms, () => resolve(real ?? Response.error()))),
})

/**
 * Another answer than the server's own.
 * @param code the HTTP status, 200 to 599.
 * @param headers such as `{ 'retry-after': '1' }`. Default: none.
 * @param body Default: empty.
 */
export const status = (code: number, headers: Record<string, string> = {}, body = ''): Fault => ({
  afterWork: false,
  answer: () => new Response(code === 204 ? null : body, { status: code, headers }),
})

/**
 * An OAuth error (RFC 6749 section 5.2).
 * @param error such as `invalid_grant`.
 * @param code the HTTP status. Default 400.
 */
export const oauthError = (error: string, code = 400, headers: Record<string, string> = {}): Fault => ({
  afterWork: false,
  answer: () => Response.json({ error, error_description: `because of ${error}` }, { status: code, headers }),
})

/** The answer with some of its members changed. `undefined` takes a member out. */
export const altered = (change: Readonly<Record<string, unknown>>): Fault => ({
  afterWork: true,
  async answer(real) {
    const body = (await real?.json()) as Record<string, unknown>
    return Response.json({ ...body, ...change })
  },
})

/** The server's own answer as a text that `change` changes. */
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

/** The server's own answer with other headers. */
export const withHeaders = (headers: Readonly<Record<string, string>>): Fault => ({
  afterWork: true,
  async answer(real) {
    const body = (await real?.json()) as Record<string, unknown>
    return Response.json(body, { headers })
  },
})

/** An answer that arrives when the test releases it. */
export interface Hold extends Fault {
  /** Settles when the server has done its work. */
  readonly arrived: Promise<void>
  /** Lets the answer arrive. */
  release(): void
}

/** Holds one answer until the test releases it. */
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
