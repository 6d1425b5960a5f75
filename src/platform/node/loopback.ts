import type { UserAgent } from '../../core/ports.ts'
import { abortable, withTimeLimit } from '../../core/waiting.ts'
import { CallbackError, ConfigurationError } from '../../errors.ts'
import { memoryKeyValue } from '../../storage/memory.ts'
import { deviceClock } from '../device.ts'
import { type ListenOptions, listen, type Reply, type Routes, refuse } from './loopback-listener.ts'
import { type HandOver, handOver, hasBrowser, openInBrowser } from './system-browser.ts'

export interface LoopbackOptions {
  /**
   * Shows the URL to the user. `'print'` prints it to standard error. Default: latchkey prints it and opens the system's
   * browser, unless the program runs over SSH or without a display.
   */
  open?: 'print' | ((url: string) => void | Promise<void>)
  /** How many milliseconds the user may take. Default 300,000 (5 minutes). */
  timeoutMs?: number
  /** Where to listen if not at the redirect URI, such as in a container with a forwarded port. Default: the redirect URI. */
  listen?: ListenOptions
}

/**
 * Signs in with the system's browser, which delivers the authorization response to a listener on this machine (RFC 8252
 * section 7.3). The listener uses a loopback address, and a free port unless the redirect URI names one. It closes after one
 * response.
 */
export const loopback = ({ open, timeoutMs = 300_000, listen: where }: LoopbackOptions = {}): UserAgent => ({
  name: 'loopback',
  begin(redirectUri) {
    const wanted = new URL(redirectUri)
    if (wanted.protocol !== 'http:' || !/^(localhost|\[::1\]|127\.\d+\.\d+\.\d+)$/.test(wanted.hostname)) {
      throw new ConfigurationError(
        `loopback() needs a "redirectUri" such as "http://127.0.0.1/callback"; got "${redirectUri}".`,
      )
    }
    const register = wanted.port
      ? `${redirectUri}.`
      : `${redirectUri} for any port, or register one with a port and set it as "redirectUri".`
    const advice = `If the server's page refuses the redirect URI, register ${register}`
    const routes: Routes = new Map([[wanted.pathname, () => refuse(404)]])
    const listener = listen(wanted, routes, where)
    let used = redirectUri
    const redirect = listener.url.then(url => {
      used = url.href
      return used
    })
    redirect.catch(() => {}) // it may reject before the caller awaits it
    const closing = new AbortController()
    let way: HandOver | undefined

    const show = async (url: string, here: URL) => {
      if (typeof open === 'function') return open(url)
      process.stderr.write(`Open this address to sign in:\n${url}\n`)
      process.stderr.write(`The sign-in comes back to ${here.href}\n${advice}\n`)
      if (open || !hasBrowser()) {
        const { port, hostname } = here
        process.stderr.write(
          `The answer has to reach port ${port} of this machine. From another one, first run there:\nssh -N -L ${port}:${hostname}:${port} <this machine>\n`,
        )
        return
      }
      try {
        way = handOver(url, here, routes)
        openInBrowser(way.argument)
      } catch {} // the user can open the printed address
    }
    const answerTo = (url: string, state: string, here: URL) =>
      new Promise<string>((resolve, reject) => {
        routes.set(wanted.pathname, answers(state, resolve))
        show(url, here).catch(cause =>
          reject(
            new CallbackError('The function "open" could not open the browser: see "cause".', 'cancelled', {
              cause,
            }),
          ),
        )
      })
    return {
      redirectUri: redirect,
      notes: memoryKeyValue(), // nothing of it is left if the program is ended
      authorize: (url, state) =>
        withTimeLimit(
          deviceClock,
          timeoutMs,
          async () => abortable(answerTo(url, state, await listener.url), closing.signal),
          () =>
            new CallbackError(
              `No answer came to ${used} within ${timeoutMs / 1000} s. ${advice}`,
              'cancelled',
            ),
        ).finally(() => way?.close()),
      close() {
        closing.abort(new CallbackError('The sign-in was closed. Offer sign-in again.', 'cancelled'))
        way?.close()
        listener.close()
      },
    }
  },
})

/**
 * Handles requests to the redirect URI while a sign-in waits. A request with the right `state` is the authorization
 * response. Some servers leave `state` out of an error response. latchkey accepts such an error if the browser loads it as a
 * page, because only the server sends the user here.
 */
const answers =
  (state: string, resolve: (answer: string) => void): ((...args: Parameters<RouteHandler>) => Reply) =>
  (url, { headers }) => {
    const { searchParams: parameters } = url
    const isOurs = parameters.get('state') === state
    const isError = parameters.has('error')
    const isPage = (headers['sec-fetch-dest'] ?? 'document') === 'document'
    if (isOurs ? !isError && !parameters.has('code') : !isError || !isPage) return refuse(404)
    if (!isOurs) parameters.delete('state')
    return {
      status: 200,
      body: isError
        ? page('The sign-in was not completed.', 'You can close this tab and go back to the program.')
        : page('You are signed in.', 'You can close this tab.'),
      sent: () => resolve(url.href),
    }
  }

type RouteHandler = Routes extends Map<string, infer Handler> ? Handler : never

/** The page contains no text from the request. */
const page = (title: string, text: string) =>
  `<!doctype html><html lang="en"><meta name="viewport" content="width=device-width"><title>${title}</title>` +
  '<style>:root{color-scheme:light dark;font:1.1rem/1.6 system-ui}body{display:grid;min-height:90vh;place-content:center;' +
  `text-align:center}</style><h1>${title}</h1><p>${text}</p>`
