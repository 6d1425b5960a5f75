import type { Client, Session } from '../public-types.ts'

/** What bindings show of a client: an immutable snapshot, the same object until something changes. */
export interface View {
  readonly session: Session
  /** Who is signed in: the claim `sub`. Without an ID Token, every sign-in counts as another user. */
  readonly user?: string | undefined
  /** Why the client's start, or a sign-in that a guard began, failed. The next sign-in that succeeds removes it. */
  readonly error?: Error | undefined
}

/** Options of a guard. */
export interface GuardOptions {
  /**
   * The path of the page for users who are signed out, such as `/welcome`. The guard adds `?returnTo=` with the address of
   * the guarded page; pass it to `signIn({ returnTo })`.
   */
  readonly signedOutPath: string
  /**
   * Whether the guard may begin a sign-in by itself. It does so only in a page that has just been opened: never after a
   * sign-out, the end of a session or a sign-in that failed. Default true.
   */
  readonly beginSignIn?: boolean
}

/** Options of `finishSignIn`. */
export interface FinishSignInOptions {
  /** The path of the page for users who are signed out. It also gets users whose sign-in failed. */
  readonly signedOutPath: string
  /** The path to show after a sign-in without `returnTo`. Default `/`. */
  readonly home?: string
}

/** What all bindings and guards of a client share: its start, its view and the rules of a guard. */
export interface Entrance {
  readonly view: View
  /** Calls `listener` when `view` may have changed. @returns a function that stops it. */
  subscribe(listener: () => void): () => void
  /**
   * Starts the client once. Never rejects: `view` has the error.
   * @returns the error, if the client could not find out who is signed in and has to be started again.
   */
  start(): Promise<unknown>
  /**
   * The address that the end of a sign-in has put into the address bar. Only the first router to ask gets it.
   * @param page the page that the router is about to show: only in place of the callback does it show another.
   */
  takeArrival(page?: string): string | undefined
  /**
   * Finds out whether a guarded page may be shown, and begins a sign-in if the rules allow it.
   * @param returnTo the address of the guarded page.
   * @param isPreload the router loads the page ahead of time: nothing is begun for it.
   * @throws the error if there is no answer now, for example because the device is offline. The page is not left.
   */
  enter(
    returnTo: string | undefined,
    options: Pick<GuardOptions, 'beginSignIn'>,
    isPreload?: boolean,
  ): Promise<boolean>
}

const PAGE = 'http://page.invalid'
const pathOf = (address: string) => new URL(address, PAGE).pathname

export const STARTING: View = Object.freeze({
  session: Object.freeze({ status: 'starting' } as const),
})

/** What the address bar shows; `undefined` where there is none. */
export const addressOfPage = (): string | undefined => globalThis.location?.href

function createEntrance(client: Client): Entrance {
  const listeners = new Set<() => void>()
  let view = STARTING
  let error: Error | undefined
  let begun: unknown
  let sessions = 0
  let starting: Promise<unknown> | undefined
  let signingIn: Promise<unknown> | undefined
  let callback: string | undefined
  let arrival: string | undefined
  let mayBegin = true

  const look = (): View => {
    const { session } = client
    if (session.status === 'signed-in') {
      error = undefined
      mayBegin = false // whatever ends this session: the user decides when to sign in again
    }
    if (view.session !== session || view.error !== error) {
      const user = session.status === 'signed-in' ? (session.claims?.sub ?? `session ${sessions}`) : undefined
      view = Object.freeze({ session, user, error })
    }
    return view
  }
  /** @returns whether it is about the sign-in: the user can begin another. All others say to try again or to correct the app. */
  const fail = (reason: unknown): boolean => {
    const isAboutSignIn = /^ERR_(CALLBACK|AUTHORIZATION_REQUIRED|SERVER)$/.test(Object(reason).code)
    error = reason as Error
    mayBegin &&= !isAboutSignIn
    for (const listener of [...listeners]) listener()
    return isAboutSignIn
  }

  const start = async (): Promise<unknown> => {
    let failure: unknown
    const before = location.href
    // a sign-in that the app has finished by itself, and that left nobody signed in, has failed
    if (client.explain().events.some(({ type }) => type === 'authorization-response')) mayBegin = false
    try {
      await client.start()
    } catch (reason) {
      if (!fail(reason)) {
        starting = undefined
        failure = reason
      }
    }
    if (location.href !== before) {
      callback = pathOf(before)
      arrival = location.href.replace(/^[^/]*\/\/[^/]*/, '')
    }
    return failure
  }
  const started = () => {
    starting ??= start()
    return starting
  }

  /** Settles when a sign-in that the app began, for example in a popup, is no longer under way. */
  const signInEnded = () =>
    new Promise<void>(resolve => {
      const stop = client.subscribe(({ status }) => {
        if (status === 'signing-in') return
        stop()
        resolve()
      })
    })

  return {
    get view() {
      return look()
    },
    subscribe(listener) {
      const own = () => listener()
      const stops = [
        client.events.subscribe(event => {
          if (event.type !== 'session-started' || event === begun) return
          begun = event
          sessions++
        }),
        client.subscribe(own),
      ]
      listeners.add(own)
      return () => {
        listeners.delete(own)
        for (const stop of stops) stop()
      }
    },
    start: started,
    takeArrival(page) {
      // routers write a query in their own way
      if (page !== undefined && pathOf(page) !== callback) return undefined
      const taken = arrival
      arrival = undefined
      return taken
    },
    async enter(returnTo, { beginSignIn = true }, isPreload) {
      const failure = await started()
      if (look().session.status === 'signing-in' && !signingIn && !isPreload) await signInEnded()
      const { session } = look()
      if (session.status === 'signed-in') return true
      if (failure) throw failure
      const isNew = mayBegin && session.status === 'signed-out' && session.reason !== 'signed_out'
      if (isPreload || !beginSignIn || !(isNew || signingIn)) return false
      mayBegin = false
      signingIn ??= client.signIn({ returnTo }).finally(() => {
        signingIn = undefined
      })
      try {
        await signingIn
      } catch (reason) {
        mayBegin = true
        if (fail(reason)) return false
        throw reason
      }
      return look().session.status === 'signed-in'
    },
  }
}

const entrances = new WeakMap<Client, Entrance>()

/** A server does not know who is signed in: it renders what a page shows that is starting, and lets everyone in. */
const ON_SERVER: Entrance = {
  view: STARTING,
  subscribe: () => () => {},
  start: async () => {},
  takeArrival: () => undefined,
  enter: async () => true,
}

/** The one entrance of a client. */
export function entranceOf(client: Client): Entrance {
  if (!globalThis.document) return ON_SERVER
  const entrance = entrances.get(client) ?? createEntrance(client)
  entrances.set(client, entrance)
  return entrance
}

/**
 * Calls `listener` when the signed-in user changes: another user signed in, here or in another tab, or nobody is signed in
 * any more. Remove there what belongs to the last user, such as a cache.
 * @param listener gets the new user and the one before, as the claim `sub`; `undefined` means nobody.
 * @returns a function that stops it.
 * @example
 * onUserChange(client, () => queryClient.clear())
 */
export function onUserChange(
  client: Client,
  listener: (user: string | undefined, before: string | undefined) => void,
): () => void {
  const entrance = entranceOf(client)
  let last: View | undefined
  const look = () => {
    const { view } = entrance
    if (view.session.status === 'starting') return
    const before = last
    last = view
    if (before && view.user !== before.user) listener(view.user, before.user)
  }
  look()
  return entrance.subscribe(look)
}

/** A way of a router to name its addresses: those of the page without the base that the router adds. */
export interface Addresses {
  /** The guarded page, as the address bar names it. */
  readonly address: string
  /** Turns an address of the address bar into one of the router. */
  toRouter(address: string): string
}

/** Removes the base that a router adds to its addresses. */
export const withoutBase =
  (base: string) =>
  (address: string): string =>
    (address.startsWith(base) ? address.slice(base.length) : address) || '/'

/**
 * Applies a guard's rules to one navigation.
 * @param path the guarded page, as the router names it.
 * @returns the path to show instead, or `undefined` if the page may be shown.
 * @throws the error if there is no answer now.
 */
export async function admit(
  client: Client,
  path: string,
  options: GuardOptions,
  { address, toRouter }: Addresses,
  isPreload?: boolean,
): Promise<string | undefined> {
  const entrance = entranceOf(client)
  const isAdmitted = await entrance.enter(address, options, isPreload)
  const arrival = isPreload ? undefined : entrance.takeArrival(address)
  const target = arrival === undefined ? path : toRouter(arrival)
  if (isAdmitted) return target === path ? undefined : target
  const url = new URL(options.signedOutPath, PAGE)
  if (url.pathname === pathOf(path)) return undefined // it would lead to itself for ever
  url.searchParams.set('returnTo', arrival ?? address)
  return url.href.slice(PAGE.length)
}

/** @returns the address to show once a sign-in has ended: that of the guard's answer, unless it is the callback itself. */
export const afterSignIn = (instead: string | undefined, callback: string, home = '/'): string =>
  instead && pathOf(instead) !== pathOf(callback) ? instead : home
