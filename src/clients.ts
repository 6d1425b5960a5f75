import type { Client } from './core/client.ts'
import type { Fetch, Store } from './core/ports.ts'
import { ConfigurationError } from './errors.ts'
import { sharedDocuments } from './platform/shared-documents.ts'

/** The options that `createClients()` sets for each client. */
export interface SharedParts {
  /** The name that was passed to `for()`. */
  readonly session: string
  readonly store: Store
  readonly fetch: Fetch
}

export interface ClientsOptions<C extends Client> {
  /** Creates the client of one session. Pass `...parts` on in its options. */
  create: (parts: SharedParts) => C
  /** Where the tokens of all sessions are stored. */
  store: Store
  /** The function that sends all requests. Default: the global `fetch`. */
  fetch?: Fetch
  /**
   * The most clients to keep, 1 or more. When there are more, the least recently used one is disposed; its session stays in
   * the store. Default 1000.
   */
  most?: number
}

/** The clients of many users or tenants in one process. */
export interface Clients<C extends Client> {
  /**
   * Returns the client of one session: the same one until it is dropped.
   * @param session a user id, or the id of your own session.
   * @throws ConfigurationError for an empty name.
   */
  for(session: string): C
  /** The current number of clients. */
  readonly size: number
  /** Disposes all clients and closes the store. The sessions stay in the store. */
  dispose(): void
}

/**
 * Gives each user or tenant a separate client. All clients share one store, one configuration and one copy of the server's
 * metadata and keys. An unused session costs no timer, socket or listener, and no memory once its client is dropped.
 * @throws ConfigurationError for a wrong option.
 */
export function createClients<C extends Client>(options: ClientsOptions<C>): Clients<C> {
  const { create, store, fetch = (...args) => globalThis.fetch(...args), most = 1000 } = options
  if (typeof create !== 'function')
    throw new ConfigurationError(
      '"create" must be a function such as parts => createClient({ …, ...parts }).',
    )
  if (!(most >= 1)) throw new ConfigurationError(`"most" must be 1 or more; got ${most}.`)
  const clients = new Map<string, C>()
  // a client that is disposed must not close the store, because the others still use it
  const shared: Store = { ...store, close() {} }
  const shareFetch = sharedDocuments(fetch)
  return {
    for(session) {
      if (typeof session !== 'string' || !session)
        throw new ConfigurationError('for() needs the name of a session, such as the id of a user.')
      const known = clients.get(session)
      const client = known ?? create({ session, store: shared, fetch: shareFetch })
      // a Map keeps the order in which entries were added: the first one is the least recently used
      if (known) clients.delete(session)
      clients.set(session, client)
      const [oldest] = clients
      if (clients.size > most && oldest) {
        clients.delete(oldest[0])
        oldest[1].dispose()
      }
      return client
    },
    get size() {
      return clients.size
    },
    dispose() {
      for (const client of clients.values()) client.dispose()
      clients.clear()
      store.close?.()
    },
  }
}
