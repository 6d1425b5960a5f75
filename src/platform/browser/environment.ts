import type { Environment, Store, UserAgent } from '../../core/ports.ts'
import { device } from '../device.ts'
import { browserPage } from './page.ts'
import { browserStore } from './stores.ts'
import { browserWake } from './wake.ts'

/** The parts that `latchkey` contains and `latchkey/lazy` loads. */
export interface BrowserParts {
  indexedDb(): Store
  memory(): Store
  redirect(): UserAgent
}

/** Whether this is workerd, where pages have no events and only the app's owner can read the code and the secrets. */
const isWorkerd = () => globalThis.navigator?.userAgent === 'Cloudflare-Workers'

/** The environment of a window, a worker, or a server that renders a page. */
export const browserEnvironment = ({ indexedDb, memory, redirect }: BrowserParts): Environment => ({
  ...device,
  store: () => browserStore(indexedDb, memory),
  userAgent: redirect,
  page: browserPage(),
  baseUrl: () => globalThis.document?.baseURI ?? globalThis.location?.href,
  wake: isWorkerd() ? undefined : browserWake,
  isReadable: !isWorkerd(),
})
