import { createActionContext } from './actions/context.ts'
import { createTransport } from './authorization/endpoint.ts'
import { joinExtensions } from './authorization/extensions.ts'
import { createIdTokens } from './authorization/id-token.ts'
import { createServer } from './authorization/metadata.ts'
import { watchProtections } from './authorization/protections.ts'
import { createServerTime } from './authorization/server-time.ts'
import { authorize, endSignIns, type Finished, finish, refuseNameless } from './authorization/sign-in.ts'
import { sayGoodbye } from './authorization/sign-out.ts'
import { refreshTokens, revoke } from './authorization/token-request.ts'
import { type Callback, parseCallback } from './core/callback.ts'
import { cleanSignedOut } from './core/clean-url.ts'
import type { Client, SignInOptions } from './core/client.ts'
import { createEventLog } from './core/event-log.ts'
import type { Emit } from './core/events.ts'
import { actionContext } from './core/extension.ts'
import type { Clock, Fetch, Page, Store, UserAgent, Wake, WatchLeaving } from './core/ports.ts'
import { createBend } from './core/quirks.ts'
import { renew, requestFor } from './core/resource.ts'
import { type Session, sessionOf } from './core/session.ts'
import { singleFlight } from './core/single-flight.ts'
import { abortable } from './core/waiting.ts'
import { createWarn } from './core/warn-once.ts'
import { AuthorizationRequiredError, CallbackError, type EndReason } from './errors.ts'
import { createAuthFetch } from './fetch/auth-fetch.ts'
import {
  type ClientOptions,
  checkAuthorizationParameters,
  parseOptions,
  parseResourceName,
  parseReturnTo,
  parseStepUp,
} from './options.ts'
import { createLiveSession } from './session/session.ts'
import { createTokenStore } from './session/token-store.ts'
import { limited } from './storage/limited.ts'
import { typedLock } from './storage/lock-typed.ts'

/** What an environment brings: the ports that the app did not choose itself. */
export interface Runtime {
  readonly fetch: Fetch
  readonly clock: Clock
  readonly store: () => Store
  readonly userAgent: () => UserAgent
  readonly page: Page | undefined
  /** How to leave for the end of the provider's session, where that is not by the page itself. */
  readonly leave?: (url: string, gone: () => void) => Promise<void>
  /** What `fetch` resolves relative URLs against, where it does. */
  readonly baseUrl: () => string | undefined
  readonly wake: Wake | undefined
  readonly watchLeaving?: WatchLeaving
  /** Whether anybody can read the app and what is in it. */
  readonly isReadable?: boolean
  readonly hash: (text: string) => Promise<string>
}

/** Joins the four parts into one object. */
export function joinClient(options: ClientOptions, runtime: Runtime): Client {
  const { page } = runtime
  const settings = parseOptions(options, page?.location(), runtime.isReadable)
  const { clock = runtime.clock, fetch: send = runtime.fetch, userAgent = runtime.userAgent() } = options
  const store = options.store ?? runtime.store()
  const name = `latchkey ${settings.issuer} ${settings.clientId}` // what belongs to another client is never read

  const context = Math.random().toString(36).slice(2, 8)
  const log = createEventLog(clock, context)
  const keyValue = limited(store.keyValue, clock)
  const emit: Emit = log.emit
  // whoever subscribes at once hears it
  queueMicrotask(() => {
    for (const warning of settings.warnings) emit({ type: 'warning', ...warning })
  })
  store.onDegraded?.(message => emit({ type: 'storage-degraded', message }))
  const serverTime = createServerTime(clock)
  const transport = serverTime.watch(createTransport({ fetch: send, clock }))
  const bend = createBend(settings.quirks, emit)
  const watch = watchProtections({ ...settings, keyValue, name, emit })
  const server = createServer({ ...settings, transport, clock, emit, bend, watch })
  const extensions = joinExtensions(settings.extensions, {
    ...settings,
    name,
    keyValue,
    clock,
    emit,
    transport,
    serverAheadMs: serverTime.aheadMs,
    session: () => shared.records.current,
    readSession: async () => sessionOf(await shared.records.read()),
    async endSession(sessionId, reason) {
      if (shared.records.current?.sessionId === sessionId) await live.end(reason)
    },
  })
  const shared = {
    ...settings,
    server,
    serverTime,
    transport,
    bend,
    idTokens: createIdTokens({ ...settings, server, transport, clock, serverTime, bend }),
    extensions,
    tokenType: extensions.tokenType,
    records: createTokenStore(keyValue, `${name} session`, extensions.tokenType),
    keyValue,
    lock: typedLock(store.lock),
    isKept: () => store.reach?.() !== 'page',
    name,
    context,
    page,
    leave: runtime.leave ?? page?.leave,
    clock,
    emit,
    warn: createWarn(emit),
  }
  const discard = (refreshToken: string) => void revoke(shared, refreshToken, 'refresh_token').catch(() => {})
  const live = createLiveSession({
    ...shared,
    channel: () => store.channel(name),
    wake: runtime.wake,
    isEager: runtime.wake !== undefined,
    watchLeaving: runtime.watchLeaving,
    prepare: server,
    ended: extensions.ended,
    hash: runtime.hash,
    random: Math.random,
    async redeem(record, url, attempt, signal) {
      const resource = settings.resources.find(known => known.url === url)
      const parameters = resource && requestFor(resource, record)
      const granted = await refreshTokens(shared, record, attempt, signal, parameters)
      return renew(record, resource, granted, { ...settings, receivedAt: clock.now(), emit })
    },
    revoke: discard,
  })
  const signInPorts = {
    ...shared,
    discard,
    slot: {
      get current() {
        return shared.records.current
      },
      read: async () => sessionOf(await shared.records.read()),
      epoch: live.epoch,
      begin: live.begin,
      changed: live.changed,
    },
  }

  const shareSession = singleFlight<Session>()
  const shareCallback = singleFlight<Finished>()
  const shareSignOut = singleFlight<void>()

  const finishOnce = (callback: Callback) =>
    shareCallback(callback.state, () =>
      finish(signInPorts, callback).catch(error => {
        if (error instanceof CallbackError && error.lost) error.restart = () => signIn()
        throw error
      }),
    )

  /** @returns why nobody is signed in, where a try without the user has told. */
  const arrive = async (): Promise<EndReason | undefined> => {
    await page?.shown()
    const here = page?.location() ?? ''
    const callback = parseCallback(here)
    if (!page || !callback) {
      const clean = cleanSignedOut(here)
      if (clean !== here) {
        page?.replaceLocation(clean)
        await live.returned()
      }
      if (page) await refuseNameless(signInPorts, new URL(here))
      return undefined
    }
    const relayed = callback.userAgent === 'popup' && (await page.relay(callback.url.href, callback.state))
    if (relayed) return undefined
    try {
      await finishOnce(callback)
    } catch (error) {
      if (error instanceof AuthorizationRequiredError) return error.reason
      throw error
    }
    return undefined
  }
  const started = async () => {
    await page?.shown()
    await live.started()
  }

  const signInAs = async (
    subject: string | undefined,
    { returnTo, authorizationParameters = {}, stepUp = {}, userAgent: agent = userAgent }: SignInOptions,
  ) => {
    const more = parseStepUp(stepUp, settings.scope, shared.records.current?.tokens.scope)
    const choice = {
      userAgent: agent.name,
      leaves: agent.leaves ?? false,
      scope: more.scope,
      parameters: {
        ...settings.authorizationParameters,
        ...checkAuthorizationParameters(authorizationParameters),
        ...more.parameters,
      },
      returnTo: parseReturnTo(returnTo, (page ? undefined : runtime.baseUrl()) ?? settings.redirectUri),
      acrValues: stepUp.acrValues,
      subject,
    }
    // only equal demands are one: who asks for more would not get it by somebody else's sign-in
    const { returnTo: _, ...demands } = choice
    return shareSession(`sign-in ${JSON.stringify(demands)}`, async () => {
      const attempt = agent.begin(settings.redirectUri) // before anything is awaited: see UserAgent
      Promise.resolve(attempt.redirectUri).catch(() => {}) // it is waited for later than it may fail
      try {
        await live.signedOut()
        await live.signingIn(() => authorize(signInPorts, attempt, choice))
      } finally {
        attempt.close()
      }
      return live.look()
    })
  }

  const authFetchPorts = {
    ...shared,
    send,
    tokens: live,
    presentation: extensions.presentation,
    baseUrl: runtime.baseUrl,
    started,
  }
  const signIn = (options: SignInOptions = {}) => signInAs(undefined, options)

  return {
    get session() {
      return live.session
    },

    start: () => shareSession('start', () => live.start(arrive())),

    signIn,

    // a popup would be blocked, and seen
    async recover({
      returnTo = page?.location(),
      userAgent: agent = page && !userAgent.leaves ? runtime.userAgent() : userAgent,
    } = {}) {
      await started()
      if (live.session.status === 'signed-in') return live.session
      const subject = await live.beginRecovery()
      const silent = { returnTo, userAgent: agent, authorizationParameters: { prompt: 'none' } }
      return signInAs(subject, silent)
    },

    async handleCallback(url) {
      await page?.shown()
      const callback = parseCallback(url)
      const finished = callback && (await finishOnce(callback))
      return finished
        ? { handled: true, session: await live.look(), returnTo: finished.returnTo }
        : { handled: false }
    },

    subscribe: live.subscribe,

    fetch: createAuthFetch(authFetchPorts),

    [actionContext]: createActionContext({ ...shared, ...authFetchPorts }),

    async getAccessToken({ resource: name, signal } = {}) {
      const resource = name === undefined ? undefined : parseResourceName(name, settings)
      const accessToken = live.ready(resource)
      if (accessToken !== undefined) return accessToken
      const sessionId = live.sessionId()
      await abortable(started(), signal)
      return live.acquire({ resource, sessionId, signal })
    },

    signOut: ({ endProviderSession = settings.postLogoutRedirectUri !== undefined } = {}) =>
      shareSignOut('sign-out', () =>
        live.signOut(async (ended, gone) => {
          await endSignIns(signInPorts)
          if (!ended) return
          const leave = shared.leave && ((url: string) => shared.leave?.(url, gone) as Promise<void>)
          await sayGoodbye({ ...shared, leave }, ended, endProviderSession)
        }),
      ),

    events: { subscribe: log.subscribe },

    explain: () => log.explain(live.session),

    dispose() {
      live.dispose()
      log.dispose()
      extensions.close()
      store.close?.()
    },
  }
}
