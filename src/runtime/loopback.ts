import { spawn } from 'node:child_process'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { UserAgent } from '../core/ports.ts'
import { withTimeLimit } from '../core/time-limit.ts'
import { CallbackError, ConfigurationError } from '../errors.ts'
import { deviceClock } from './device-clock.ts'

export interface LoopbackOptions {
  /**
   * Shows the URL to the user. `'print'` prints it to standard error. Default: that, and the system's browser is opened
   * where there is one: not over SSH, and not where there is no display.
   */
  open?: 'print' | ((url: string) => void | Promise<void>)
  /** How long the user may take, in milliseconds. Default 5 minutes. */
  timeoutMs?: number
}

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
    const server = createServer()
    return {
      redirectUri: listen(server, wanted, host),
      authorize: (url, state) =>
        withTimeLimit(
          deviceClock,
          timeoutMs,
          async () => {
            const answer = nextAnswer(server, wanted, state)
            if (typeof open === 'function') await open(url)
            else show(url, (server.address() as AddressInfo).port, wanted.hostname, !open && hasBrowser())
            return answer
          },
          () =>
            new CallbackError(
              `No answer came within ${timeoutMs / 1000} s. Call signIn() to try again.`,
              'cancelled',
            ),
        ),
      close() {
        server.close()
        server.closeIdleConnections()
      },
    }
  },
})

const listen = (server: Server, wanted: URL, host: string): Promise<string> =>
  new Promise((resolve, reject) => {
    server.once('error', (cause: NodeJS.ErrnoException) =>
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
      const here = new URL(wanted)
      here.port = String((server.address() as AddressInfo).port)
      resolve(here.href)
    })
  })

/** The first request for the redirect URI's path with our state. Whatever else knocks gets a 404. */
const nextAnswer = (server: Server, wanted: URL, state: string): Promise<string> =>
  new Promise(resolve => {
    server.on('request', (request, response) => {
      const { port } = server.address() as AddressInfo
      const url = new URL(request.url ?? '/', wanted)
      url.port = String(port)
      const isOurs =
        request.method === 'GET' &&
        url.pathname === wanted.pathname &&
        url.searchParams.get('state') === state
      response.writeHead(isOurs ? 200 : 404, {
        'content-type': 'text/html; charset=utf-8',
        'cache-control': 'no-store',
        'referrer-policy': 'no-referrer',
        connection: 'close',
      })
      response.end(isOurs ? FAREWELL : 'Not found', () => {
        if (isOurs) resolve(url.href)
      })
    })
  })

const FAREWELL =
  '<!doctype html><html lang="en"><meta name="viewport" content="width=device-width"><title>Back to the app</title>' +
  '<style>:root{color-scheme:light dark;font:1.1rem/1.6 system-ui}body{display:grid;min-height:90vh;place-content:center;' +
  'text-align:center}</style><h1>That was all</h1><p>You can close this window and go back to the app.</p>'

/** A browser that starts here is of no use to who sits elsewhere. */
function hasBrowser(): boolean {
  const { SSH_CONNECTION, SSH_TTY, DISPLAY, WAYLAND_DISPLAY } = process.env
  if (SSH_CONNECTION || SSH_TTY) return false
  return /^(darwin|win32)$/.test(process.platform) || Boolean(DISPLAY || WAYLAND_DISPLAY)
}

/** Never through a shell: the URL is an argument, not a command. */
function show(url: string, port: number, host: string, inBrowser: boolean): void {
  process.stderr.write(`Open this address to sign in:\n${url}\n`)
  if (!inBrowser) {
    process.stderr.write(
      `The answer has to reach port ${port} of this machine. From another one, first run there:\nssh -N -L ${port}:${host}:${port} <this machine>\n`,
    )
    return
  }
  const [command, ...args] =
    process.platform === 'darwin'
      ? ['open', url]
      : process.platform === 'win32'
        ? ['rundll32', 'url.dll,FileProtocolHandler', url]
        : ['xdg-open', url]
  const opener = spawn(command as string, args, { stdio: 'ignore', detached: true })
  opener.on('error', () => {}) // no opener here: the address was printed
  opener.unref()
}
