import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { createFingerprint } from './fingerprint.ts'
import { hideBoundary, type Recorded } from './recorded.ts'

export interface Answer {
  readonly status: number
  readonly headers?: Readonly<Record<string, string>>
}

export interface RecordingServer {
  readonly origin: string
  readonly port: number
  /** All received requests, without the browser's preflights. */
  readonly records: Recorded[]
  readonly preflights: Recorded[]
  /** Removes and returns the requests that arrived below this path. */
  take(under: string): Recorded[]
  close(): Promise<void>
}

export const INVALID_TOKEN = 'Bearer realm="api", error="invalid_token", error_description="over"'
const unauthorized: Answer = { status: 401, headers: { 'www-authenticate': INVALID_TOKEN } }

const pairsOf = (raw: readonly string[]): [string, string][] =>
  Array.from({ length: raw.length / 2 }, (_, i) => [
    (raw[2 * i] as string).toLowerCase(),
    raw[2 * i + 1] as string,
  ])

/** CORS headers that allow any origin everything, without caching. */
const openTo = (headers: Recorded['headers']): Record<string, string> => {
  const sent = (name: string) => headers.find(([own]) => own === name)?.[1]
  const open: Record<string, string> = {
    'access-control-allow-origin': sent('origin') ?? '*',
    'access-control-expose-headers': '*, www-authenticate',
    'cache-control': 'no-store',
  }
  if (sent('origin')) open['access-control-allow-credentials'] = 'true'
  const [method, names] = [sent('access-control-request-method'), sent('access-control-request-headers')]
  if (method) open['access-control-allow-methods'] = method
  if (names) open['access-control-allow-headers'] = names
  return open
}

const isPreflight = ({ method, headers }: Recorded) =>
  method === 'OPTIONS' && headers.some(([name]) => name === 'access-control-request-method')

/**
 * `…/401-once/…` refuses the first request to each URL, `…/401-always/…` all of them; `/redirect/302?to=…` redirects.
 * Everything else gets a 200.
 */
function standardAnswers() {
  const refused = new Set<string>()
  return ({ url }: Recorded): Answer => {
    const { pathname, searchParams } = new URL(url, 'http://any')
    if (pathname.includes('/401-always/')) return unauthorized
    if (pathname.includes('/401-once/') && !refused.has(url)) {
      refused.add(url)
      return unauthorized
    }
    const [, status] = /^\/redirect\/(\d{3})/.exec(pathname) ?? []
    return status
      ? { status: Number(status), headers: { location: searchParams.get('to') ?? '/' } }
      : { status: 200 }
  }
}

/** Starts a real HTTP server on this machine that records its requests. */
export async function startRecordingServer({
  answer = standardAnswers(),
}: {
  answer?: (recorded: Recorded) => Answer | Promise<Answer>
} = {}): Promise<RecordingServer> {
  const records: Recorded[] = []
  const preflights: Recorded[] = []

  const take = (under: string): Recorded[] => {
    const taken = records.filter(({ url }) => url.startsWith(under))
    for (const one of taken) records.splice(records.indexOf(one), 1)
    return taken
  }

  const write = async (recorded: Recorded): Promise<Answer> => {
    const preflight = isPreflight(recorded)
    ;(preflight ? preflights : records).push(recorded)
    const { status, headers } = preflight
      ? { status: 204, headers: { 'access-control-max-age': '600' } }
      : await answer(recorded)
    return { status, headers: { ...openTo(recorded.headers), ...headers } }
  }

  const handle = async (request: IncomingMessage, response: ServerResponse) => {
    const { method = '', url = '', rawHeaders } = request
    const print = createFingerprint()
    for await (const chunk of request) print.add(chunk)
    const headers = pairsOf(rawHeaders)
    if (url.startsWith('/taken?')) {
      const taken = take(new URLSearchParams(url.slice('/taken?'.length)).get('under') ?? '/')
      return response.writeHead(200, openTo(headers)).end(JSON.stringify(taken))
    }
    const hidden = headers.map(([name, value]) => [name, hideBoundary(value)] as const)
    const { status, headers: own } = await write({ method, url, headers: hidden, ...print.end() })
    return response.writeHead(status, own).end(method === 'HEAD' || status === 204 ? undefined : `${status}`)
  }

  const server = createServer((request, response) => {
    // a client that disconnects before the end has not sent a request
    handle(request, response).catch(() => response.destroy())
  })

  // node:http does not know some methods: answer them here, without reading the body
  const strange = new WeakSet<Socket>()
  server.on('clientError', (error: Error & { rawPacket?: Buffer }, socket: Socket) => {
    const [head = ''] = (error.rawPacket?.toString('latin1') ?? '').split('\r\n\r\n')
    const [line = '', ...lines] = head.split('\r\n')
    const [method = '', url = '', version] = line.split(' ')
    if (strange.has(socket) || !version?.startsWith('HTTP/')) return
    strange.add(socket)
    const raw = lines.flatMap(field => [
      field.split(':')[0] as string,
      field.slice(field.indexOf(':') + 1).trim(),
    ])
    const headers = pairsOf(raw).map(([name, value]) => [name, hideBoundary(value)] as const)
    const length = Number(headers.find(([name]) => name === 'content-length')?.[1] ?? 0)
    void write({ method, url, headers, sha256: 'not read', length }).then(({ status, headers: own = {} }) => {
      const fields = Object.entries({ ...own, 'content-length': '0', connection: 'close' })
      socket.on('error', () => {})
      socket.write(`HTTP/1.1 ${status} Any\r\n${fields.map(field => field.join(': ')).join('\r\n')}\r\n\r\n`)
      socket.on('end', () => socket.end())
    })
  })

  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    origin: `http://127.0.0.1:${port}`,
    port,
    records,
    preflights,
    take,
    async close() {
      const closed = new Promise(resolve => server.close(resolve))
      server.closeAllConnections()
      await closed
    },
  }
}
