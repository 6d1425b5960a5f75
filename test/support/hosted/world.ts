import { HttpResponse, http, type RequestHandler } from 'msw'
import { afterEach, expect } from 'vitest'
import { createAuthorization } from '../../../src/authorization/index.ts'
import { composeClient } from '../../../src/client.ts'
import type { Client } from '../../../src/core/client.ts'
import type { ClientEvent } from '../../../src/core/events.ts'
import { createReplay } from '../../../src/fetch/replay.ts'
import { type ClientOptions, parseOptions } from '../../../src/options.ts'
import { sha256 } from '../../../src/platform/digest.ts'
import { findSecrets, type Shown, watchClient } from '../canaries.ts'
import { handClock } from '../clock.ts'
import { handledFetch } from '../handled-fetch.ts'
import { sharedStore } from '../tabs.ts'

/** The parts of a double that a client needs. */
export interface Served {
  /** The known facts about the system that the double imitates, by id, and the ids of those that have affected a client. */
  readonly facts?: Readonly<Record<string, string>>
  readonly met?: ReadonlySet<string>
  readonly handlers: readonly RequestHandler[]
  readonly secrets: ReadonlySet<string>
  approve(address: string): string
}

/** The options that the providers' functions leave to the app. */
type AppOptions = Pick<ClientOptions, 'allowedOrigins'> & Partial<ClientOptions>

/**
 * Creates clients of doubles for a test file. After each test, checks that no client has shown a secret. `unmet()` lists the
 * facts of the doubles that have affected no test so far: each file ends with a test that it lists none.
 */
export function hostedWorlds() {
  const clients: Client[] = []
  const watched: { secrets: ReadonlySet<string>; shown: () => readonly Shown[] }[] = []
  afterEach(() => {
    for (const { secrets, shown } of watched.splice(0)) expect(findSecrets(secrets, shown())).toEqual([])
    for (const client of clients.splice(0)) client.dispose()
  })

  const doubles: Served[] = []
  const unmet = () => {
    const met = new Set(doubles.flatMap(double => [...(double.met ?? [])]))
    return [...new Set(doubles.flatMap(({ facts = {} }) => Object.keys(facts)))].filter(
      fact => !met.has(fact),
    )
  }

  const hosted = <D extends Served>(create: (clock: ReturnType<typeof handClock>) => D) => {
    const clock = handClock({ skipUpToMs: 1500 })
    const double = create(clock)
    doubles.push(double)
    const strangers: string[] = []
    const anywhere = http.all('*', ({ request }) => {
      strangers.push(request.url)
      return new HttpResponse(null, { status: 404 })
    })
    const fetch = handledFetch([...double.handlers, anywhere])
    const store = sharedStore(clock)
    const client = (options: AppOptions) => {
      const userAgent = {
        name: 'test',
        begin: (redirectUri: string) => ({
          redirectUri,
          authorize: async (url: string) => double.approve(url),
          close() {},
        }),
      }
      const made = composeClient(
        options as ClientOptions,
        {
          ...{ fetch, clock, page: undefined, wake: undefined },
          store: () => store,
          userAgent: () => userAgent,
          baseUrl: () => undefined,
        },
        { parseOptions, createAuthorization, createReplay, authorizationEnvironment: { hash: sha256 } },
      )
      clients.push(made)
      const events: ClientEvent[] = []
      made.events.subscribe(event => events.push(event))
      watched.push({ secrets: double.secrets, shown: watchClient(made) })
      const warnings = () => events.flatMap(event => (event.type === 'warning' ? [event.about] : []))
      return { client: made, events, warnings }
    }
    return { double, clock, client, fetch, strangers }
  }
  return Object.assign(hosted, { unmet })
}
