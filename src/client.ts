import type {
  Authorization,
  AuthorizationPorts,
  LeftSession,
  SecondHalf,
  ServerSettings,
} from './core/authorization.ts'
import type { Client } from './core/client.ts'
import { baseOf, isOrigin, tokenName } from './core/destination.ts'
import { createEventLog } from './core/event-log.ts'
import { actionContext, type Extension } from './core/extension.ts'
import { sessionKey } from './core/keys.ts'
import { createListeners } from './core/listeners.ts'
import type { AuthorizationEnvironment, Environment } from './core/ports.ts'
import { endedSessionOf, type SessionRecord, type Stored, sessionOf } from './core/session.ts'
import { abortable, loadable, singleFlight } from './core/waiting.ts'
import { ConfigurationError } from './errors.ts'
import { type AuthFetchPorts, createAuthFetch } from './fetch/auth-fetch.ts'
import type { createReplay } from './fetch/replay.ts'
import type { ClientOptions } from './options.ts'
import { createLiveSession } from './session/session.ts'
import { createSignIn } from './session/sign-in.ts'
import { createTokenStore } from './session/token-store.ts'
import { createWatchedTime } from './session/watched-time.ts'
import { limited } from './storage/limited.ts'

/** The exports of the second half: the communication with the authorization server, and the check of all options. */
export interface SecondHalfModule {
  /** @throws ConfigurationError for a wrong option. Its message names the option, the value and a correct one. */
  parseOptions(options: ClientOptions, base: string | undefined, isReadable: boolean): ServerSettings
  createAuthorization(ports: AuthorizationPorts): Authorization
  readonly authorizationEnvironment: AuthorizationEnvironment
  readonly createReplay: typeof createReplay
}

/**
 * Reads the options that the first half needs, and skips wrong values. The second half checks all options and reports the
 * wrong ones.
 */
export function readOptions(options: ClientOptions, base: string | undefined) {
  const {
    issuer = options.server?.issuer,
    clientId,
    redirectUri = '',
    postLogoutRedirectUri,
    logoutParameters,
  } = options
  const { allowedOrigins = [], resources = {}, quirks, strict = false, grant, session } = options
  const plainHttp = new Set([options.allowPlainHttpForTests ?? []].flat())
  const urls = Object.keys(Object(resources)).filter(name => URL.canParse(name))
  return {
    ...{ clientId, strict, clientAuthentication: options.clientAuthentication, grant, session },
    issuer: String(issuer),
    quirks: new Set([quirks ?? []].flat()),
    plainHttp,
    // the provider comes first, so that extensions see its corrected responses
    extensions: [options.provider ?? [], options.extensions ?? [], grant?.extension]
      .flat()
      .filter((one): one is Extension => typeof one === 'function'),
    redirectUri: base && URL.canParse(redirectUri, base) ? new URL(redirectUri, base).href : redirectUri,
    // the scope of a grant without a user
    grantScope: [options.scope ?? []].flat().join(' '),
    endsProviderSession: postLogoutRedirectUri !== undefined || logoutParameters !== undefined,
    allowedOrigins: new Set(
      [allowedOrigins]
        .flat()
        .filter(entry => isOrigin(entry, plainHttp))
        .map(entry => new URL(entry).origin),
    ),
    // the most specific URL first
    resources: urls.map(baseOf).sort((a, b) => b.length - a.length),
  }
}

const originOf = (url = '') => (URL.canParse(url) ? new URL(url).origin : undefined)

/** @throws ConfigurationError if `resources` contains no API of this name. */
function parseResourceName(name: string, resources: readonly string[]): string {
  const url = URL.canParse(name) ? baseOf(name) : name
  if (resources.includes(url)) return url
  throw new ConfigurationError(
    `"resource" must be one of those in "resources" (${resources.join(', ') || 'none'}); got ${JSON.stringify(name)}.`,
  )
}

/**
 * Composes a client from its parts. The first half contains the store, the session and `fetch`. The second half communicates
 * with the authorization server, and may be loaded later.
 */
export function composeClient(
  options: ClientOptions,
  environment: Environment,
  module: SecondHalfModule | (() => Promise<SecondHalfModule>),
): Client {
  if (!options) throw new ConfigurationError('createClient() takes an object of options: see README.md.')
  const { page, isReadable = false } = environment
  const base = page?.location()
  const check = ({ parseOptions }: SecondHalfModule) => parseOptions(options, base, isReadable)
  // if the second half is already loaded, it checks all options before latchkey creates anything from them
  const [load, whole] = typeof module === 'function' ? [module] : [async () => module, module]
  const checked = whole && check(whole)
  const settings = readOptions(options, base)
  const { grant, session, grantScope: scope } = settings
  const { clock = environment.clock, fetch = environment.fetch, navigate } = options
  const given = options.store?.keyValue ? options.store : undefined
  const chosen = { scope, session, store: given, defaultStore: environment.store }
  const store = grant?.store?.(chosen) ?? given ?? environment.store()
  const userAgent = options.userAgent?.begin
    ? options.userAgent
    : (grant?.userAgent ?? environment.userAgent())
  const keyValue = limited(store.keyValue, clock)
  // entries of other clients, grants and sessions have other prefixes, so latchkey never reads them
  const prefix = [
    `latchkey ${settings.issuer} ${settings.clientId}`,
    ...(grant?.parameters ? [`by ${grant.type}`] : []),
    ...(session === undefined ? [] : [`of ${encodeURIComponent(session)}`]),
  ].join(' ')
  const realm = (environment.realm ?? '') + Math.random().toString(36).slice(2, 8)
  const { random } = Math
  const { logger = environment.logger } = options
  const log = createEventLog(clock, realm, logger || undefined)
  const { emit, warn } = log
  store.onDegraded?.(message => emit({ type: 'storage-degraded', message }))

  /** Emits the id of a session whose record this client changed, or `undefined` if another tab or process changed it. */
  const changes = createListeners<string | undefined>()
  const sessionLost = createListeners<LeftSession>()
  let wokeAt = clock.now() // a page load is a wake too: failed refreshes are retried
  const extensions = settings.extensions.map(extend =>
    extend({
      ...settings,
      ...{ prefix, keyValue, clock, emit, warn },
      transport: async (url, init) => (await authorization.get()).transport(url, init),
      serverAheadMs: () => authorization.loaded?.serverAheadMs() ?? 0,
      session: () => records.current,
      readSession: async () => sessionOf(await records.read()),
      async endSession(sessionId, reason, isRevoked) {
        if (records.current?.sessionId !== sessionId) return
        let ended: SessionRecord | undefined = records.current
        try {
          const mayEnd = (found: Stored) => sessionOf(found)?.sessionId === sessionId
          ended = await records.end(reason, { sessionId, mayEnd })
          if (!ended) await records.read() // another tab or process has already ended or replaced it
        } finally {
          changes.emit(endedSessionOf(records.stored)?.sessionId === sessionId ? sessionId : undefined)
          const refreshToken = isRevoked && ended?.tokens.refreshToken
          if (refreshToken) (await authorization.get()).revoke(refreshToken)
        }
      },
    }),
  )
  const host = options.host?.({
    ...{ options, base, clock, database: store.database },
    warn: message => warn('host', message),
  })
  const { tokenType, presentation } = extensions.find(one => one.tokenType) ?? {}
  const records = createTokenStore(keyValue, sessionKey(prefix), tokenType)
  const now = createWatchedTime(clock, records)
  const create = (half: SecondHalfModule): Authorization =>
    half.createAuthorization({
      settings: checked ?? check(half),
      ...{ extensions, fetch, clock, emit, warn, keyValue, prefix, realm, records, page, navigate },
      lock: store.lock,
      ...half.authorizationEnvironment,
      ...{ now, random, sessionLost, host, warnings: log.warnings },
      owner: `${prefix} in ${store.name}`,
      changed: changes.emit,
      adopted: () => changes.emit(undefined),
      wokeAt: () => wokeAt,
      restart: () => signingIn.signIn(),
      home: (page ? undefined : environment.baseUrl()) ?? settings.redirectUri,
      origin: isReadable ? originOf(environment.baseUrl()) : undefined,
      survivesNavigation: () => store.reach?.() !== 'page',
    })
  const authorization: SecondHalf = loadable(async () => create(await load()), whole && create(whole))
  const live = createLiveSession({
    ...{ records, clock, now, emit, authorization, changes, sessionLost, realm },
    limit: extensions.find(one => one.limit)?.limit,
    isEager: environment.wake !== undefined,
    begin: grant?.parameters && (async epoch => (await authorization.get()).beginGrant(epoch)),
    channel: () => store.channel(prefix),
    wake: environment.wake,
    woke() {
      wokeAt = clock.now() + 1 // later than every failure so far
    },
    ended(sessionId) {
      for (const one of extensions) one.ended?.(sessionId)
    },
  })
  const { started, ...signingIn } = createSignIn({
    ...{ live, authorization, page, userAgent },
    defaultUserAgent: environment.userAgent,
    redirectUri: settings.redirectUri,
  })
  const calls: AuthFetchPorts = {
    ...{ tokens: live, presentation, emit, warn, clock, started },
    send: fetch,
    loadReplay: async () => (await load()).createReplay,
    allowedOrigins: settings.allowedOrigins,
    resources: settings.resources,
    plainHttp: settings.plainHttp,
    baseUrl: environment.baseUrl,
  }
  const shareSignOut = singleFlight<void>()

  return {
    get session() {
      return live.session
    },
    ...signingIn,
    ...(grant?.parameters && {
      async signIn() {
        await started()
        await live.acquire()
        return live.session
      },
    }),
    subscribe: live.subscribe,
    fetch: createAuthFetch(calls),
    [actionContext]: {
      clientId: settings.clientId,
      calls,
      current: () => records.current,
      update: records.update,
      authorization: authorization.get,
      signIn: signingIn.signIn,
    },

    async getAccessToken({ resource: name, scope: part, rejected, forceRefresh, signal } = {}) {
      const url = name === undefined ? undefined : parseResourceName(name, settings.resources)
      const resource = part === undefined ? url : tokenName(url, [part].flat())
      const accessToken = forceRefresh ? undefined : live.ready(resource)
      if (accessToken !== undefined && accessToken !== rejected) return accessToken
      const sessionId = live.sessionId()
      await abortable(started(), signal)
      return live.acquire({ resource, rejected, forceRefresh, sessionId, signal })
    },

    async signOut({ endProviderSession, ...request } = {}) {
      authorization.loaded?.checkSignOut(request) // if it is loaded, before latchkey removes anything
      const isAsked = request.postLogoutRedirectUri !== undefined || request.parameters !== undefined
      const isLeaving = endProviderSession ?? (settings.endsProviderSession || isAsked)
      await shareSignOut('', () =>
        live.signOut(async (ended, onLeft) => {
          const { signOut } = await authorization.get()
          await signOut(ended, request, isLeaving ? onLeft : undefined)
        }),
      )
    },

    events: { subscribe: log.subscribe },
    explain: () => log.explain(live.session, host?.inUse()),

    dispose() {
      live.dispose()
      log.dispose()
      for (const one of extensions) one.close?.()
      host?.close()
      store.close?.()
    },
  }
}
