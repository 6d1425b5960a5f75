import { createServer } from 'node:http'
import { listen } from '../../examples/demo/servers/listen.ts'
import { createTestServer, type TestServer, type TestServerOptions } from '../../src/testing.ts'

/** The server of `latchkey/testing` and its API, for clients in other processes. */
export interface ServedServer {
  readonly server: TestServer
  /** How clients showed who they are at the token endpoint: `id:secret` (RFC 6749 section 2.3.1). */
  readonly credentials: readonly string[]
  close(): Promise<void>
}

/** Serves a test server and its API, each on a port of its own. */
export async function serveTestServer(options: TestServerOptions): Promise<ServedServer> {
  const credentials: string[] = []
  const place = (name: string) =>
    listen(
      createServer(async (request, response) => {
        const chunks: Buffer[] = []
        for await (const chunk of request) chunks.push(chunk as Buffer)
        const { authorization = '', 'content-type': type = '' } = request.headers
        if (request.url === '/token' && authorization) {
          const shown = atob(authorization.replace('Basic ', ''))
          credentials.push(decodeURIComponent(shown.replaceAll('+', ' ')))
        }
        const answer = await server.handle(
          new Request(`http://${request.headers.host}${request.url}`, {
            method: request.method ?? 'GET',
            headers: { authorization, 'content-type': type },
            ...(chunks.length && { body: Buffer.concat(chunks) }),
          }),
        )
        response.writeHead(answer?.status ?? 404, Object.fromEntries(answer?.headers ?? []))
        response.end(await answer?.text())
      }),
      { name },
    )
  const [as, api] = await Promise.all([place('authorization server'), place('API')])
  const server = createTestServer({ ...options, issuer: as.origin, api: api.origin })
  return {
    server,
    credentials,
    async close() {
      await Promise.all([as.close(), api.close()])
    },
  }
}
