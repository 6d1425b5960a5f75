import { HttpResponse } from 'msw'

/** Something that goes wrong with one request, on order. */
export interface Fault {
  /** The server does its work first: only the answer is not what it should be. */
  readonly afterWork: boolean
  /** @param real the server's own answer, where it has done its work. */
  answer(real: Response | undefined): Response | Promise<Response>
}

const page = '<!doctype html><title>Hotel Wi-Fi</title><form>Room number</form>'

/** The connection breaks before the server has seen anything. */
export const reset: Fault = { afterWork: false, answer: () => HttpResponse.error() }

/** The server has done its work, but the connection breaks before its answer arrives. */
export const resetAfterWork: Fault = { afterWork: true, answer: () => HttpResponse.error() }

/** No answer ever. */
export const hang: Fault = { afterWork: false, answer: () => new Promise(() => {}) }

/** The sign-in page of a Wi-Fi network. */
export const captivePortal: Fault = { afterWork: false, answer: () => HttpResponse.html(page) }

/** The first half of the answer, as if it were the whole. */
export const truncated: Fault = {
  afterWork: true,
  async answer(real) {
    const text = (await real?.text()) ?? ''
    return new HttpResponse(text.slice(0, text.length / 2), {
      headers: { 'content-type': 'application/json' },
    })
  },
}

/** Another answer than the server's own. */
export const status = (code: number, headers: Record<string, string> = {}, body = ''): Fault => ({
  afterWork: false,
  answer: () => new HttpResponse(code === 204 ? null : body, { status: code, headers }),
})

/** An OAuth error (RFC 6749 section 5.2). */
export const oauthError = (error: string, code = 400, headers: Record<string, string> = {}): Fault => ({
  afterWork: false,
  answer: () =>
    HttpResponse.json({ error, error_description: `because of ${error}` }, { status: code, headers }),
})

/** The answer with some of its members changed; `undefined` takes one out. */
export const altered = (change: Readonly<Record<string, unknown>>): Fault => ({
  afterWork: true,
  async answer(real) {
    const body = (await real?.json()) as Record<string, unknown>
    return HttpResponse.json({ ...body, ...change })
  },
})

/** The server's own answer as a text that is changed. */
export const rewritten = (
  change: (text: string) => string,
  { type = 'application/json', code = 200 }: { type?: string | null; code?: number } = {},
): Fault => ({
  afterWork: true,
  async answer(real) {
    const bytes = new TextEncoder().encode(change((await real?.text()) ?? ''))
    return new HttpResponse(bytes, { status: code, headers: type === null ? {} : { 'content-type': type } })
  },
})

/** The server's own answer with other headers. */
export const withHeaders = (headers: Readonly<Record<string, string>>): Fault => ({
  afterWork: true,
  async answer(real) {
    const body = (await real?.json()) as Record<string, unknown>
    return HttpResponse.json(body, { headers })
  },
})

/** An answer that arrives when it is told to. */
export interface Hold extends Fault {
  /** Settles when the server has done its work. */
  readonly arrived: Promise<void>
  release(): void
}

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
