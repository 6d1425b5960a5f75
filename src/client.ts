import { createActionContext } from './actions/context.ts'
import type { Authorization, AuthorizationPorts, LoadAuthorization } from './core/authorization.ts'
import type { Client } from './core/client.ts'
import { createEventLog } from './core/event-log.ts'
import { actionContext } from './core/extension.ts'
import { createListeners } from './core/listeners.ts'
import type { Environment } from './core/ports.ts'
import { sessionOf } from './core/session.ts'
import { abortable, singleFlight } from './core/waiting.ts'
import { type AuthFetchPorts, createAuthFetch } from './fetch/auth-fetch.ts'
import { type ClientOptions, parseOptions, parseResourceName, parseSignIn } from './options.ts'
import { createLiveSession } from './session/session.ts'
import { createSignIn } from './session/sign-in.ts'
import { createTokenStore } from './session/token-store.ts'
import { createWatchedTime } from './session/watched-time.ts'
import { limited, typedLock } from './storage/limited.ts'

/** The second half of a client, made when it is first needed. A load that failed is tried again. */
function createSecondHalf(load: LoadAuthorization, ports: AuthorizationPorts) {
  let loading: Promise<Authorization> | undefined
  let loaded: Authorization | undefined
  return {
    get loaded() {
      return loaded
    },
    get: () => {
      loading ??= load().then(create => {
        loaded = create(ports)
        return loaded
      })
      loading.catch(() => {
        loading = undefined
      })
      return loading
    },
  }
}

/**
 * Composes a client of its parts: the store, the session and `fetch` here, and all talk with the authorization server in
 * the second half, which is loaded.
 */
export function composeClient(
  options: ClientOptions,
  environment: Environment,
  load: LoadAuthorization,
): Client {
  const { page, watchLeaving, hash } = environment
  const settings = parseOptions(options, page?.location(), environment.isReadable)
  const {
    clock = environment.clock,
    fetch = environment.fetch,
    userAgent = environment.userAgent(),
  } = options
  const store = options.store ?? environment.store()
  const keyValue = limited(store.keyValue, clock)
  const lock = typedLock(store.lock)
  const prefix = `latchkey ${settings.issuer} ${settings.clientId}` // what belongs to another client is never read
  const realm = Math.random().toString(36).slice(2, 8)
  const { random } = Math
  const log = createEventLog(clock, realm)
  const { emit, warn } = log
  // an app that subscribes at once hears them
  queueMicrotask(() => {
    for (const { about, message } of settings.warnings) warn(about, message)
  })
  store.onDegraded?.(message => emit({ type: 'storage-degraded', message }))

  const changes = createListeners<string>()
  const extensions = settings.extensions.map(extend =>
    extend({
      ...settings,
      ...{ prefix, keyValue, clock, emit, warn },
      transport: async (url, init) => (await authorization.get()).transport(url, init),
      serverAheadMs: () => authorization.loaded?.serverAheadMs() ?? 0,
      session: () => records.current,
      readSession: async () => sessionOf(await records.read()),
      async endSession(sessionId, reason) {
        const isCurrent = records.current?.sessionId === sessionId
        if (isCurrent && (await records.end(reason))) changes.tell(sessionId)
      },
    }),
  )
  const { tokenType, presentation } = extensions.find(one => one.tokenType) ?? {}
  const records = createTokenStore(keyValue, `${prefix} session`, tokenType)
  const now = createWatchedTime(clock, records)
  const authorization = createSecondHalf(load, {
    ...{ settings, extensions, fetch, clock, emit, warn, keyValue, lock, prefix, realm, records, page },
    ...{ watchLeaving, now, random, hash },
    changed: changes.tell,
    isKept: () => store.reach?.() !== 'page',
  })
  const live = createLiveSession({
    ...{ records, lock, prefix, clock, now, random, emit, changes },
    authorization: authorization.get,
    isEager: environment.wake !== undefined,
    channel: () => store.channel(prefix),
    wake: environment.wake,
    ended(sessionId) {
      for (const one of extensions) one.ended?.(sessionId)
    },
  })
  const { started, ...signingIn } = createSignIn({
    ...{ live, page, userAgent },
    authorization: authorization.get,
    defaultUserAgent: environment.userAgent,
    redirectUri: settings.redirectUri,
    parse: choice => {
      const own = (page ? undefined : environment.baseUrl()) ?? settings.redirectUri
      return parseSignIn(choice, settings, own, records.current?.tokens.scope)
    },
  })
  const calls: AuthFetchPorts = {
    ...{ tokens: live, presentation, emit, clock, started },
    send: fetch,
    judge: async (...answer) => (await authorization.get()).judgeAnswer(...answer),
    allowedOrigins: settings.allowedOrigins,
    resources: settings.resources,
    baseUrl: environment.baseUrl,
  }
  const leave = environment.leave ?? page?.leave
  const shareSignOut = singleFlight<void>()

  return {
    get session() {
      return live.session
    },
    ...signingIn,
    subscribe: live.subscribe,
    fetch: createAuthFetch(calls),
    [actionContext]: createActionContext(settings, calls, () => records.current, authorization.get),

    async getAccessToken({ resource: name, signal } = {}) {
      const resource = name === undefined ? undefined : parseResourceName(name, settings)
      const accessToken = live.ready(resource)
      if (accessToken !== undefined) return accessToken
      const sessionId = live.sessionId()
      await abortable(started(), signal)
      return live.acquire({ resource, sessionId, signal })
    },

    signOut: ({ endProviderSession = settings.postLogoutRedirectUri !== undefined } = {}) =>
      shareSignOut('', () =>
        live.signOut(async (ended, gone) => {
          const leaving = endProviderSession && leave && ((url: string) => leave(url, gone))
          const { signOut } = await authorization.get()
          await signOut(ended, leaving || undefined)
        }),
      ),

    events: { subscribe: log.subscribe },
    explain: () => log.explain(live.session),

    dispose() {
      live.dispose()
      log.dispose()
      for (const one of extensions) one.close?.()
      store.close?.()
    },
  }
}
