import { isAt } from '../../core/callback.ts'
import { createListeners, type Listeners } from '../../core/listeners.ts'
import type { UserAgent } from '../../core/ports.ts'
import { CallbackError } from '../../errors.ts'
import { deviceClock } from '../device.ts'

/** How an app is opened with URLs: custom schemes and claimed https links (RFC 8252 sections 7.1 and 7.2). */
export interface AppLinks {
  /** Tells every URL that the app is opened with, until the answer is called. */
  receive(listener: (url: string) => void): () => void
  /** The URL that this process was started with, where the system tells it apart from `receive`. */
  launchUrl?(): Promise<string | undefined>
}

export interface AppLinkOptions extends AppLinks {
  /**
   * Shows a URL outside of the webview: in the system's browser, a custom tab or ASWebAuthenticationSession
   * (RFC 8252 section 8.12). Where that brings the answer itself, it is a promise of the callback URL.
   */
  open(url: string): unknown
  /** Closes what `open` showed, where that can be done. */
  close?(): unknown
  /** Tells that the user closed it, where that is told. */
  onClosed?(listener: () => void): () => void
  /** How long the user may take, in milliseconds. Default 5 minutes. */
  timeoutMs?: number
}

/** A user agent that hands the user to another program, which opens the app again with the answer. */
export interface AppLink extends UserAgent {
  readonly links: AppLinks
  /**
   * Shows a page outside of the webview, such as the one where the provider's session ends. Never rejects.
   * @returns when the app is opened with `returnUri`, the user closed the browser, the time is over or a sign-in begins;
   * at once where there is no `returnUri` to wait for.
   */
  leave(url: string, returnUri: string | undefined): Promise<void>
}

/** The answer and the news that the browser is closed come in any order. */
const AFTERWARDS_MS = 1000

const isAnswer = (received: string, redirectUri: string, state: string): boolean => {
  if (!URL.canParse(received)) return false
  const url = new URL(received)
  const { searchParams: parameters } = url
  if (!isAt(url, redirectUri)) return false
  // some servers leave the state out of an error, where RFC 6749 section 4.1.2.1 asks for it
  return parameters.has('state') ? parameters.get('state') === state : parameters.has('error')
}

/** Signs in in the system's browser; the app is opened again with the answer. */
export function appLink(options: AppLinkOptions): AppLink {
  const { timeoutMs = 300_000 } = options
  const awaited = new Set<string>()
  const isAwaited = (url: string) =>
    URL.canParse(url) && awaited.has(new URL(url).searchParams.get('state') ?? '')

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
        // anything else that opens the app is the app's own
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

  /** Ends the waiting for a sign-out, whose browser the next sign-in takes over. */
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
          if (typeof received !== 'string' || !URL.canParse(received)) return
          if (!isAt(new URL(received), returnUri)) return
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
      // what a sign-in of this process waits for is its own
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

/** What is used of `@capacitor/app` and `@capacitor/browser`. */
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

/** For `appLink()`, from the plugins `App` and `Browser` of Capacitor: a custom tab or SFSafariViewController. */
export const capacitor = ({ App, Browser }: CapacitorPlugins): AppLinkOptions => ({
  open: url => Browser.open({ url }),
  close: () => Browser.close(),
  receive: listener => removing(App.addListener('appUrlOpen', ({ url }) => listener(url))),
  onClosed: listener => removing(Browser.addListener('browserFinished', listener)),
  launchUrl: async () => (await App.getLaunchUrl())?.url,
})

/** What the global function of Cordova is, once it tells our listeners too. */
const LISTENERS = Symbol.for('latchkey cordova listeners')

type HandleOpenUrl = ((url: string) => void) & {
  readonly [LISTENERS]: Listeners<string>
  readonly before: ((url: string) => void) | undefined
}

/** Once for all who receive, however often they begin and stop. */
const wrap = (before: ((url: string) => void) | undefined): HandleOpenUrl => {
  const listeners = createListeners<string>()
  const handle = (url: string) => {
    listeners.tell(url)
    before?.(url)
  }
  return Object.assign(handle, { [LISTENERS]: listeners, before })
}

/**
 * For `appLink()`, from Cordova: `cordova-plugin-customurlscheme` calls the global function `handleOpenURL`, also with
 * the URL that the app was started with.
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
      // others may have been put before it meanwhile: then it stays
      if (handle[LISTENERS].size() === 0 && host.handleOpenURL === handle) host.handleOpenURL = handle.before
    }
  },
})
