import { allowOrigin, type TestServer } from './server.ts'

/** The part of msw's `http` that `mswHandlers()` uses, in every version of msw from 2 on. */
export interface MswHttp<Handler> {
  all(path: string, resolver: (info: { request: Request }) => Promise<Response | undefined>): Handler
}

/** The part of a page or context of Playwright that `playwrightRoutes()` uses. */
export interface PlaywrightPage {
  route(isOurs: (url: URL) => boolean, handler: (route: PlaywrightRoute) => Promise<void>): Promise<unknown>
}

/** The part of a route of Playwright that `playwrightRoutes()` uses. */
export interface PlaywrightRoute {
  request(): {
    url(): string
    method(): string
    allHeaders(): Promise<Record<string, string>>
    postDataBuffer(): Uint8Array | null
  }
  /** @param answer.body text, or bytes as a `Buffer`: Playwright does not accept another `Uint8Array`. */
  fulfill(answer?: {
    status?: number
    headers?: Record<string, string>
    body?: string | Uint8Array
  }): Promise<void>
  abort(errorCode?: string): Promise<void>
  fallback(): Promise<void>
}

/** The part of Cypress' `cy` that `cypressIntercepts()` uses. */
export interface CypressCommands {
  intercept(matcher: { url: RegExp }, handler: (request: CypressRequest) => Promise<void>): unknown
}

/** The part of an intercepted request of Cypress that `cypressIntercepts()` uses. */
export interface CypressRequest {
  readonly url: string
  readonly method: string
  readonly headers: Readonly<Record<string, string | string[]>>
  readonly body: unknown
  reply(answer: { statusCode: number; headers: Record<string, string>; body: string | ArrayBuffer }): void
  destroy(): void
  continue(): void
}

const originsOf = ({ issuer, api }: TestServer) => [...new Set([new URL(issuer).origin, new URL(api).origin])]

/**
 * Handlers for msw that answer with the test server: `setupServer(...mswHandlers(server, http))`.
 * @param http msw's `http`. latchkey does not import msw itself.
 * @returns one handler for each origin of the server.
 */
export const mswHandlers = <Handler>(server: TestServer, http: MswHttp<Handler>): Handler[] =>
  originsOf(server).map(origin => http.all(`${origin}/*`, ({ request }) => server.handle(request)))

const requestOf = (url: string, method: string, headers: Headers, body: BodyInit | null) =>
  new Request(url, { method, headers, body: /^(GET|HEAD)$/i.test(method) ? null : body })

/** Drops HTTP/2 pseudo-headers such as `:authority`, which `Headers` does not accept. */
const headersOf = (headers: Readonly<Record<string, string | string[]>>) =>
  new Headers(
    Object.entries(headers)
      .filter(([name]) => !name.startsWith(':'))
      .map(([name, value]): [string, string] => [name, [value].flat().join(', ')]),
  )

/**
 * Routes the requests of a Playwright page to the test server: the sign-in page, token requests and the API, without a
 * network.
 * @param page the page, or the context of all pages.
 */
export async function playwrightRoutes(server: TestServer, page: PlaywrightPage): Promise<void> {
  const origins = new Set(originsOf(server))
  await page.route(
    url => origins.has(url.origin),
    async route => {
      const request = route.request()
      const headers = headersOf(await request.allHeaders())
      const response = await server.handle(
        requestOf(request.url(), request.method(), headers, request.postDataBuffer() as BodyInit | null),
      )
      if (!response) return route.fallback()
      if (response.type === 'error') return route.abort('connectionreset')
      const body = Buffer.from(await response.arrayBuffer())
      await route.fulfill({ status: response.status, headers: Object.fromEntries(response.headers), body })
    },
  )
}

/** The body that Cypress has parsed, as the page sent it. It may be an ArrayBuffer of another frame. */
const unparsed = (body: unknown): BodyInit =>
  typeof body === 'string' || String(body) === '[object ArrayBuffer]' || ArrayBuffer.isView(body)
    ? (body as BodyInit)
    : JSON.stringify(body)

/** Text as a string, as every version of Cypress accepts it, and everything else as bytes. */
async function bodyForCypress(response: Response): Promise<string | ArrayBuffer> {
  const bytes = await response.arrayBuffer()
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    return bytes
  }
}

const escaped = (text: string) => text.replace(/[.*+?^${}()|[\]\\/]/g, '\\$&')

/**
 * Routes the requests of the page under test in Cypress to the test server, which runs in the test file. Call it before
 * `cy.visit()`.
 * @param cy the global `cy` of Cypress.
 */
export function cypressIntercepts(server: TestServer, cy: CypressCommands): void {
  for (const origin of originsOf(server)) {
    cy.intercept({ url: new RegExp(`^${escaped(origin)}/`) }, async request => {
      const { url, method, body } = request
      const sent = headersOf(request.headers)
      const answer = await server.handle(requestOf(url, method, sent, unparsed(body)))
      if (!answer) return request.continue()
      if (answer.type === 'error') return request.destroy()
      const response = allowOrigin(sent, answer) // the server does not see `Origin`: a `Request` in a browser drops it
      const headers = Object.fromEntries(response.headers)
      request.reply({ statusCode: response.status, headers, body: await bodyForCypress(response) })
    })
  }
}
