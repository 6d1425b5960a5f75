import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { ConfigurationError } from '../../errors.ts'
import { deviceClock } from '../device.ts'

/** What a request is answered with. */
export interface Reply {
  readonly status: number
  readonly body: string
  readonly headers?: Readonly<Record<string, string>>
  /** Called when the answer was sent, or cannot be. */
  readonly sent?: () => void
}

/** By path: the answer to a GET there. Routes may come and go. */
export type Routes = Map<string, (url: URL, request: IncomingMessage) => Reply>

/** Where to listen, if that is not where the browser goes: in a container whose port is forwarded. */
export interface ListenOptions {
  /** The address to listen on. Default: that of the redirect URI. `0.0.0.0` lets other machines in. */
  host?: string
  /** The port to listen on. Default: that of the redirect URI, or any free one. */
  port?: number
}

export interface Listener {
  /**
   * The wanted URL, with the port that is listened on.
   * @throws ConfigurationError where that port cannot be had.
   */
  readonly url: Promise<URL>
  close(): void
}

/** So many connections may wait to be answered; then the oldest one makes way, so that no flood keeps a browser out. */
const MOST_WAITING = 32
/** How long a connection may last, whatever is sent over it. */
const CONNECTION_MS = 10_000

const REFUSALS: Readonly<Record<number, string>> = {
  400: 'Bad request',
  404: 'Not found',
  405: 'Method not allowed',
  421: 'Misdirected request',
}
export const refuse = (status: number, headers?: Reply['headers']): Reply => ({
  status,
  body: REFUSALS[status] ?? '',
  headers: { 'content-type': 'text/plain; charset=utf-8', ...headers },
})

/**
 * Listens on a literal loopback address. Whatever is sent there, this neither throws nor keeps the process up: whoever
 * waits for a request holds it.
 */
export function listen(
  wanted: URL,
  routes: Routes,
  { host = wanted.hostname, port = Number(wanted.port || 0) }: ListenOptions = {},
): Listener {
  const waiting = new Set<Socket>()
  let here = wanted

  const replyTo = (request: IncomingMessage): Reply => {
    const { url: target = '', headers, method } = request
    if (!/^\/(?![/\\])/.test(target) || headers.host === undefined) return refuse(400)
    // another name that leads here: a page of its own could read the answer (DNS rebinding)
    if (headers.host !== here.host) return refuse(421)
    const url = new URL(here.origin + target)
    const route = routes.get(url.pathname)
    if (!route) return refuse(404)
    return method === 'GET' ? route(url, request) : refuse(405, { allow: 'GET' })
  }

  const server = createServer((request, response) => {
    waiting.delete(request.socket) // it is answered now, and ends by itself
    const { status, body, headers, sent } = replyTo(request)
    if (sent) response.once('close', sent)
    response.writeHead(status, {
      'content-type': 'text/html; charset=utf-8',
      'cache-control': 'no-store',
      'referrer-policy': 'no-referrer',
      'x-content-type-options': 'nosniff',
      connection: 'close',
      ...headers,
    })
    response.end(body)
  })
  server.on('connection', socket => {
    socket.unref()
    waiting.add(socket)
    const stop = deviceClock.after(CONNECTION_MS, () => socket.destroy(), true)
    socket.once('close', () => {
      stop()
      waiting.delete(socket)
    })
    const [oldest] = waiting
    if (waiting.size > MOST_WAITING) oldest?.destroy()
  })

  const url = new Promise<URL>((resolve, reject) => {
    // heard for good: what fails later, such as the system being out of file descriptors, ends no process
    server.on('error', (cause: NodeJS.ErrnoException) =>
      reject(
        new ConfigurationError(
          cause.code === 'EADDRINUSE'
            ? `Port ${wanted.port} of "redirectUri" is in use. Close what uses it, or name no port: then any free one is taken.`
            : `The redirect URI ${wanted.href} cannot be listened on (${cause.code}).`,
          { cause },
        ),
      ),
    )
    server.listen(port, host.replace(/^\[|\]$/g, ''), () => {
      here = new URL(wanted)
      if (!wanted.port) here.port = String((server.address() as AddressInfo).port)
      resolve(here)
    })
  })
  url.catch(() => {}) // it may be waited for later than it fails
  server.unref()

  return {
    url,
    close() {
      server.close()
      for (const socket of waiting) socket.destroy()
    },
  }
}
