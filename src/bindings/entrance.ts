import type { Client, Session } from '../public-types.ts'

/** What bindings show of a client: an immutable snapshot, the same object until something changes. */
export interface View {
  readonly session: Session
  /** Who is signed in: the claim `sub`. Without an ID Token, every sign-in counts as another user. */
  readonly user: string | undefined
  /** Why the client's start, or a sign-in that a guard began, failed. The next sign-in that succeeds removes it. */
  readonly error: Error | undefined
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

/** What a guard asks before it shows a page. */
export interface EntryRequest {
  /** The address of the guarded page. */
  readonly returnTo: string | undefined
  readonly beginSignIn?: boolean | undefined
  /** The router loads the page ahead of time: nothing is begun for it. */
  readonly isPreload?: boolean | undefined
}

/** What all bindings and guards of a client share: its start, its view and the rules of a guard. */
export interface Entrance {
  readonly view: View
  /** Calls `listener` when `view` may have changed. @returns a function that stops it. */
  subscribe(listener: () => void): () => void
  /** Starts the client once. Never rejects: `view` has the error. */
  start(): Promise<void>
  /**
   * The address that the end of a sign-in has put into the address bar. Only the first router to ask gets it.
   * @param callback the page that the router is about to show: only in place of the callback does it show another.
   */
  takeArrival(callback?: string): string | undefined
  /**
   * Finds out whether a guarded page may be shown, and begins a sign-in if the rules allow it.
   * @throws the error if there is no answer now, for example because the device is offline. The page is not left.
   */
  enter(request: EntryRequest): Promise<boolean>
}

const PAGE = 'http://page.invalid'
const pathOf = (address: string) => new URL(address, PAGE).pathname

export const STARTING: View = Object.freeze({
  session: Object.freeze({ status: 'starting' } as const),
  user: undefined,
  error: undefined,
})

/** What these errors are about is the sign-in: the user can begin another. All others say to try again or to correct the app. */
const isAboutSignIn = (error: unknown) =>
  /^ERR_(CALLBACK|AUTHORIZATION_REQUIRED|SERVER)$/.test(Object(error).code)

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
  let arrival: { from: string; to: string } | undefined
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
  const fail = (reason: unknown) => {
    error = reason as Error
    mayBegin &&= !isAboutSignIn(reason)
    for (const listener of [...listeners]) listener()
  }

  /** @returns the error, if the client could not find out who is signed in and has to be started again. */
  const start = async (): Promise<unknown> => {
    let failure: unknown
    const before = addressOfPage()
    // a sign-in that the app has finished by itself, and that left nobody signed in, has failed
    if (client.explain().events.some(({ type }) => type === 'authorization-response')) mayBegin = false
    try {
      await client.start()
    } catch (reason) {
      fail(reason)
      if (!isAboutSignIn(reason)) {
        starting = undefined
        failure = reason
      }
    }
    const after = addressOfPage()
    if (before && after && after !== before)
      arrival = { from: pathOf(before), to: after.replace(/^[^/]*\/\/[^/]*/, '') }
    return failure
  }
  const started = () => {
    starting ??= start()
    return starting
  }

  const signIn = (returnTo: string | undefined) => {
    mayBegin = false
    signingIn ??= client.signIn({ returnTo }).finally(() => {
      signingIn = undefined
    })
    return signingIn
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
    start: async () => void (await started()),
    takeArrival(callback) {
      // routers write a query in their own way
      if (!arrival || (callback !== undefined && pathOf(callback) !== arrival.from)) return undefined
      const { to } = arrival
      arrival = undefined
      return to
    },
    async enter({ returnTo, beginSignIn = true, isPreload = false }) {
      const failure = await started()
      if (look().session.status === 'signing-in' && !signingIn && !isPreload) await signInEnded()
      const { session } = look()
      if (session.status === 'signed-in') return true
      if (failure) throw failure
      const isNew = mayBegin && session.status === 'signed-out' && session.reason !== 'signed_out'
      if (isPreload || !beginSignIn || !(isNew || signingIn)) return false
      try {
        await signIn(returnTo)
      } catch (reason) {
        mayBegin = !isAboutSignIn(reason)
        fail(reason)
        if (mayBegin) throw reason
        return false
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
  let last = entrance.view
  return entrance.subscribe(() => {
    const next = entrance.view
    if (next.session.status === 'starting') return
    const before = last
    last = next
    if (before.session.status !== 'starting' && next.user !== before.user) listener(next.user, before.user)
  })
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
  { signedOutPath, beginSignIn }: GuardOptions,
  { address, toRouter }: Addresses,
  isPreload = false,
): Promise<string | undefined> {
  const entrance = entranceOf(client)
  const isAdmitted = await entrance.enter({ returnTo: address, beginSignIn, isPreload })
  const arrival = isPreload ? undefined : entrance.takeArrival(address)
  const target = arrival === undefined ? path : toRouter(arrival)
  if (isAdmitted) return target === path ? undefined : target
  const url = new URL(signedOutPath, PAGE)
  if (url.pathname === pathOf(path)) return undefined // it would lead to itself for ever
  url.searchParams.set('returnTo', arrival ?? address)
  return url.href.slice(PAGE.length)
}
