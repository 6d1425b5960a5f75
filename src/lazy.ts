import { composeClient } from './client.ts'
import type { Client } from './core/client.ts'
import type { Store } from './core/ports.ts'
import { notLoaded } from './core/waiting.ts'
import type { ClientOptions } from './options.ts'
import { browserEnvironment } from './platform/browser/environment.ts'
import { databaseStore, deferredStore, type IndexedDbOptions } from './platform/browser/stores.ts'

export { type PopupOptions, popup } from './platform/browser/popup.ts'
export { redirect } from './platform/browser/redirect.ts'
export { memory } from './platform/memory.ts'
export * from './public-types.ts'

/** Firefox remembers an import() that failed until the page is loaded again; Chromium and WebKit try again. */
const load = () => import('./second-half.ts').catch(notLoaded)

/** As `indexedDb()` of `latchkey`: its lock and its other places are loaded with the second half. */
export const indexedDb = (options?: IndexedDbOptions): Store =>
  databaseStore(async () => (await load()).createPlaces, options)

/** As `tabStorage()` of `latchkey`: loaded with the second half, which finds out whose tab this is. */
export const tabStorage = (): Store =>
  deferredStore('sessionStorage', 'tab', async () => (await load()).tabStorage())

/** What the app changes in its options later must not count: the second half reads them when it is there. */
const readOnce = (options: ClientOptions): ClientOptions => {
  const { server, scope, allowedOrigins, resources, authorizationParameters, logoutParameters, quirks } =
    options
  const own = { server, scope, allowedOrigins, resources, authorizationParameters, logoutParameters, quirks }
  return { ...options, ...structuredClone(own) } as ClientOptions
}

/**
 * As `createClient` of `latchkey`, in two files: all talk with the authorization server is loaded by `import()`, which
 * begins at once and which nothing waits for that can be answered without it. Not for service workers, where `import()` is
 * forbidden.
 * @throws ConfigurationError when an option is wrong; its message names the option and what would be right.
 */
export function createClient(options: ClientOptions): Client {
  const client = composeClient(options && readOnce(options), browserEnvironment(indexedDb), load)
  // not while a server renders; what fails here is met again by the call that needs it
  if (globalThis.document || 'WorkerGlobalScope' in globalThis) load().catch(() => {})
  return client
}
