import type { Environment, Store } from '../../core/ports.ts'
import { ConfigurationError } from '../../errors.ts'
import { device } from '../device.ts'
import { browserPage, watchLeaving } from './page.ts'
import { redirect } from './redirect.ts'
import { browserStore } from './stores.ts'
import { browserWake } from './wake.ts'

/**
 * This window or worker, or a server that renders a page.
 * @throws ConfigurationError where there is no Web Crypto.
 */
export function browserEnvironment(indexedDb: () => Store): Environment {
  if (!globalThis.crypto?.subtle) {
    const origin = globalThis.location?.origin ?? 'this runtime'
    throw new ConfigurationError(
      `${origin} has no Web Crypto, which signing in needs. Serve the page over https, or from localhost.`,
    )
  }
  return {
    ...device,
    store: () => browserStore(indexedDb),
    userAgent: redirect,
    page: browserPage(),
    baseUrl: () => globalThis.document?.baseURI ?? globalThis.location?.href,
    wake: browserWake,
    watchLeaving,
    isReadable: true,
  }
}
