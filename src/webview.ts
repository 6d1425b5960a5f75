import { createAuthorization } from './authorization/index.ts'
import { composeClient } from './client.ts'
import { showBy } from './core/callback.ts'
import type { Client } from './core/client.ts'
import type { Environment, Store, UserAgent } from './core/ports.ts'
import { singleFlight, withTimeLimit } from './core/waiting.ts'
import { CallbackError, ConfigurationError, LatchkeyError } from './errors.ts'
import { createReplay } from './fetch/replay.ts'
import { localLock } from './lock/local.ts'
import { type ClientOptions, parseOptions } from './options.ts'
import { authorizationEnvironment } from './platform/browser/authorization-environment.ts'
import { browserPage } from './platform/browser/page.ts'
import { indexedDb } from './platform/browser/places.ts'
import { browserWake } from './platform/browser/wake.ts'
import { device, deviceClock } from './platform/device.ts'
import type { AppLink } from './platform/webview/app-link.ts'
import { localChannels } from './storage/channel.ts'
import { type HostStorage, hostKeyValue } from './storage/host.ts'

export {
  type AppLink,
  type AppLinkOptions,
  type AppLinks,
  appLink,
  type CapacitorPlugins,
  capacitor,
  cordova,
} from './platform/webview/app-link.ts'
export * from './public-types.ts'
export type { HostStorage } from './storage/host.ts'

/** How long the host may take to report the URL that the app was launched with. */
const LAUNCH_MS = 2000

export type WebviewClientOptions = ClientOptions & {
  /** Opens the authorization server outside of the webview, and receives the callback URL. */
  userAgent: AppLink
}

/** Keeps tokens in the host's storage, such as a keychain, a keystore or preferences. Only one process may use it. */
export const hostStore = (storage: HostStorage): Store => ({
  name: 'host',
  keyValue: hostKeyValue(storage),
  lock: localLock(deviceClock),
  channel: localChannels(),
})

/** RFC 8252 section 8.12: the app could read a sign-in page in its webview, and the user could not verify its origin. */
function leavesTheWebview(userAgent: UserAgent | undefined): asserts userAgent is AppLink {
  if ((userAgent as AppLink | undefined)?.links) return
  throw new ConfigurationError(
    '"userAgent" must be appLink(…): in a webview, a sign-in has to leave it for the system\'s browser (RFC 8252 section 8.12).',
  )
}

/**
 * Creates a client for an app in a webview. It signs in with the system's browser. If the app was closed during a sign-in,
 * `start()` finishes that sign-in and shows its `returnTo`. latchkey never reads a callback from the webview's own address.
 * @throws ConfigurationError for a wrong option. Its message names the option and a correct value.
 */
export function createClient(options: WebviewClientOptions): Client {
  // parseOptions() reports missing options
  if (options) leavesTheWebview(options.userAgent)
  const { userAgent } = options ?? {}
  const environment: Environment = {
    ...device,
    store: indexedDb,
    userAgent: () => userAgent,
    page: undefined,
    baseUrl: () => globalThis.document?.baseURI,
    wake: browserWake,
    isReadable: true,
  }
  const client = composeClient(options, environment, {
    parseOptions,
    createAuthorization,
    createReplay,
    authorizationEnvironment: {
      ...authorizationEnvironment,
      leave: (url, _gone, returnUri) => userAgent.leave(url, returnUri),
    },
  })
  const { links } = userAgent
  const { start, signIn, dispose } = client
  const share = singleFlight<unknown>()
  /** A plugin that fails or hangs must not prevent latchkey from restoring the session. */
  const launchUrl = () => {
    const late = () => new Error('The host did not report the launch URL in time.')
    return withTimeLimit(deviceClock, LAUNCH_MS, async () => links.launchUrl?.(), late).catch(() => undefined)
  }
  const showPage = (url: string) => {
    const replace = (address: string) => browserPage()?.replaceLocation(address)
    if (options.navigate) showBy(options.navigate, url, replace)
    else replace(url)
  }
  let isLaunched = false
  // the webview may reload while the user signs in; a sign-in that still waits in this page gets the URL too
  const stop = links.receive(url => void client.handleCallback(url).catch(() => {}))

  return Object.assign(client, {
    async start() {
      await share('launch', async () => {
        const url = isLaunched ? undefined : await launchUrl()
        isLaunched = true
        try {
          const result = url ? await client.handleCallback(url) : undefined
          if (result?.handled && result.returnTo) showPage(result.returnTo)
        } catch (error) {
          isLaunched = !(error instanceof LatchkeyError && error.retryable)
          // Android opens a recent app again with its old link
          if (!(error instanceof CallbackError && error.lost?.likely === 'expired')) throw error
        }
      })
      return start()
    },
    async signIn(choice: Parameters<Client['signIn']>[0] = {}) {
      if (choice.userAgent) leavesTheWebview(choice.userAgent)
      return signIn(choice)
    },
    dispose() {
      stop()
      dispose()
    },
  })
}
