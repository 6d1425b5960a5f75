import { afterEach, expect } from 'vitest'
import { createAuthorization } from '../../src/authorization/index.ts'
import { composeClient } from '../../src/client.ts'
import type { Client } from '../../src/core/client.ts'
import type { ClientEvent } from '../../src/core/events.ts'
import type { Fetch, Store, UserAgent, Wake, WatchLeaving } from '../../src/core/ports.ts'
import { createReplay } from '../../src/fetch/replay.ts'
import { type ClientOptions, parseOptions } from '../../src/options.ts'
import { sha256 } from '../../src/platform/digest.ts'
import { findSecrets, type Shown, watchClient } from './canaries.ts'
import { type HandClock, handClock } from './clock.ts'
import { handledFetch } from './handled-fetch.ts'
import type { LeavingPage } from './leaving.ts'
import { signingKey } from './signing-key.ts'
import { API, createStrictApi } from './strict-api.ts'
import { createStrictAs, type StrictAs, type StrictAsOptions } from './strict-as.ts'
import { sharedStore } from './tabs.ts'

/** The options of a test's client. */
type OwnOptions = Partial<ClientOptions> & {
  subject?: () => string
  wake?: Wake
  page?: LeavingPage
  watchLeaving?: WatchLeaving
  /** The recordings of `leaving()`, which are not options of the client. */
  requests?: unknown
  callbacks?: unknown
}

/** A client that records its events. */
export interface TestClient extends Client {
  readonly told: ClientEvent[]
  /** The types of its events, in order. */
  types(): string[]
}

export interface World {
  readonly as: StrictAs
  readonly api: ReturnType<typeof createStrictApi>
  readonly clock: HandClock
  /** The clients' `fetch`. */
  readonly fetch: Fetch
  /** The store of all clients without a store of their own. */
  readonly store: Store
  /** Creates a client of that server and API. */
  client(options?: OwnOptions): TestClient
  /** Creates a client and signs in. */
  signedIn(options?: OwnOptions): Promise<TestClient>
  /** Reads the values whose keys contain `part`, without ended sessions. */
  stored(part?: string): Promise<unknown[]>
  /** Advances the clock until the access token has expired. */
  expire(): void
}

/** Shared by all worlds, because generating a key takes a while. */
const key = signingKey()

/** A user agent whose user agrees to everything immediately. */
export const agreeable = (as: StrictAs, subject = () => 'alice'): UserAgent => ({
  name: 'test',
  begin: redirectUri => ({
    redirectUri,
    authorize: async url => as.approve(url, subject()),
    close() {},
  }),
})

/**
 * Creates worlds for a test file: an authorization server, an API, a clock and a store. After each test, checks that no
 * error, event, URL, news or client contains a secret.
 */
export function worlds(): (options?: Partial<StrictAsOptions>) => World {
  const clients: Client[] = []
  const servers: StrictAs[] = []
  const watched: (() => { secrets: ReadonlySet<string>; shown: readonly Shown[] })[] = []
  afterEach(() => {
    for (const { secrets, shown } of watched.splice(0).map(look => look())) {
      expect(findSecrets(secrets, shown)).toEqual([])
    }
    for (const client of clients.splice(0)) client.dispose()
    for (const as of servers.splice(0)) expect(as.complaints).toEqual([])
  })

  return (options = {}) => {
    const clock = handClock({ skipUpToMs: 1500 })
    const as = createStrictAs({ clock, key, ...options })
    const api = createStrictApi(as)
    const store = sharedStore(clock)
    servers.push(as)
    const answering = handledFetch([...as.handlers, ...api.handlers])
    const urls: string[] = []
    const news: unknown[] = []
    const { secrets } = as
    watched.push(() => ({
      secrets,
      shown: [
        { where: 'a URL', what: urls },
        { where: 'news', what: news },
      ],
    }))
    store.channel(`latchkey ${as.issuer} ${as.clientId}`).listen(told => news.push(told))
    const fetch: Fetch = (input, init) => {
      urls.push(input instanceof Request ? input.url : String(input))
      return answering(input, init)
    }

    const client: World['client'] = ({
      subject,
      wake,
      page,
      watchLeaving,
      requests: _requests,
      callbacks: _callbacks,
      ...own
    } = {}) => {
      const made = composeClient(
        {
          issuer: as.issuer,
          clientId: as.clientId,
          redirectUri: as.redirectUri,
          scope: 'openid read',
          allowedOrigins: [API],
          userAgent: agreeable(as, subject),
          store,
          clock,
          ...own,
        } as ClientOptions,
        {
          fetch,
          clock,
          store: () => store,
          userAgent: () => agreeable(as, subject),
          page,
          baseUrl: () => undefined,
          wake,
        },
        {
          parseOptions,
          createAuthorization,
          createReplay,
          authorizationEnvironment: { hash: sha256, watchLeaving, leave: page?.leave, relay: page?.relay },
        },
      )
      const told: ClientEvent[] = []
      made.events.subscribe(event => told.push(event))
      clients.push(made)
      const shown = watchClient(made)
      watched.push(() => ({ secrets, shown: shown() }))
      const extra = { told, types: () => told.map(({ type }) => type) }
      return Object.defineProperties(made, Object.getOwnPropertyDescriptors(extra)) as TestClient
    }
    return {
      as,
      api,
      clock,
      fetch,
      store,
      client,
      async signedIn(own) {
        const signed = client(own)
        await signed.signIn()
        return signed
      },
      async stored(part = ' session') {
        const keys = (await store.keyValue.keys('')).filter(name => name.includes(part))
        const found = await Promise.all(keys.map(name => store.keyValue.get(name)))
        return found.filter(value => !Object.hasOwn(Object(value), 'ended')) // the record of an ended session is not a session
      },
      expire: () => clock.advance(as.accessTokenSeconds * 1000 + 1000),
    }
  }
}
