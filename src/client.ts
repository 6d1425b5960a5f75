import type { Client } from './core/client.ts'
import type { ClientEvent, EventBody } from './core/events.ts'
import { createListeners } from './core/listeners.ts'
import type { Clock, Fetch, Page, Store, UserAgent, Wake } from './core/ports.ts'
import type { Session, SessionRecord } from './core/session.ts'
import { abortable } from './core/time-limit.ts'
import { toTokenSet } from './core/token-set.ts'
import { AuthorizationRequiredError, type EndReason } from './errors.ts'
import { createAuthFetch } from './fetch/auth-fetch.ts'
import { parseCallback } from './flow/callback.ts'
import { createServer } from './flow/discovery.ts'
import { authorize, type Finished, finish, finishHere, type SignInPorts } from './flow/sign-in.ts'
import { sayGoodbye } from './flow/sign-out.ts'
import { createTokenRequests } from './flow/token-request.ts'
import { createTransactions } from './flow/transaction.ts'
import { createTransport } from './flow/transport.ts'
import { type ClientOptions, checkAuthorizationParameters, parseOptions, parseReturnTo } from './options.ts'
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
}

/** Joins the four parts into one object. */
export function joinClient(options: ClientOptions, runtime: Runtime): Client {
  const { page } = runtime
  const settings = parseOptions(options, page?.location())
  const { clock = runtime.clock, fetch: send = runtime.fetch } = options
  const store = options.store ?? runtime.store()
  const { lock } = store
  const { issuer, metadata, clientId } = settings
  const name = `latchkey ${issuer} ${clientId}` // what belongs to another issuer or client is never read

  const listeners = createListeners<ClientEvent>()
  const emit = (body: EventBody) => {
    const event = Object.freeze({ at: clock.now(), ...body })
    queueMicrotask(() => listeners.tell(event)) // never inside a lock, never in the middle of a step
  }

  const keyValue = limited(store.keyValue, clock)
  const records = createTokenStore(keyValue, `${name} session`)
  const view = createSessionView({ clock, emit })
  const channel = store.channel(name)
  const announce = (record: SessionRecord | undefined, sessionId: string, reason: EndReason = 'signed_out') =>
    channel.post(record ? { type: 'session-changed' } : { type: 'session-ended', sessionId, reason })

  const transport = createTransport({ fetch: send, clock })
  const server = createServer({ issuer, metadata, transport, emit })
  const requests = createTokenRequests({ server, clientId, transport, clock, emit })

  const refresher = createRefresher({
    records,
    lock,
    lockName: name,
    clock,
    emit,
    prepare: server,
    async redeem(tokens, attempt, signal) {
      const { response, claims } = await requests.refresh(tokens.refreshToken as string, attempt, signal)
      return toTokenSet(response, {
        receivedAt: clock.now(),
        leewaySeconds: settings.leewaySeconds,
        requestedScope: settings.scope,
        claims,
        previous: tokens,
      })
    },
    revoke: refreshToken => void requests.revoke(refreshToken, 'refresh_token').catch(() => {}),
    changed({ record, own, reason, sessionId }) {
      view.publish(record, reason)
      if (own) announce(record, sessionId, reason)
    },
  })

  const signInPorts: SignInPorts = {
    settings,
    server,
    transactions: createTransactions(keyValue, `${name} transaction `, clock),
    requests,
    records,
    lock,
    lockName: name,
    page,
    clock,
    emit,
    started(record) {
      view.publish(record)
      announce(record, record.sessionId)
    },
  }

  const look = async (reason?: EndReason): Promise<Session> => {
    const session = view.publish(await records.read(), reason)
    refresher.ready() // begins what is due, such as a refresh that was cut off
    return session
  }

  const shareSession = singleFlight<Session>()
  const shareCallback = singleFlight<Finished>()
  let starting: Promise<unknown> | undefined

  const start = () =>
    shareSession('start', async () => {
      const arrived = finishHere(signInPorts, shareCallback)
      starting = arrived.catch(() => {})
      try {
        await arrived
      } finally {
        await look()
      }
      return view.session
    })

  /** Before the first token is asked for: what the store holds, after a sign-in that is being finished. */
  const started = async (): Promise<void> => {
    await starting
    if (!records.current) await look()
  }

  const acquire: typeof refresher.acquire = options =>
    refresher.acquire(options).catch(error => {
      if (error instanceof AuthorizationRequiredError) view.publish(records.current, error.reason)
      throw error
    })

  const forget = [
    channel.listen(
      news => void look('reason' in news ? (news.reason as EndReason) : undefined).catch(() => {}),
    ),
    runtime.wake?.listen(() => {
      refresher.wake()
      void look().catch(() => {}) // who needs the store next is told
    }),
    channel.close,
    view.dispose,
    listeners.clear,
  ]

  return {
    get session() {
      return view.session
    },
    start,

    async signIn(choice = {}) {
      const { authorizationParameters = {}, userAgent = options.userAgent ?? runtime.userAgent() } = choice
      const parameters = {
        ...settings.authorizationParameters,
        ...checkAuthorizationParameters(authorizationParameters),
      }
      const returnTo = parseReturnTo(choice.returnTo, settings.redirectUri)
      return shareSession('sign-in', async () => {
        await authorize(signInPorts, userAgent, { scope: settings.scope, parameters, returnTo })
        return look()
      })
    },

    async handleCallback(url) {
      const callback = parseCallback(url)
      const finished = callback && (await shareCallback(callback.state, () => finish(signInPorts, callback)))
      return finished
        ? { handled: true, session: await look(), returnTo: finished.returnTo }
        : { handled: false }
    },

    subscribe: view.subscribe,

    fetch: createAuthFetch({
      send,
      tokens: { ready: refresher.ready, acquire },
      allowedOrigins: settings.allowedOrigins,
      baseUrl: runtime.baseUrl,
      emit,
      started,
    }),

    async getAccessToken({ signal } = {}) {
      const accessToken = refresher.ready()
      if (accessToken !== undefined) return accessToken
      await abortable(started(), signal)
      return acquire({ signal })
    },

    async signOut({ endProviderSession = true } = {}) {
      const before = records.current
      try {
        const ended = (await records.clear()) ?? before
        if (!ended) return
        view.publish(undefined, 'signed_out')
        announce(undefined, ended.sessionId)
        await sayGoodbye({ settings, server, requests, page, clock, emit }, ended, endProviderSession)
      } finally {
        records.forget()
        view.publish(undefined, 'signed_out')
      }
    },

    events: { subscribe: listeners.add },

    dispose() {
      for (const stop of forget) stop?.()
    },
  }
}
