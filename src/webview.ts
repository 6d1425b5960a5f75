import { createAuthorization } from './authorization/index.ts'
import { composeClient } from './client.ts'
import { showBy } from './core/callback.ts'
import type { Client } from './core/client.ts'
import type { Environment, Store, UserAgent } from './core/ports.ts'
import { singleFlight, withTimeLimit } from './core/waiting.ts'
import { CallbackError, ConfigurationError, LatchkeyError } from './errors.ts'
import { localLock } from './lock/local.ts'
import { type ClientOptions, parseOptions } from './options.ts'
import { browserPage, watchLeaving } from './platform/browser/page.ts'
import { indexedDb } from './platform/browser/places.ts'
import { browserWake } from './platform/browser/wake.ts'
import { device, deviceClock } from './platform/device.ts'
import type { AppLink } from './platform/webview/app-link.ts'
import { silentChannel } from './storage/channel.ts'
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

/** How long the host may take to tell the URL that the app was launched with. */
const LAUNCH_MS = 2000

export type WebviewClientOptions = ClientOptions & {
  /** How the user gets out of the webview, to the authorization server and back. */
  userAgent: AppLink
}

/** Tokens where the host keeps them: a keychain, a keystore, preferences. For a process that shares them with no other. */
export const hostStore = (storage: HostStorage): Store => ({
  name: 'host',
  keyValue: hostKeyValue(storage),
  lock: localLock(deviceClock),
  channel: silentChannel,
})

/** RFC 8252 section 8.12: a page in a webview could be read by the app, and the user could not tell whose it is. */
function leavesTheWebview(userAgent: UserAgent | undefined): asserts userAgent is AppLink {
  if ((userAgent as AppLink | undefined)?.links) return
  throw new ConfigurationError(
    '"userAgent" must be appLink(…): in a webview, a sign-in has to leave it for the system\'s browser (RFC 8252 section 8.12).',
  )
}

/**
 * A client for an app in a webview: signs in in the system's browser, and finishes a sign-in that the app did not live to
 * see; the webview is then at the sign-in's `returnTo`. The webview's own address is never read for a callback.
 * @throws ConfigurationError when an option is wrong; its message names the option and what would be right.
 */
export function createClient(options: WebviewClientOptions): Client {
  // what is wrong with no options at all is said by the check of all of them
  if (options) leavesTheWebview(options.userAgent)
  const { userAgent } = options ?? {}
  const environment: Environment = {
    ...device,
    store: indexedDb,
    userAgent: () => userAgent,
    page: undefined,
    leave: (url, _gone, returnUri) => userAgent.leave(url, returnUri),
    baseUrl: () => globalThis.document?.baseURI,
    wake: browserWake,
    watchLeaving,
    isReadable: true,
  }
  const client = composeClient(options, environment, { parseOptions, createAuthorization })
  const { links } = userAgent
  const { start, signIn, dispose } = client
  const share = singleFlight<unknown>()
  /** A plugin that fails or hangs does not keep a session from being restored. */
  const launchUrl = () => {
    const late = () => new Error('The URL of the launch is not told.')
    return withTimeLimit(deviceClock, LAUNCH_MS, async () => links.launchUrl?.(), late).catch(() => undefined)
  }
  const showPage = (url: string) => {
    const replace = (address: string) => browserPage()?.replaceLocation(address)
    if (options.navigate) showBy(options.navigate, url, replace)
    else replace(url)
  }
  let isLaunched = false
  // a webview may be loaded anew while the user is away; who waits for the answer in this life gets it too
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
          // Android opens an app from its list of recent ones with the link of long ago
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
