import { composeClient } from './client.ts'
import type { Client } from './core/client.ts'
import type { Store, UserAgent } from './core/ports.ts'
import { notLoaded } from './core/waiting.ts'
import type { ClientOptions } from './options.ts'
import { browserEnvironment } from './platform/browser/environment.ts'
import { type RedirectOptions, redirectBy } from './platform/browser/page.ts'
import { databaseStore, deferredStore, type IndexedDbOptions } from './platform/browser/stores.ts'

export { type PopupOptions, popup } from './platform/browser/popup.ts'
export * from './public-types.ts'

/** Firefox caches a failed import() until the page reloads; Chromium and WebKit try again. */
const load = () => import('./second-half.ts').catch(notLoaded)

/** Like `indexedDb()` of `latchkey`. Its lock and its other places load with the second half. */
export const indexedDb = (options?: IndexedDbOptions): Store =>
  databaseStore(async () => (await load()).createPlaces, options)

/** Like `tabStorage()` of `latchkey`. It loads with the second half, which finds out whether this tab is a duplicate. */
export const tabStorage = (): Store =>
  deferredStore('sessionStorage', 'tab', async () => (await load()).tabStorage())

/** Like `memory()` of `latchkey`. It loads with the second half. */
export const memory = (): Store => deferredStore('memory', 'page', async () => (await load()).memory())

/**
 * Signs in with a redirect: this page navigates to the authorization server, which sends the user back. The default in
 * browsers. `signIn()` rejects with a ConfigurationError in a worker, on a server and in a frame of another origin.
 */
export const redirect = (options?: RedirectOptions): UserAgent =>
  redirectBy(async url => (await load()).authorizationEnvironment.leave(url), options)

/** Copies the options: the second half reads them when it has loaded, and later changes by the app must have no effect. */
const readOnce = (options: ClientOptions): ClientOptions => {
  const { server, scope, allowedOrigins, resources, authorizationParameters, logoutParameters, quirks } =
    options
  const own = { server, scope, allowedOrigins, resources, authorizationParameters, logoutParameters, quirks }
  return { ...options, ...structuredClone(own) } as ClientOptions
}

/**
 * Like `createClient` of `latchkey`, in two files. latchkey loads the code for all requests to the authorization server with
 * `import()`. That begins immediately, and calls that do not need the code do not wait for it. Not for service workers,
 * where `import()` is forbidden.
 * @throws ConfigurationError for a wrong option. Its message names the option and a correct value.
 */
export function createClient(options: ClientOptions): Client {
  const client = composeClient(
    options && readOnce(options),
    browserEnvironment({ indexedDb, memory, redirect }),
    load,
  )
  // not while a server renders; if it fails here, the call that needs it reports the failure
  if (globalThis.document || 'WorkerGlobalScope' in globalThis) load().catch(() => {})
  return client
}
