import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import type { UserAgent } from '../core/ports.ts'
import { withTimeLimit } from '../core/time-limit.ts'
import { CallbackError, ConfigurationError } from '../errors.ts'
import { deviceClock } from './device-clock.ts'
import { show } from './system-browser.ts'

export interface LoopbackOptions {
  /**
   * Shows the URL to the user. `'print'` prints it to standard error. Default: that, and the system's browser is opened
   * where there is one: not over SSH, and not where there is no display.
   */
  open?: 'print' | ((url: string) => void | Promise<void>)
  /** How long the user may take, in milliseconds. Default 5 minutes. */
  timeoutMs?: number
}

/** A browser needs two or three; what comes beyond takes the place of the oldest. */
const MOST_SOCKETS = 64
/** How long a connection lives, whatever is sent on it: a browser sends its request at once. */
const SOCKET_MS = 10_000

/**
 * Signs in with the system's browser, which brings the answer to a listener on this machine (RFC 8252 section 7.3): a
 * literal loopback address, a free port unless the redirect URI names one, one answer, then closed.
 */
export const loopback = ({ open, timeoutMs = 300_000 }: LoopbackOptions = {}): UserAgent => ({
  name: 'loopback',
  begin(redirectUri) {
    const wanted = new URL(redirectUri)
    const host = wanted.hostname.replace(/^\[|\]$/g, '')
    if (wanted.protocol !== 'http:' || !(host === '::1' || /^127\.\d+\.\d+\.\d+$/.test(host))) {
      throw new ConfigurationError(
        `loopback() needs a "redirectUri" such as "http://127.0.0.1/callback" (an address, not a name); got "${redirectUri}".`,
      )
    }
    const listener = listen(wanted, host)
    let stopShowing = () => {}
    return {
      redirectUri: listener.redirectUri,
      authorize: (url, state) =>
        withTimeLimit(
          deviceClock,
          timeoutMs,
          async () => {
            const answer = listener.answerTo(state)
            const port = Number(new URL(await listener.redirectUri).port || 80)
            if (typeof open === 'function') await open(url)
            else stopShowing = show(url, { port, host: wanted.hostname, inBrowser: !open })
            return answer
          },
          () =>
            new CallbackError(
              `No answer came within ${timeoutMs / 1000} s. Call signIn() to try again.`,
              'cancelled',
            ),
        ),
      close() {
        stopShowing()
        listener.close()
      },
    }
  },
})

interface Listener {
  /** Where it listens. */
  readonly redirectUri: Promise<string>
  /** The first request for the redirect URI with this state. Whatever else knocks is refused. */
  answerTo(state: string): Promise<string>
  close(): void
}

/** Whatever comes in here from any page or program on this machine neither ends the process nor keeps it up. */
function listen(wanted: URL, host: string): Listener {
  const sockets = new Set<Socket>()
  let awaited: { readonly state: string; resolve(url: string): void } | undefined
  let isClosed = false

  const take = (request: IncomingMessage, response: ServerResponse) => {
    const url = request.url ?? ''
    // a page of another site reaches this address by a name of its own (DNS rebinding)
    const isForHere = request.headers.host === here.host && request.headersDistinct.host?.length === 1
    const isPath = url.startsWith('/') && URL.canParse(url, here)
    if (!isForHere || !isPath || new URL(url, here).host !== here.host) {
      return answer(response, 400, 'Bad request')
    }
    const { href, pathname, searchParams } = new URL(url, here)
    const found = awaited
    const isOurs =
      found !== undefined &&
      request.method === 'GET' &&
      pathname === here.pathname &&
      searchParams.get('state') === found.state
    if (!isOurs) return answer(response, 404, 'Not found')
    awaited = undefined
    // also where the browser does not wait for its page
    response.once('close', () => found.resolve(href))
    answer(response, 200, FAREWELL)
  }

  const here = new URL(wanted)
  const server = createServer(take)
  server.unref() // who waits for the answer has a time limit, which keeps the process up
  server.on('connection', (socket: Socket) => {
    sockets.add(socket)
    const drop = () => void socket.destroy()
    const cancel = deviceClock.after(SOCKET_MS, drop, true)
    socket.unref().once('close', () => {
      cancel()
      sockets.delete(socket)
    })
    const [oldest] = sockets
    if (sockets.size > MOST_SOCKETS) oldest?.destroy()
  })
  const redirectUri = new Promise<string>((resolve, reject) => {
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
    server.listen(Number(wanted.port || 0), host, () => {
      if (isClosed) server.close() // before it had begun
      here.port = String((server.address() as AddressInfo | null)?.port ?? wanted.port)
      resolve(here.href)
    })
  })
  redirectUri.catch(() => {}) // who began the sign-in asks for it later, or fails before that

  return {
    redirectUri,
    answerTo: state =>
      new Promise(resolve => {
        awaited = { state, resolve }
      }),
    close() {
      isClosed = true
      awaited = undefined
      server.close()
      // a page that was answered is sent to its end; nobody waits for that
      for (const socket of sockets) if (!socket.writableEnded) socket.destroySoon()
    },
  }
}

function answer(response: ServerResponse, status: number, body: string): void {
  response.writeHead(status, {
    'content-type': 'text/html; charset=utf-8',
    'cache-control': 'no-store',
    'referrer-policy': 'no-referrer',
    connection: 'close',
  })
  response.end(body)
}

const FAREWELL =
  '<!doctype html><html lang="en"><meta name="viewport" content="width=device-width"><title>Back to the app</title>' +
  '<style>:root{color-scheme:light dark;font:1.1rem/1.6 system-ui}body{display:grid;min-height:90vh;place-content:center;' +
  'text-align:center}</style><h1>That was all</h1><p>You can close this window and go back to the app.</p>'
