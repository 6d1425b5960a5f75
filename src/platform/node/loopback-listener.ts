import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { ConfigurationError } from '../../errors.ts'
import { deviceClock } from '../device.ts'

/** The response to a request. */
export interface Reply {
  readonly status: number
  readonly body: string
  readonly headers?: Readonly<Record<string, string>>
  /** Called when the response was sent or the connection broke. */
  readonly sent?: () => void
}

/** By path: the handler of GET requests. Routes may be added and removed while the listener runs. */
export type Routes = Map<string, (url: URL, request: IncomingMessage) => Reply>

/** Where to listen if it differs from the redirect URI, such as in a container with a forwarded port. */
export interface ListenOptions {
  /** The address to listen on. Default: the host of the redirect URI. `0.0.0.0` accepts connections from other machines. */
  host?: string
  /** The port to listen on. Default: the port of the redirect URI, or any free port. */
  port?: number
}

export interface Listener {
  /**
   * The wanted URL with the actual port.
   * @throws ConfigurationError if the listener cannot use that port.
   */
  readonly url: Promise<URL>
  close(): void
}

/**
 * The most connections that may wait for a response. When another one arrives, the oldest is closed, so a flood cannot lock
 * the browser out.
 */
const MOST_WAITING = 32
/** How long any connection may last. */
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
 * `localhost` means both addresses, in the order in which browsers try them. No other program may listen on one of them.
 */
export const addressesOf = (host: string): readonly string[] =>
  host === 'localhost' ? ['::1', '127.0.0.1'] : [host.replace(/^\[|\]$/g, '')]
/** Whether the error means that this machine has no such address. */
const isMissing = ({ code }: NodeJS.ErrnoException) =>
  /^(EADDRNOTAVAIL|EAFNOSUPPORT|EINVAL)$/.test(code ?? '')
/** How many ports to try until one is free on both addresses. */
const PORT_TRIES = 10

/** Answers requests on any number of connections, and limits them. */
function createAnswerer(routes: Routes, hereOf: () => URL) {
  const waiting = new Set<Socket>()

  const replyTo = (request: IncomingMessage): Reply => {
    const { url: target = '', headers, method } = request
    const here = hereOf()
    if (!/^\/(?![/\\])/.test(target) || headers.host === undefined) return refuse(400)
    // another host name resolves to this listener: that host's page could read the response (DNS rebinding)
    if (headers.host !== here.host) return refuse(421)
    const url = new URL(here.origin + target)
    const { pathname } = url
    // some servers add or remove a final slash
    const route =
      routes.get(pathname) ?? routes.get(pathname.replace(/\/$/, '')) ?? routes.get(`${pathname}/`)
    if (!route) return refuse(404)
    return method === 'GET' ? route(url, request) : refuse(405, { allow: 'GET' })
  }

  return {
    answer(request: IncomingMessage, response: ServerResponse) {
      waiting.delete(request.socket) // it has its response and closes on its own
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
    },
    connect(socket: Socket) {
      socket.unref()
      waiting.add(socket)
      const stop = deviceClock.after(CONNECTION_MS, () => socket.destroy(), true)
      socket.once('close', () => {
        stop()
        waiting.delete(socket)
      })
      const [oldest] = waiting
      if (waiting.size > MOST_WAITING) oldest?.destroy()
    },
    close() {
      for (const socket of waiting) socket.destroy()
    },
  }
}

/**
 * Listens on a loopback address. Whatever it receives, it does not throw. It does not keep the process running: the caller
 * does that while it waits for a request.
 */
export function listen(
  wanted: URL,
  routes: Routes,
  { host = wanted.hostname, port = Number(wanted.port || 0) }: ListenOptions = {},
): Listener {
  let here = wanted
  const answerer = createAnswerer(routes, () => here)
  const servers: Server[] = []
  /** @returns the port. */
  const listenAt = (address: string, at: number): Promise<number> =>
    new Promise((resolve, reject) => {
      const server = createServer(answerer.answer)
      servers.push(server)
      server.on('connection', answerer.connect)
      // the handler stays: a later error, such as no free file descriptors, must not end the process
      server.on('error', reject)
      server.unref()
      server.listen(at, address, () => resolve((server.address() as AddressInfo).port))
    })
  let isClosed = false
  const close = () => {
    for (const server of servers.splice(0)) server.close()
    answerer.close()
  }

  const open = async (tries: number): Promise<URL> => {
    let found: number | undefined
    let missing: unknown
    try {
      for (const address of addressesOf(host))
        found = await listenAt(address, found ?? port).catch(error => {
          if (!isMissing(error)) throw error
          missing = error
          return found
        })
      if (found === undefined) throw missing
    } catch (error) {
      close()
      if (port || tries <= 1) throw error
      return open(tries - 1)
    }
    if (isClosed) close()
    here = new URL(wanted)
    if (!wanted.port) here.port = String(found)
    return here
  }
  const url = open(PORT_TRIES).catch((cause: NodeJS.ErrnoException) => {
    throw new ConfigurationError(
      cause.code === 'EADDRINUSE'
        ? `Port ${wanted.port} of "redirectUri" is in use. Close what uses it, or name no port: then any free one is taken.`
        : `The redirect URI ${wanted.href} cannot be listened on (${cause.code}). Set another "redirectUri".`,
      { cause },
    )
  })
  url.catch(() => {}) // it may reject before the caller awaits it

  return {
    url,
    close() {
      isClosed = true
      close()
    },
  }
}
