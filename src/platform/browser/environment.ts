import { joinClient } from '../../client.ts'
import type { Client } from '../../core/client.ts'
import { ConfigurationError } from '../../errors.ts'
import type { ClientOptions } from '../../options.ts'
import { device } from '../device-ports.ts'
import { browserPage, watchLeaving } from './page.ts'
import { redirect } from './redirect.ts'
import { browserStore } from './stores.ts'
import { browserWake } from './wake.ts'

/**
 * A client for browser windows and workers. Can be created anywhere, also while rendering on a server.
 * @throws ConfigurationError when an option is wrong; its message names the option and what would be right.
 */
export function createClient(options: ClientOptions): Client {
  if (!globalThis.crypto?.subtle) {
    const origin = globalThis.location?.origin ?? 'this runtime'
    throw new ConfigurationError(
      `${origin} has no Web Crypto, which signing in needs. Serve the page over https, or from localhost.`,
    )
  }
  return joinClient(options, {
    ...device,
    store: browserStore,
    userAgent: redirect,
    page: browserPage(),
    baseUrl: () => globalThis.document?.baseURI ?? globalThis.location?.href,
    wake: browserWake,
    watchLeaving,
    isReadable: true,
  })
}
