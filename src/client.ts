import type { ClientInternals } from './actions/context.ts'
import type {
  Authorization,
  AuthorizationPorts,
  LeftSession,
  SecondHalf,
  ServerSettings,
  SessionRecords,
} from './core/authorization.ts'
import type { Client } from './core/client.ts'
import { baseOf, isOrigin, parseUrl, tokenName } from './core/destination.ts'
import { createEventLog } from './core/event-log.ts'
import {
  actionContext,
  type Extension,
  type ExtensionContext,
  type ExtensionHooks,
} from './core/extension.ts'
import { sessionKey } from './core/keys.ts'
import { createListeners, type Listeners } from './core/listeners.ts'
import type { AuthorizationEnvironment, Clock, Environment } from './core/ports.ts'
import { endedSessionOf, sessionOf } from './core/session.ts'
import { abortable, loadable, singleFlight } from './core/waiting.ts'
import { ConfigurationError } from './errors.ts'
import { type AuthFetchPorts, createAuthFetch } from './fetch/auth-fetch.ts'
import type { createReplay } from './fetch/replay.ts'
import type { ClientOptions } from './options.ts'
import type { LiveSession } from './session/ports.ts'
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
  const { issuer = options.server?.issuer, clientId, redirectUri = '' } = options
  const { allowedOrigins = [], resources = {}, quirks, strict = false, grant, session } = options
  const plainHttp = new Set([options.allowPlainHttpForTests ?? []].flat())
  const urls = Object.keys(Object(resources)).filter(name => parseUrl(name))
  return {
    ...{ clientId, strict, clientAuthentication: options.clientAuthentication, grant, session },
    issuer: String(issuer),
    quirks: new Set([quirks ?? []].flat()),
    plainHttp,
    // the provider comes first, so that extensions see its corrected responses
    extensions: [options.provider ?? [], options.extensions ?? [], grant?.extension]
      .flat()
      .filter((one): one is Extension => typeof one === 'function'),
    redirectUri: (base && parseUrl(redirectUri, base)?.href) || redirectUri,
    // the scope of a grant without a user
    grantScope: [options.scope ?? []].flat().join(' '),
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

type Settings = ReturnType<typeof readOptions>

/** Chooses the store, and the prefix of the records there: every client, grant and session has a prefix of its own. */
function chooseStore(options: ClientOptions, settings: Settings, environment: Environment, clock: Clock) {
  const { issuer, clientId, grant, session, grantScope: scope } = settings
  const given = options.store?.keyValue ? options.store : undefined
  const chosen = { scope, session, store: given, defaultStore: environment.store }
  const store = grant?.store?.(chosen) ?? given ?? environment.store()
  const prefix = [
    `latchkey ${issuer} ${clientId}`,
    ...(grant?.parameters ? [`by ${grant.type}`] : []),
    ...(session === undefined ? [] : [`of ${encodeURIComponent(session)}`]),
  ].join(' ')
  return { store, prefix, keyValue: limited(store.keyValue, clock) }
}

/** Creates what the other parts have in common. */
function createFoundation(options: ClientOptions, settings: Settings, environment: Environment) {
  const { clock = environment.clock, fetch = environment.fetch, logger = environment.logger } = options
  const { store, prefix, keyValue } = chooseStore(options, settings, environment, clock)
  const realm = (environment.realm ?? '') + Math.random().toString(36).slice(2, 8)
  const log = createEventLog(clock, realm, logger || undefined)
  const { emit, warn } = log
  store.onDegraded?.(message => emit({ type: 'storage-degraded', message }))
  /** Emits the id of a session whose record this client changed, or `undefined` if another tab or process changed it. */
  const changes = createListeners<string | undefined>()
  const sessionLost = createListeners<LeftSession>()
  return { store, log, changes, sessionLost, fetch, realm, shared: { prefix, keyValue, clock, emit, warn } }
}

type Shared = Pick<ExtensionContext, 'prefix' | 'keyValue' | 'clock' | 'emit' | 'warn'>

/** @param parts returns what latchkey composes after the extensions. */
const createExtensions = (
  settings: Settings,
  shared: Shared,
  changes: Listeners<string | undefined>,
  parts: () => { readonly records: SessionRecords; readonly authorization: SecondHalf },
): ExtensionHooks[] =>
  settings.extensions.map(extend =>
    extend({
      ...settings,
      ...shared,
      transport: async (url, init) => (await parts().authorization.get()).transport(url, init),
      serverAheadMs: () => parts().authorization.loaded?.serverAheadMs() ?? 0,
      session: () => parts().records.current,
      readSession: async () => sessionOf(await parts().records.read()),
      async endSession(sessionId, reason, isRevoked) {
        const { records, authorization } = parts()
        let ended = records.current
        if (ended?.sessionId !== sessionId) return
        try {
          ended = await records.end(reason, found => sessionOf(found)?.sessionId === sessionId)
          if (!ended) await records.read() // another tab or process has already ended or replaced it
        } finally {
          changes.emit(endedSessionOf(records.stored)?.sessionId === sessionId ? sessionId : undefined)
          const refreshToken = isRevoked && ended?.tokens.refreshToken
          if (refreshToken) (await authorization.get()).revoke(refreshToken)
        }
      },
    }),
  )

/** Creates the methods that need more than one part of the client. */
function createMethods(
  settings: Settings,
  live: LiveSession,
  authorization: SecondHalf,
  { started, ...signingIn }: ReturnType<typeof createSignIn>,
): Pick<Client, 'signIn' | 'start' | 'recover' | 'handleCallback' | 'getAccessToken' | 'signOut'> {
  const shareSignOut = singleFlight<void>()
  return {
    ...signingIn,
    ...(settings.grant?.parameters && {
      async signIn() {
        await started()
        await live.acquire()
        return live.session
      },
    }),

    async getAccessToken({ resource: name, scope: part, rejected, forceRefresh, signal } = {}) {
      const url = parseUrl(name) ? baseOf(name as string) : name
      if (url !== undefined && !settings.resources.includes(url))
        throw (await authorization.get()).unknownResource(name)
      const resource = part === undefined ? url : tokenName(url, [part].flat())
      const accessToken = forceRefresh ? undefined : live.ready(resource)
      if (accessToken !== undefined && accessToken !== rejected) return accessToken
      const sessionId = live.sessionId()
      await abortable(started(), signal)
      return live.acquire({ resource, rejected, forceRefresh, sessionId, signal })
    },

    async signOut(request = {}) {
      authorization.loaded?.checkSignOut(request) // if it is loaded, before latchkey removes anything
      await shareSignOut('', () =>
        live.signOut(async (...left) => (await authorization.get()).signOut(request, ...left)),
      )
    },
  }
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
  if (Object(options) !== options) throw new ConfigurationError('createClient() needs options.')
  const { page, isReadable = false } = environment
  const base = page?.location()
  const check = ({ parseOptions }: SecondHalfModule) => parseOptions(options, base, isReadable)
  // if the second half is already loaded, it checks all options before latchkey creates anything from them
  const [load, whole] = typeof module === 'function' ? [module] : [async () => module, module]
  const checked = whole && check(whole)
  const settings = readOptions(options, base)
  const { grant, allowedOrigins, resources, plainHttp } = settings
  const { store, log, changes, sessionLost, fetch, realm, shared } = createFoundation(
    options,
    settings,
    environment,
  )
  const { prefix, keyValue, clock, emit, warn } = shared
  let wokeAt = clock.now() // a page load is a wake too: failed refreshes are retried
  const extensions = createExtensions(settings, shared, changes, () => ({ records, authorization }))
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
      ...shared,
      ...{ extensions, fetch, realm, records, page, navigate: options.navigate },
      lock: store.lock,
      ...half.authorizationEnvironment,
      ...{ now, random: Math.random, sessionLost, host, warnings: log.warnings },
      owner: `${prefix} in ${store.name}`,
      changed: changes.emit,
      adopted: () => changes.emit(undefined),
      wokeAt: () => wokeAt,
      restart: () => signIns.signIn(),
      ...{ isReadable, baseUrl: environment.baseUrl },
      survivesNavigation: () => store.reach?.() !== 'page',
    })
  const authorization: SecondHalf = loadable(async () => create(await load()), whole && create(whole))
  const live = createLiveSession({
    ...{ records, clock, now, emit, authorization, changes, sessionLost, realm },
    limit: extensions.find(one => one.limit)?.limit,
    isEager: environment.wake !== undefined,
    host,
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
  const signIns = createSignIn({
    ...{ live, authorization, page, redirectUri: settings.redirectUri },
    userAgent: options.userAgent?.begin ? options.userAgent : (grant?.userAgent ?? environment.userAgent()),
    defaultUserAgent: environment.userAgent,
  })
  const calls: AuthFetchPorts = {
    ...{ tokens: live, presentation, emit, warn, clock, started: signIns.started },
    send: fetch,
    loadReplay: async () => (await load()).createReplay,
    ...{ allowedOrigins, resources, plainHttp, baseUrl: environment.baseUrl },
  }

  return {
    get session() {
      return live.session
    },
    ...createMethods(settings, live, authorization, signIns),
    subscribe: live.subscribe,
    fetch: createAuthFetch(calls),
    [actionContext]: {
      ...{ clientId: settings.clientId, calls, changed: changes.emit },
      records: () => records,
      authorization: authorization.get,
      signIn: signIns.signIn,
    } satisfies ClientInternals,
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
