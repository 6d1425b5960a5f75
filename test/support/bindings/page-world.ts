import { type Client, type ClientOptions, createClient, type UserAgent } from 'latchkey'
import { afterEach } from 'vitest'
import { handClock } from '../clock.ts'
import { handledFetch } from '../handled-fetch.ts'
import { signingKey } from '../signing-key.ts'
import { createStrictAs } from '../strict-as.ts'
import { sharedStore } from '../tabs.ts'

/** A client that counts its calls. */
export interface CountedClient extends Client {
  readonly counts: {
    start: number
    signIn: number
    /** Listeners of the session and of events that have not been removed. */
    listeners: number
  }
}

function counted(client: Client): CountedClient {
  const counts = { start: 0, signIn: 0, listeners: 0 }
  const listening = (stop: () => void) => {
    counts.listeners++
    let isOn = true
    return () => {
      if (isOn) counts.listeners--
      isOn = false
      stop()
    }
  }
  return Object.create(client, {
    counts: { value: counts },
    session: { get: () => client.session },
    start: {
      value: () => {
        counts.start++
        return client.start()
      },
    },
    signIn: {
      value: (options: object) => {
        counts.signIn++
        return client.signIn(options)
      },
    },
    subscribe: { value: (listener: () => void) => listening(client.subscribe(listener)) },
    events: {
      value: { subscribe: (listener: () => void) => listening(client.events.subscribe(listener)) },
    },
  })
}

const key = signingKey()
const API = 'https://api.example.com'

/** The environment of a page: an authorization server, a store that tabs share, and the address bar. */
export function pageWorld() {
  const here = location.href
  const clients: Client[] = []
  const clock = handClock({ skipUpToMs: 1500 })
  const as = createStrictAs({ clock, key, redirectUri: new URL('/callback', here).href })
  const store = sharedStore(clock)
  const departures: string[] = []
  let isOffline = false
  let attempts = 0
  const answer = handledFetch([...as.handlers])

  /** A user agent whose user `subject` agrees immediately. */
  const agreeing = (subject: string): UserAgent => ({
    name: 'test',
    begin: redirectUri => ({ redirectUri, authorize: async url => as.approve(url, subject), close() {} }),
  })
  /** A user agent that leaves the page and does not come back. */
  const leaving: UserAgent = {
    name: 'redirect',
    leaves: true,
    begin: redirectUri => ({
      redirectUri,
      authorize: url => {
        departures.push(url)
        return new Promise(() => {})
      },
      close() {},
    }),
  }

  return {
    as,
    clock,
    /** The authorization requests for which pages have left. */
    departures,
    /** How many requests were sent. */
    get attempts() {
      return attempts
    },
    agreeing,
    /** Makes all servers unreachable, or reachable again. */
    setOffline(value: boolean) {
      isOffline = value
    },
    /** Creates the client of a newly opened page or tab. @param api answers the requests to the API. */
    client(
      options: Partial<ClientOptions> = {},
      api: (request: Request) => Promise<Response> = async () => new Response('{}'),
    ): CountedClient {
      const client = createClient({
        issuer: as.issuer,
        clientId: as.clientId,
        redirectUri: '/callback',
        scope: 'openid read',
        allowedOrigins: [API],
        userAgent: leaving,
        fetch: (...call) => {
          attempts++
          if (isOffline) return Promise.reject(new TypeError('Failed to fetch'))
          const request = new Request(...call)
          return request.url.startsWith(API) ? api(request) : answer(request)
        },
        ...{ clock, store, ...options },
      } as ClientOptions)
      clients.push(client)
      return counted(client)
    },
    /** Signs in in another tab. */
    async signInElsewhere(subject = 'alice') {
      const other = this.client()
      await other.start()
      await other.signIn({ userAgent: agreeing(subject) })
      return other
    },
    /** Shows the callback of the newest departure in the address bar: with the user's consent, or with an error. */
    comeBack(error?: string) {
      const url = departures.at(-1) ?? ''
      const callback = new URL(as.approve(url))
      if (error) {
        callback.searchParams.delete('code')
        callback.searchParams.set('error', error)
      }
      history.replaceState(null, '', callback)
    },
    show: (path: string) => history.replaceState(null, '', path),
    close() {
      history.replaceState(null, '', here)
      for (const client of clients) client.dispose()
    },
  }
}

export type PageWorld = ReturnType<typeof pageWorld>

/** Provides each test of a file with a new world. Restores the page after each test. */
export function pageWorlds(): () => PageWorld {
  let worlds: PageWorld[] = []
  afterEach(() => {
    for (const world of worlds) world.close()
    worlds = []
  })
  return () => {
    const world = pageWorld()
    worlds.push(world)
    return world
  }
}
