import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { text } from 'node:stream/consumers'
import { createTokenCheck } from '../../../examples/demo/servers/introspection.ts'
import { listen } from '../../../examples/demo/servers/listen.ts'
import type { TestServers } from '../server.ts'
import { createMcpEndpoint } from './mcp-endpoint.ts'
import { type Answer, answerTo } from './protocols.ts'

/** One received request. Preflights are left out. */
export interface ApiRequest {
  readonly method: string
  readonly url: string
  readonly authorization: string | undefined
  /** All other headers. */
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
  /** The status of the response, after it was sent. */
  status: number | undefined
}

export interface Api {
  readonly origin: string
  /** The requests since the last `forget()`. */
  readonly requests: readonly ApiRequest[]
  forget(): void
  /** Answers the next request with a valid token with this status. */
  failNext(status: number): void
  close(): Promise<void>
}

/** Headers that may differ when the same request is sent again. */
const OWN = new Set(['authorization', 'connection', 'host'])

const headersOf = (request: IncomingMessage): Record<string, string> =>
  Object.fromEntries(
    Object.entries(request.headers)
      .filter(([name]) => !OWN.has(name))
      .map(([name, value]) => [name, String(value)]),
  )

/** The CORS headers for a page of another origin. */
const corsHeaders = ({ headers }: IncomingMessage): Record<string, string> =>
  headers.origin
    ? {
        'access-control-allow-origin': headers.origin,
        'access-control-allow-methods': 'GET, POST, DELETE',
        'access-control-allow-headers': headers['access-control-request-headers'] ?? '',
        'access-control-expose-headers': 'WWW-Authenticate, Mcp-Session-Id',
        vary: 'Origin',
      }
    : {}

const send = (response: ServerResponse, { status, type = 'application/json', body, headers }: Answer) =>
  response
    .writeHead(status, { ...headers, 'content-type': type })
    .end(typeof body === 'string' ? body : JSON.stringify(body))

/** Starts an API that speaks the protocol of each library, and introspects every token. */
export async function startApi({ issuer, introspectionCredentials }: TestServers): Promise<Api> {
  const check = createTokenCheck({ issuer, credentials: introspectionCredentials, log: () => {} })
  const mcp = createMcpEndpoint()
  let requests: ApiRequest[] = []
  let failure: number | undefined

  const answer = async (request: IncomingMessage, response: ServerResponse) => {
    for (const [name, value] of Object.entries(corsHeaders(request))) response.setHeader(name, value)
    const { method = '', url = '/' } = request
    if (method === 'OPTIONS') return response.writeHead(204).end()
    const seen: ApiRequest = {
      method,
      url,
      authorization: request.headers.authorization,
      headers: headersOf(request),
      body: await text(request),
      status: undefined,
    }
    requests.push(seen)
    const { writeHead } = response
    response.writeHead = ((status: number, ...rest: []) => {
      seen.status = status
      return writeHead.call(response, status, ...rest)
    }) as typeof writeHead
    const { authorization } = seen
    const sent = new Request('http://localhost/', { headers: authorization ? { authorization } : {} })
    const verdict = await check(sent, { scope: 'notes:read' })
    if (!verdict.valid) return send(response, verdict)
    if (failure !== undefined) {
      const status = failure
      failure = undefined
      return send(response, { status, body: { error: 'On order.' } })
    }
    if (url === '/mcp') return mcp.handle(request, response, seen.body)
    return send(response, await answerTo(method, new URL(url, 'http://localhost'), seen))
  }

  const listening = await listen(
    createServer((request, response) => {
      answer(request, response).catch(() => response.destroy())
    }),
    { name: 'API of the libraries' },
  )
  return {
    origin: listening.origin,
    get requests() {
      return requests
    },
    forget() {
      requests = []
      failure = undefined
    },
    failNext(status) {
      failure = status
    },
    async close() {
      await mcp.close()
      await listening.close()
    },
  }
}
