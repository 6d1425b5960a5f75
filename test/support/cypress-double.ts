import type { CypressCommands, CypressRequest } from 'latchkey/testing'

/** The answer that a handler gives with `reply`. */
export type StaticResponse = Parameters<CypressRequest['reply']>[0]

/**
 * A request as `cy.intercept` gives it to a handler: all members of `CyHttpMessages.IncomingHttpRequest` that have no default.
 * test/package/cypress.test.ts compares it with Cypress' own types.
 */
export interface InterceptedRequest {
  body: unknown
  headers: { [key: string]: string | string[] }
  method: string
  url: string
  query: Record<string, string | number>
  httpVersion: string
  resourceType: 'fetch'
  reply(answer: StaticResponse): void
  destroy(): void
  continue(): void
}

type Handler = (request: InterceptedRequest) => Promise<void>

/** JSON becomes an object, other text a string, and everything else an ArrayBuffer. */
async function bodyOf(request: Request): Promise<unknown> {
  const bytes = await request.arrayBuffer()
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes)
    const isJson = /[/+]json\b/.test(request.headers.get('content-type') ?? '')
    return isJson ? JSON.parse(text) : text
  } catch {
    return bytes
  }
}

/** What a page of `origin` may read of a response from another origin (CORS). */
function readable({ statusCode, headers, body }: StaticResponse, origin: string): Response {
  const given = new Headers(headers)
  // Cypress' own default, without which no page of another origin could read a stubbed response
  const allowed = given.get('access-control-allow-origin') ?? '*'
  if (allowed !== '*' && allowed !== origin) throw new TypeError('Failed to fetch')
  const exposed = (given.get('access-control-expose-headers') ?? '').toLowerCase().split(/, */)
  const shown = [...given].filter(([name]) => name === 'content-type' || exposed.includes(name))
  return new Response(statusCode === 204 ? null : body, { status: statusCode, headers: shown })
}

/** The part of Cypress that `cy.intercept` is: Cypress itself cannot run here, because its binary is not an npm package. */
export function cypressDouble(origin: string) {
  const routes: { url: RegExp; handler: Handler }[] = []
  const cy: CypressCommands = {
    intercept({ url }, handler) {
      routes.unshift({ url, handler }) // the newest route comes first
    },
  }
  /** Sends what a page of `origin` sends. @returns what reaches the server: the answer of the newest handler. */
  async function send(request: Request): Promise<StaticResponse | 'destroyed' | 'not answered'> {
    const route = routes.find(({ url }) => url.test(request.url))
    if (!route) return 'not answered'
    const outcomes: (StaticResponse | 'destroyed' | 'not answered')[] = []
    await route.handler({
      body: await bodyOf(request),
      headers: { ...Object.fromEntries(request.headers), origin, accept: ['text/html', '*/*'] },
      method: request.method,
      url: request.url,
      query: Object.fromEntries(new URL(request.url).searchParams),
      httpVersion: '1.1',
      resourceType: 'fetch',
      reply: answer => void outcomes.push(answer),
      destroy: () => void outcomes.push('destroyed'),
      continue: () => void outcomes.push('not answered'),
    })
    // Cypress fails the test
    if (outcomes.length !== 1) throw new Error(`The handler answered ${outcomes.length} times.`)
    return outcomes[0] ?? 'not answered'
  }
  return {
    cy,
    send,
    /** The page's `fetch`. */
    async fetch(...call: Parameters<typeof fetch>): Promise<Response> {
      const answer = await send(new Request(...call))
      if (typeof answer === 'string') throw new TypeError('Failed to fetch')
      return readable(answer, origin)
    },
  }
}
