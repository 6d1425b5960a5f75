import { matchesRedirectUri } from '../../core/callback.ts'
import { parseUrl } from '../../core/destination.ts'
import { createListeners, type Listeners } from '../../core/listeners.ts'
import type { UserAgent } from '../../core/ports.ts'
import { CallbackError } from '../../errors.ts'
import { deviceClock } from '../device.ts'

/** The URLs that open the app: custom schemes and claimed https links (RFC 8252 sections 7.1 and 7.2). */
export interface AppLinks {
  /** Calls the listener with every URL that opens the app. Returns a function that stops it. */
  receive(listener: (url: string) => void): () => void
  /** Resolves with the URL that started this process, if the system reports it separately from `receive`. */
  launchUrl?(): Promise<string | undefined>
}

export interface AppLinkOptions extends AppLinks {
  /**
   * Shows a URL outside of the webview: in the system's browser, a custom tab or ASWebAuthenticationSession
   * (RFC 8252 section 8.12). If that returns the callback URL itself, return a promise of that URL.
   */
  open(url: string): unknown
  /** Closes the browser that `open` showed, if the app can do that. */
  close?(): unknown
  /** Calls the listener when the user closes that browser, if the app can observe it. Returns a function that stops it. */
  onClosed?(listener: () => void): () => void
  /** How many milliseconds the user may take. Default 300,000 (5 minutes). */
  timeoutMs?: number
}

/** A user agent that sends the user to another program. That program opens the app again with the authorization response. */
export interface AppLink extends UserAgent {
  readonly links: AppLinks
  /**
   * Shows a page outside of the webview, such as the provider's sign-out page. Never rejects.
   * @returns a promise that resolves when `returnUri` opens the app, the user closes the browser, the time limit is reached
   * or a sign-in begins. Without `returnUri`, it resolves as soon as the page is open.
   */
  leave(url: string, returnUri: string | undefined): Promise<void>
}

/** How long to wait for the callback URL after the browser closes: the two events come in any order. */
const AFTERWARDS_MS = 1000

const isAnswer = (received: string, redirectUri: string, state: string): boolean => {
  const url = parseUrl(received)
  if (!url) return false
  const { searchParams: parameters } = url
  if (!matchesRedirectUri(url, redirectUri)) return false
  // RFC 6749 section 4.1.2.1 requires `state` in an error response, but some servers leave it out
  return parameters.has('state') ? parameters.get('state') === state : parameters.has('error')
}

/** Signs in with the system's browser, which opens the app again with the authorization response. */
export function appLink(options: AppLinkOptions): AppLink {
  const { timeoutMs = 300_000 } = options
  const awaited = new Set<string>()
  const isAwaited = (url: string) => awaited.has(parseUrl(url)?.searchParams.get('state') ?? '')

  const opened = async (url: string) => options.open(url)

  const authorize = (redirectUri: string, url: string, state: string) =>
    new Promise<string>((resolve, reject) => {
      awaited.add(state)
      const stops: (() => void)[] = [() => awaited.delete(state)]
      const settle = (end: () => void) => {
        for (const stop of stops.splice(0)) stop()
        end()
      }
      const cancel = (why: string, cause?: unknown) =>
        settle(() => reject(new CallbackError(`${why}.`, 'cancelled', { cause })))
      const closed = () => {
        stops.push(deviceClock.after(AFTERWARDS_MS, () => cancel('The browser was closed')))
      }
      stops.push(
        deviceClock.after(timeoutMs, () => cancel(`No answer came within ${timeoutMs / 1000} s`)),
        // any other URL that opens the app is the app's concern
        options.receive(received => {
          if (isAnswer(received, redirectUri, state)) settle(() => resolve(received))
        }),
      )
      if (options.onClosed) stops.push(options.onClosed(closed))
      opened(url)
        .then(answer => {
          if (typeof answer === 'string' && isAnswer(answer, redirectUri, state))
            settle(() => resolve(answer))
        })
        .catch(cause => cancel('The browser could not be opened', cause))
    })

  /** Ends the wait for a sign-out page, because the next sign-in takes over its browser. */
  let cameBack = () => {}
  const close = () =>
    void Promise.resolve()
      .then(() => options.close?.())
      .catch(() => {})

  const leave = (url: string, returnUri: string | undefined) =>
    new Promise<void>(resolve => {
      cameBack()
      const stops: (() => void)[] = []
      const settle = () => {
        for (const stop of stops.splice(0)) stop()
        resolve()
      }
      cameBack = settle
      if (returnUri) {
        const arrived = (received: unknown) => {
          const url = parseUrl(received)
          if (!url || !matchesRedirectUri(url, returnUri)) return
          settle()
          close()
        }
        stops.push(deviceClock.after(timeoutMs, settle), options.receive(arrived))
        if (options.onClosed) stops.push(options.onClosed(settle))
        opened(url).then(arrived, settle)
      } else opened(url).then(settle, settle)
    })

  return {
    name: 'appLink',
    leave,
    links: {
      launchUrl: async () => options.launchUrl?.(),
      // a sign-in in this process handles the URL that it waits for
      receive: listener =>
        options.receive(url => {
          if (!isAwaited(url)) listener(url)
        }),
    },
    begin(redirectUri) {
      cameBack()
      return { redirectUri, authorize: (url, state) => authorize(redirectUri, url, state), close }
    },
  }
}

interface Handle {
  remove(): Promise<void>
}

/** The parts of `@capacitor/app` and `@capacitor/browser` that latchkey uses. */
export interface CapacitorPlugins {
  readonly App: {
    addListener(event: 'appUrlOpen', listener: (opened: { url: string }) => void): Promise<Handle>
    getLaunchUrl(): Promise<{ url: string } | undefined>
  }
  readonly Browser: {
    open(options: { url: string }): Promise<void>
    close(): Promise<void>
    addListener(event: 'browserFinished', listener: () => void): Promise<Handle>
  }
}

const removing = (adding: Promise<Handle>) => () =>
  void adding.then(handle => handle.remove()).catch(() => {})

/** Options of `appLink()` for Capacitor's plugins `App` and `Browser`: a custom tab or SFSafariViewController. */
export const capacitor = ({ App, Browser }: CapacitorPlugins): AppLinkOptions => ({
  open: url => Browser.open({ url }),
  close: () => Browser.close(),
  receive: listener => removing(App.addListener('appUrlOpen', ({ url }) => listener(url))),
  onClosed: listener => removing(Browser.addListener('browserFinished', listener)),
  launchUrl: async () => (await App.getLaunchUrl())?.url,
})

/** Marks a `handleOpenURL` function that also calls latchkey's listeners. */
const LISTENERS = Symbol.for('latchkey cordova listeners')

type HandleOpenUrl = ((url: string) => void) & {
  readonly [LISTENERS]: Listeners<string>
  readonly before: ((url: string) => void) | undefined
}

/** Wraps the function once for all listeners, however often they start and stop. */
const wrap = (before: ((url: string) => void) | undefined): HandleOpenUrl => {
  const listeners = createListeners<string>()
  const handle = (url: string) => {
    listeners.emit(url)
    before?.(url)
  }
  return Object.assign(handle, { [LISTENERS]: listeners, before })
}

/**
 * Options of `appLink()` for Cordova: `cordova-plugin-customurlscheme` calls the global function `handleOpenURL` with every
 * URL that opens the app, including the one that starts it.
 * @param host the object with that function: `window`.
 * @param open for example `url => cordova.InAppBrowser.open(url, '_system')`.
 */
export const cordova = (
  host: { handleOpenURL?: ((url: string) => void) | undefined },
  open: (url: string) => unknown,
): AppLinkOptions => ({
  open,
  receive(listener) {
    const found = host.handleOpenURL
    const handle = found && LISTENERS in found ? (found as HandleOpenUrl) : wrap(found)
    host.handleOpenURL = handle
    const stop = handle[LISTENERS].add(listener)
    return () => {
      stop()
      // another function may wrap this one by now: then it stays
      if (handle[LISTENERS].size() === 0 && host.handleOpenURL === handle) host.handleOpenURL = handle.before
    }
  },
})
