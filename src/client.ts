import type { Client } from './core/client.ts'
import { createEventLog } from './core/event-log.ts'
import type { Clock, Fetch, Page, Store, UserAgent, Wake } from './core/ports.ts'
import { renew, requestFor } from './core/resource.ts'
import type { Session, SessionRecord } from './core/session.ts'
import { abortable } from './core/time-limit.ts'
import { AuthorizationRequiredError, type EndReason } from './errors.ts'
import { createAuthFetch } from './fetch/auth-fetch.ts'
import { type Callback, parseCallback } from './flow/callback.ts'
import { createServer } from './flow/discovery.ts'
import { authorize, type Finished, finish } from './flow/sign-in.ts'
import { sayGoodbye } from './flow/sign-out.ts'
import { refreshTokens, revoke } from './flow/token-request.ts'
import { createTransport } from './flow/transport.ts'
import {
  type ClientOptions,
  checkAuthorizationParameters,
  parseOptions,
  parseResourceName,
  parseReturnTo,
  parseStepUp,
} from './options.ts'
import { typedLock } from './refresh/lock-typed.ts'
import { createRefresher } from './refresh/refresher.ts'
import { singleFlight } from './refresh/single-flight.ts'
import { limited } from './store/limited.ts'
import { createSessionView } from './store/session-view.ts'
import { createTokenStore } from './store/token-store.ts'

/** What an environment brings: the ports that the app did not choose itself. */
export interface Runtime {
  readonly fetch: Fetch
  readonly clock: Clock
  readonly store: () => Store
  readonly userAgent: () => UserAgent
  readonly page: Page | undefined
  /** What `fetch` resolves relative URLs against, where it does. */
  readonly baseUrl: () => string | undefined
  readonly wake: Wake | undefined
  readonly hash: (text: string) => Promise<string>
}

/** Joins the four parts into one object. */
export function joinClient(options: ClientOptions, runtime: Runtime): Client {
  const { page } = runtime
  const settings = parseOptions(options, page?.location())
  const { clock = runtime.clock, fetch: send = runtime.fetch, userAgent = runtime.userAgent() } = options
  const store = options.store ?? runtime.store()
  const name = `latchkey ${settings.issuer} ${settings.clientId}` // what belongs to another client is never read

  const context = Math.random().toString(36).slice(2, 8)
  const log = createEventLog(clock, context)
  const { emit } = log
  const keyValue = limited(store.keyValue, clock)
  const records = createTokenStore(keyValue, `${name} session`)
  const view = createSessionView({ clock, emit, ended: (...over) => refresher.end(...over) })
  const channel = store.channel(name)
  const changed = (record: SessionRecord | undefined, sessionId: string, reason?: EndReason) => {
    view.publish(record, reason)
    channel.post(
      record
        ? { type: 'session-changed' }
        : { type: 'session-ended', sessionId, reason: reason ?? 'signed_out' },
    )
  }

  const transport = createTransport({ fetch: send, clock })
  const server = createServer({ ...settings, transport, clock, emit })
  const shared = {
    ...settings,
    server,
    transport,
    records,
    keyValue,
    lock: typedLock(store.lock),
    name,
    context,
    page,
    clock,
    emit,
  }

  const refresher = createRefresher({
    ...shared,
    prepare: server,
    hash: runtime.hash,
    random: Math.random,
    async redeem(record, url, attempt, signal) {
      const resource = settings.resources.find(known => known.url === url)
      const parameters = resource && requestFor(resource, record)
      const refreshToken = record.tokens.refreshToken as string
      const granted = await refreshTokens(shared, refreshToken, attempt, signal, parameters)
      return renew(record, resource, granted, { ...settings, receivedAt: clock.now() })
    },
    revoke: refreshToken => void revoke(shared, refreshToken, 'refresh_token').catch(() => {}),
    changed,
    adopted: view.publish,
  })
  const signInPorts = { ...shared, started: (record: SessionRecord) => changed(record, record.sessionId) }

  const look = async (reason?: EndReason): Promise<Session> => {
    const session = view.publish(await records.read(), reason)
    refresher.ready() // begins what is due, such as a refresh that was cut off
    return session
  }

  const shareSession = singleFlight<Session>()
  const shareCallback = singleFlight<Finished>()
  let starting: Promise<unknown> | undefined
  let waking: Promise<unknown> | undefined

  const finishOnce = (callback: Callback) =>
    shareCallback(callback.state, () => finish(signInPorts, callback))

  const arrive = async () => {
    const callback = page && parseCallback(page.location())
    if (!callback) return
    const relayed = callback.userAgent === 'popup' && (await page.relay(callback.url.href, callback.state))
    if (!relayed) await finishOnce(callback)
  }

  /** Before the first token is asked for: what the store holds, after a sign-in that is being finished. */
  const started = async () => {
    await starting
    await waking
    if (!records.current) await look()
  }

  const ready = (resource?: string) => (waking ? undefined : refresher.ready(resource))
  const acquire: typeof refresher.acquire = async request => {
    try {
      return await refresher.acquire(request)
    } catch (error) {
      if (error instanceof AuthorizationRequiredError) view.publish(records.current, error.reason)
      throw error
    }
  }

  const stops = [
    channel.listen(news => {
      if (view.session.status === 'starting') return // start() is about to read the store
      void look('reason' in news ? (news.reason as EndReason) : undefined).catch(() => {})
    }),
    runtime.wake?.listen(() => {
      if (view.session.status === 'starting') return
      refresher.wake()
      // news may have been missed: until the store has been read, no call trusts what is in memory
      const reading = look()
        .catch(() => {})
        .finally(() => {
          if (waking === reading) waking = undefined
        })
      waking = reading
    }),
    channel.close,
    view.dispose,
    log.dispose,
  ]

  return {
    get session() {
      return view.session
    },

    start: () =>
      shareSession('start', async () => {
        const arrived = arrive()
        starting = arrived.catch(() => {})
        try {
          await arrived
        } finally {
          await look()
        }
        return view.session
      }),

    async signIn({ returnTo, authorizationParameters = {}, stepUp = {}, userAgent: agent = userAgent } = {}) {
      const more = parseStepUp(stepUp, settings.scope, records.current?.tokens.scope)
      const choice = {
        userAgent: agent.name,
        scope: more.scope,
        parameters: {
          ...settings.authorizationParameters,
          ...checkAuthorizationParameters(authorizationParameters),
          ...more.parameters,
        },
        returnTo: parseReturnTo(returnTo, settings.redirectUri),
      }
      return shareSession('sign-in', async () => {
        const attempt = agent.begin(settings.redirectUri) // before anything is awaited: see UserAgent
        try {
          await authorize(signInPorts, attempt, choice)
        } finally {
          attempt.close()
        }
        return look()
      })
    },

    async handleCallback(url) {
      const callback = parseCallback(url)
      const finished = callback && (await finishOnce(callback))
      return finished
        ? { handled: true, session: await look(), returnTo: finished.returnTo }
        : { handled: false }
    },

    subscribe: view.subscribe,

    fetch: createAuthFetch({
      send,
      tokens: { ready, acquire },
      allowedOrigins: settings.allowedOrigins,
      resources: settings.resources,
      baseUrl: runtime.baseUrl,
      emit,
      clock,
      started,
    }),

    async getAccessToken({ resource: name, signal } = {}) {
      const resource = name === undefined ? undefined : parseResourceName(name, settings)
      const accessToken = ready(resource)
      if (accessToken !== undefined) return accessToken
      await abortable(started(), signal)
      return acquire({ resource, signal })
    },

    async signOut({ endProviderSession = true } = {}) {
      const before = records.current
      try {
        const ended = (await records.clear()) ?? before
        if (!ended) return
        changed(undefined, ended.sessionId, 'signed_out')
        await sayGoodbye(shared, ended, endProviderSession)
      } finally {
        records.forget()
        view.publish(undefined, 'signed_out')
      }
    },

    events: { subscribe: log.subscribe },

    explain: () => log.explain(view.session),

    dispose() {
      for (const stop of stops) stop?.()
    },
  }
}
