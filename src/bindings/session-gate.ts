import type { Client, Session } from '../public-types.ts'

/** The state that bindings show: an immutable snapshot, the same object until something changes. */
export interface View {
  readonly session: Session
  /** The signed-in user, the claim `sub`. Without an ID Token, every sign-in counts as another user. */
  readonly user?: string | undefined
  /** The error of the client's start, or of a sign-in that a guard began. The next successful sign-in removes it. */
  readonly error?: Error | undefined
}

/** Options of a guard. */
export interface GuardOptions {
  /**
   * The path of the page for signed-out users, such as `/welcome`. The guard adds `?returnTo=` with the address of the
   * guarded page; pass it to `signIn({ returnTo })`.
   */
  readonly signedOutPath: string
  /**
   * Whether the guard may begin a sign-in automatically. It does so only in a newly opened page, never after a sign-out, the
   * end of a session or a failed sign-in. Default true.
   */
  readonly beginSignIn?: boolean
}

/** Options of `finishSignIn`. */
export interface FinishSignInOptions {
  /** The path of the page for signed-out users. It is also shown after a failed sign-in. */
  readonly signedOutPath: string
  /** The path to show after a sign-in without `returnTo`. Default `/`. */
  readonly home?: string
}

/** All bindings and guards of a client share it: it starts the client, provides the view and applies the rules of guards. */
export interface SessionGate {
  view(): View
  /** Calls `listener` when the view may have changed. @returns a function that stops it. */
  subscribe(listener: () => void): () => void
  /**
   * Starts the client once. Never rejects: the view contains the error.
   * @returns the error if the client could not find out who is signed in. The next call then starts it again.
   */
  start(): Promise<unknown>
  /**
   * Returns the address that the page shows after a finished sign-in: its `returnTo`. Only the first caller gets it.
   * @param page the page that the router is about to show. If it is not the callback, the result is `undefined`.
   */
  takeReturnAddress(page?: string): string | undefined
  /**
   * Decides whether the router may show a guarded page, and begins a sign-in if the rules allow it.
   * @param returnTo the address of the guarded page.
   * @param isPreload whether the router only preloads the page. Then no sign-in begins.
   * @throws the error if this cannot be decided now, for example because the device is offline.
   */
  enter(
    returnTo: string | undefined,
    options: Pick<GuardOptions, 'beginSignIn'>,
    isPreload?: boolean,
  ): Promise<boolean>
}

const PAGE = 'http://page.invalid'
const urlOf = (address: string) => new URL(address, PAGE)
const pathOf = (address: string) => urlOf(address).pathname

const STARTING: View = { session: Object.freeze({ status: 'starting' }) }

/** The view on a server, and while a page takes over the server's output. */
export const viewOnServer = (): View => STARTING

/** An address without its origin. */
export const withinOrigin = ({ pathname, search, hash }: URL | Location): string => pathname + search + hash

/** The address of the page; `undefined` if there is none. */
export const addressOfPage = (): string | undefined => globalThis.location?.href

/** Settles when a sign-in that the app began, for example in a popup, has ended. */
const signInEnded = (client: Client): Promise<void> =>
  new Promise(resolve => {
    const stop = client.subscribe(({ status }) => {
      if (status === 'signing-in') return
      stop()
      resolve()
    })
  })

function createSessionGate(client: Client): SessionGate {
  const listeners = new Set<() => void>()
  let view = STARTING
  let error: Error | undefined
  let counted: unknown
  let sessions = 0
  let starting: Promise<unknown> | undefined
  let signingIn: Promise<unknown> | undefined
  /** The callback's path, and the address that latchkey has put in its place. */
  let arrival: { readonly from: string; readonly to: string } | undefined
  let mayBegin = true

  const currentView = (): View => {
    const { session } = client
    let user: string | undefined
    if (session.status === 'signed-in') {
      user = session.claims?.sub ?? `session ${sessions}`
      error = undefined
      mayBegin = false // after the end of this session, only the user begins the next sign-in
    }
    if (view.session !== session || view.error !== error) view = { session, user, error }
    return view
  }
  /** @returns whether a new sign-in may help. After other errors, retry or correct the app. */
  const noteFailure = (reason: unknown): boolean => {
    const isAboutSignIn = /^ERR_(CALLBACK|AUTHORIZATION_REQUIRED|SERVER)$/.test(Object(reason).code)
    error = reason as Error
    mayBegin &&= !isAboutSignIn
    for (const listener of [...listeners]) listener()
    return isAboutSignIn
  }

  const start = async (): Promise<unknown> => {
    let failure: unknown
    const before = location.href
    // the app itself has already handled a callback: if nobody is signed in now, that sign-in failed
    if (client.explain().events.some(({ type }) => type === 'authorization-response')) mayBegin = false
    try {
      await client.start()
    } catch (reason) {
      if (!noteFailure(reason)) {
        starting = undefined
        failure = reason
      }
    }
    if (location.href !== before) arrival = { from: pathOf(before), to: withinOrigin(location) }
    return failure
  }
  const started = () => {
    starting ??= start()
    return starting
  }

  return {
    view: currentView,
    subscribe(listener) {
      const stopCounting = client.events.subscribe(event => {
        if (event.type !== 'session-started' || event === counted) return
        counted = event
        sessions++
      })
      const stop = client.subscribe(listener)
      listeners.add(listener)
      return () => {
        listeners.delete(listener)
        stopCounting()
        stop()
      }
    },
    start: started,
    takeReturnAddress(page) {
      // compare paths only: routers encode the query differently
      if (page && pathOf(page) !== arrival?.from) return undefined
      const taken = arrival?.to
      arrival = undefined
      return taken
    },
    async enter(returnTo, { beginSignIn = true }, isPreload) {
      const failure = await started()
      if (currentView().session.status === 'signing-in' && !signingIn && !isPreload) await signInEnded(client)
      const { session } = currentView()
      if (session.status === 'signed-in') return true
      if (failure) throw failure
      const isNew = mayBegin && session.status === 'signed-out' && session.reason !== 'signed_out'
      if (isPreload || !beginSignIn || !(isNew || signingIn)) return false
      signingIn ??= client.signIn({ returnTo }).finally(() => {
        signingIn = undefined
      })
      try {
        await signingIn
        mayBegin = false
      } catch (reason) {
        if (!noteFailure(reason)) throw reason
      }
      return currentView().session.status === 'signed-in'
    },
  }
}

const gates = new WeakMap<Client, SessionGate>()

/** A server does not know who is signed in: it renders the status `starting`, and its guards admit everyone. */
const ON_SERVER: SessionGate = {
  view: viewOnServer,
  subscribe: () => () => {},
  start: async () => {},
  takeReturnAddress: () => undefined,
  enter: async () => true,
}

/** Returns the client's gate. There is one for each client. */
export function sessionGateOf(client: Client): SessionGate {
  if (!globalThis.document) return ON_SERVER
  const gate = gates.get(client) ?? createSessionGate(client)
  gates.set(client, gate)
  return gate
}

/**
 * Calls `listener` when the signed-in user changes, here or in another tab: another user has signed in, or the session has
 * ended. Remove the previous user's data there, such as a cache.
 * @param listener receives the new and the previous user, the claim `sub`; `undefined` means nobody.
 * @returns a function that stops it.
 * @example
 * onUserChange(client, () => queryClient.clear())
 */
export function onUserChange(
  client: Client,
  listener: (user: string | undefined, before: string | undefined) => void,
): () => void {
  const gate = sessionGateOf(client)
  let last: View | undefined
  const look = () => {
    const view = gate.view()
    if (view.session.status === 'starting') return
    const before = last
    last = view
    if (before && view.user !== before.user) listener(view.user, before.user)
  }
  look()
  return gate.subscribe(look)
}

/** Converts between the page's addresses and a router's addresses, which lack the base path. */
export interface Addresses {
  /** The guarded page's address in the address bar. */
  readonly address: string
  /** Converts an address of the address bar to one of the router. */
  toRouter(address: string): string
}

/** Removes the base that a router adds to its addresses. */
export const withoutBase =
  (base: string) =>
  (address: string): string =>
    (address.startsWith(base) ? address.slice(base.length) : address) || '/'

/**
 * Applies a guard's rules to one navigation.
 * @param path the guarded page's path in the router.
 * @returns the path to show instead, or `undefined` if the router may show the page.
 * @throws the error if this cannot be decided now.
 */
export async function admit(
  client: Client,
  path: string,
  options: GuardOptions,
  { address, toRouter }: Addresses,
  isPreload?: boolean,
): Promise<string | undefined> {
  const gate = sessionGateOf(client)
  const isAdmitted = await gate.enter(address, options, isPreload)
  const arrival = isPreload ? undefined : gate.takeReturnAddress(address)
  if (isAdmitted) {
    const target = arrival && toRouter(arrival)
    return target === path ? undefined : target
  }
  const url = urlOf(options.signedOutPath)
  if (url.pathname === pathOf(path)) return undefined // the page would redirect to itself
  url.searchParams.set('returnTo', arrival ?? address)
  return withinOrigin(url)
}

/** @returns the address to show after a sign-in: the guard's result, or `home` if that is missing or the callback itself. */
export const afterSignIn = (instead: string | undefined, callback: string, home = '/'): string =>
  instead && pathOf(instead) !== pathOf(callback) ? instead : home
