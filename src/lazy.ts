import { composeClient } from './client.ts'
import type { Client } from './core/client.ts'
import type { Store, UserAgent } from './core/ports.ts'
import { notLoaded } from './core/waiting.ts'
import type { ClientOptions } from './options.ts'
import { browserEnvironment } from './platform/browser/environment.ts'
import type { RedirectOptions } from './platform/browser/redirect.ts'
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

/** Like `redirect()` of `latchkey`. It loads with the second half. */
export const redirect = (options?: RedirectOptions): UserAgent => ({
  name: 'redirect',
  leaves: true,
  begin(redirectUri) {
    const begun = load().then(half => half.redirect(options).begin(redirectUri))
    return {
      redirectUri: begun.then(attempt => attempt.redirectUri),
      authorize: async (...request) => (await begun).authorize(...request),
      close() {},
    }
  },
})

/** Copies the options: the second half reads them when it has loaded, and later changes by the app must have no effect. */
const readOnce = (options: ClientOptions): ClientOptions => {
  const { server, scope, allowedOrigins, resources, quirks } = options
  const { authorizationParameters, logoutParameters, responseParameters } = options
  const copied = structuredClone({
    ...{ server, scope, allowedOrigins, resources, quirks },
    authorizationParameters,
    logoutParameters,
    responseParameters,
  })
  return { ...options, ...copied } as ClientOptions
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
