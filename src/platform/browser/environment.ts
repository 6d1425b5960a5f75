import type { Environment, Store } from '../../core/ports.ts'
import { device } from '../device.ts'
import { browserPage, watchLeaving } from './page.ts'
import { redirect } from './redirect.ts'
import { browserStore } from './stores.ts'
import { browserWake } from './wake.ts'

/** The environment of a window, a worker, or a server that renders a page. */
export function browserEnvironment(indexedDb: () => Store): Environment {
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
