/** The test app: runs in the browser, bundled by e2e-pages.ts. Tests reach it as `window.app`. */
import {
  type Client,
  type ClientEvent,
  type ClientOptions,
  createClient,
  memory,
  popup,
  redirect,
  type Store,
  tabStorage,
} from 'latchkey'
import { dpop } from 'latchkey/dpop'
import { worker } from 'latchkey/worker'
import type { AppMode } from './e2e-pages.ts'

/** An error in a form that a page can pass to a test. */
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
/** Converts the URL of our own script to a TrustedScriptURL, because the page's policy requires it. */
const workers = window.trustedTypes?.createPolicy('worker', { createScriptURL: (own: string) => own })
const trusted = (url: string): string => workers?.createScriptURL(url) ?? url

const host = worker(trusted('/latchkey-worker.js'))
const isHosted = config.mode.startsWith('host')
if (config.mode === 'host-in-shared-worker')
  Object.defineProperty(navigator, 'serviceWorker', { value: undefined })
const hasPopup = config.mode.startsWith('popup')
const client = make({
  userAgent: hasPopup ? popup() : undefined,
  store: stores[config.mode]?.(),
  host: isHosted ? host : undefined,
  extensions: config.mode === 'host-with-dpop' ? [dpop()] : undefined,
})
const events: ClientEvent[] = []
client.events.subscribe(event => events.push(event))

const app = {
  client,
  host,
  trusted,
  redirect,
  /** The events of this page's client. */
  events,
  /** The results of all `start()` calls of this page, in order. */
  starts: [] as (string | Failure)[],
  /** The result of `signIn()`, if it settled in this page. */
  signedIn: undefined as string | Failure | undefined,
  worker: undefined as Worker | undefined,
  /** The result of the call that this page makes as soon as it is prerendered; see below. */
  calledEarly: undefined as number | string | undefined,
  /** Uncaught errors. */
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

  /** Calls the API. Resolves with the status of the response, or the code of the error. */
  call: (method = 'GET'): Promise<number | string> =>
    client.fetch(config.apiUrl, { method }).then(
      async response => {
        await response.text()
        return response.status
      },
      error => toFailure(error).code,
    ),

  /** Calls the API with another client. Rejects with its errors. */
  callWith: (other: Client): Promise<Response> => other.fetch(config.apiUrl),

  /** Makes many calls at once. Resolves with the number of each outcome. */
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

  /** Starts a dedicated worker with a separate client. */
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
// first of all: a click by a test, or code that it runs in the page, would count as user activation and allow the window
if (config.mode === 'popup-at-once') app.signIn()
if (config.mode !== 'wait') void app.start()
if ((document as { prerendering?: boolean }).prerendering) {
  if (config.mode !== 'start') {
    void app.call().then(outcome => {
      app.calledEarly = outcome
    })
  }
  // shows the test that this page runs, and that its requests arrive
  const beat = setInterval(() => fetch(config.apiUrl).catch(() => {}), 100)
  document.addEventListener('prerenderingchange', () => clearInterval(beat), { once: true })
}
if (config.mode === 'start-twice') void app.start()
if (config.mode === 'two-clients') void app.start(make())
