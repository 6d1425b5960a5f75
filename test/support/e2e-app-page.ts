/** The test app: runs in the browser, bundled by e2e-pages.ts. Tests reach it as `window.app`. */
import {
  type Client,
  type ClientEvent,
  type ClientOptions,
  createClient,
  memory,
  popup,
  type Store,
  tabStorage,
} from 'latchkey'
import { worker } from 'latchkey/worker'
import type { AppMode } from './e2e-pages.ts'

/** An error as it can be handed from a page to a test. */
export interface Failure {
  readonly code: string
  readonly reason: string | undefined
  readonly error: string | undefined
}

interface Config {
  readonly issuer: string
  readonly apiUrl: string
  readonly mode: AppMode
}

const content = document.querySelector<HTMLMetaElement>('meta[name=config]')?.content ?? ''
const config: Config = JSON.parse(content)

const toFailure = (error: unknown): Failure => {
  const { code, reason, error: name } = error as { code?: string; reason?: string; error?: string }
  return { code: code ?? String(error), reason, error: name }
}

const make = (options: Partial<ClientOptions> = {}): Client =>
  createClient({
    issuer: config.issuer,
    clientId: 'e2e-app',
    redirectUri: '/callback',
    scope: 'openid profile offline_access notes:read',
    allowedOrigins: [new URL(config.apiUrl).origin],
    postLogoutRedirectUri: '/',
    ...options,
  } as ClientOptions)

if (config.mode === 'no-locks') Object.defineProperty(navigator, 'locks', { value: undefined })
const stores: Partial<Record<AppMode, () => Store>> = {
  'popup-and-memory': memory,
  'session-storage': tabStorage,
}
/** The address of a script of ours, as the page's policy demands it. */
const workers = window.trustedTypes?.createPolicy('worker', { createScriptURL: (own: string) => own })
const trusted = (url: string): string => workers?.createScriptURL(url) ?? url

const host = worker(trusted('/latchkey-worker.js'))
const isHosted = config.mode.startsWith('host')
if (config.mode === 'host-in-service-worker')
  Object.defineProperty(window, 'SharedWorker', { value: undefined })
const hasPopup = config.mode.startsWith('popup')
const client = make({
  userAgent: hasPopup ? popup() : undefined,
  store: stores[config.mode]?.(),
  host: isHosted ? host : undefined,
})
const events: ClientEvent[] = []
client.events.subscribe(event => events.push(event))

const app = {
  client,
  host,
  trusted,
  /** Of this page. */
  events,
  /** What every `start()` of this page came to, in the order of the calls. */
  starts: [] as (string | Failure)[],
  /** What `signIn()` came to, where it came to an end in this page. */
  signedIn: undefined as string | Failure | undefined,
  worker: undefined as Worker | undefined,
  /** What a call came to that was made as soon as this page began to be prerendered; see below. */
  calledEarly: undefined as number | string | undefined,
  /** What nobody caught. */
  uncaught: [] as string[],
  make,

  async start(of = client) {
    const outcome = await of.start().then(({ status }) => status, toFailure)
    app.starts.push(outcome)
  },

  /** Does not wait: the page may leave. */
  signIn(options: Parameters<Client['signIn']>[0] = { returnTo: '/' }) {
    app.signedIn = undefined
    client.signIn(options).then(
      ({ status }) => {
        app.signedIn = status
      },
      error => {
        app.signedIn = toFailure(error)
      },
    )
  },

  /** The status of the answer, or the code of the error. */
  call: (method = 'GET'): Promise<number | string> =>
    client.fetch(config.apiUrl, { method }).then(
      async response => {
        await response.text()
        return response.status
      },
      error => toFailure(error).code,
    ),

  /** The same by another client; its errors pass through. */
  callWith: (other: Client): Promise<Response> => other.fetch(config.apiUrl),

  /** Many at once: how often each outcome came. */
  async calls(count: number): Promise<Record<string, number>> {
    const tally: Record<string, number> = {}
    const outcomes = await Promise.all(Array.from({ length: count }, () => app.call()))
    for (const outcome of outcomes) tally[outcome] = (tally[outcome] ?? 0) + 1
    return tally
  },

  isExpired(): boolean {
    const { session } = client
    return session.status === 'signed-in' && Date.now() >= (session.accessTokenExpiresAt ?? Infinity)
  },

  /** Starts a dedicated worker that has a client of its own. */
  startWorker() {
    app.worker = new Worker(trusted('/worker.js'), { type: 'module', name: content })
  },

  askWorker: (count: number): Promise<Record<string, number>> =>
    new Promise((resolve, reject) => {
      const { worker } = app
      if (!worker) return reject(new Error('There is no worker.'))
      worker.onerror = event => reject(new Error(event.message))
      worker.onmessage = ({ data }) => resolve(data)
      worker.postMessage(count)
    }),
}

export type App = typeof app

declare global {
  interface Window {
    app: App
    trustedTypes?: { createPolicy(name: string, rules: object): { createScriptURL(url: string): string } }
  }
}

document.querySelector('#sign-in')?.addEventListener('click', () => app.signIn())
document.querySelector('#sign-in-popup')?.addEventListener('click', () => app.signIn({ userAgent: popup() }))

document.querySelector('#open-copy')?.addEventListener('click', () => window.open('/'))
addEventListener('error', ({ message }) => app.uncaught.push(message))
addEventListener('unhandledrejection', ({ reason }) => app.uncaught.push(String(reason)))

window.app = app
// before anything else: a click of a test, or its look into the page, would let the window open
if (config.mode === 'popup-at-once') app.signIn()
if (config.mode !== 'wait') void app.start()
if ((document as { prerendering?: boolean }).prerendering) {
  if (config.mode !== 'start') {
    void app.call().then(outcome => {
      app.calledEarly = outcome
    })
  }
  // tells the test that this page is alive, and that what it sends arrives
  const beat = setInterval(() => fetch(config.apiUrl).catch(() => {}), 100)
  document.addEventListener('prerenderingchange', () => clearInterval(beat), { once: true })
}
if (config.mode === 'start-twice') void app.start()
if (config.mode === 'two-clients') void app.start(make())
