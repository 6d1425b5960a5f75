import { createAuthorization } from './authorization/index.ts'
import { composeClient } from './client.ts'
import type { Client } from './core/client.ts'
import { createReplay } from './fetch/replay.ts'
import { type ClientOptions, parseOptions } from './options.ts'
import { authorizationEnvironment } from './platform/browser/authorization-environment.ts'
import { browserEnvironment } from './platform/browser/environment.ts'
import { indexedDb } from './platform/browser/places.ts'
import { redirect } from './platform/browser/redirect.ts'
import { memory } from './platform/memory.ts'

export { indexedDb } from './platform/browser/places.ts'
export { type PopupOptions, popup } from './platform/browser/popup.ts'
export { redirect } from './platform/browser/redirect.ts'
export { tabStorage } from './platform/browser/session-storage.ts'
export { memory } from './platform/memory.ts'
export * from './public-types.ts'

/**
 * Creates a client for browser windows and workers. You can call it anywhere, even while a server renders the page.
 * @throws ConfigurationError for a wrong option. Its message names the option and a correct value.
 */
export const createClient = (options: ClientOptions): Client =>
  composeClient(options, browserEnvironment({ indexedDb, memory, redirect }), {
    ...{ parseOptions, createAuthorization, authorizationEnvironment, createReplay },
  })
