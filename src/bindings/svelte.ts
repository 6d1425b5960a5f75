import { onMount } from 'svelte'
import { createSubscriber } from 'svelte/reactivity'
import type { Client, Session } from '../public-types.ts'
import { admit, type GuardOptions, sessionGateOf, type View, viewOnServer } from './session-gate.ts'

/** The session of a client. Components, `$derived` and `$effect` that read it run again when it changes. */
export interface SessionState {
  /** The session. On a server its status is `starting`. */
  readonly current: Session
  /** The signed-in user, the claim `sub`; `undefined` means nobody. Use it in `{#key}` around one user's content. */
  readonly user: string | undefined
  /** The error of the client's start, or of a sign-in that a guard began. The next successful sign-in removes it. */
  readonly error: Error | undefined
}

/** Options of `createSession`. */
export interface CreateSessionOptions {
  /**
   * Whether a server renders this component. If so, the session is `starting` until the component is mounted, so that it
   * matches the server's output; call `createSession` while the component initializes. Default false.
   */
  readonly isServerRendered?: boolean
}

/**
 * Follows the session of a client, and starts the client in the browser. It listens only while components or effects read
 * it.
 * @example
 * const session = createSession(client) // in the markup: {#if session.current.status === 'signed-in'}
 */
export function createSession(
  client: Client,
  { isServerRendered = false }: CreateSessionOptions = {},
): SessionState {
  const gate = sessionGateOf(client)
  let isHydrating = isServerRendered
  let changed = () => {}
  const subscribe = createSubscriber(update => {
    changed = update
    return gate.subscribe(update)
  })
  void gate.start()
  if (isServerRendered)
    onMount(() => {
      isHydrating = false
      changed()
    })
  const read = (): View => {
    subscribe()
    return (isHydrating ? viewOnServer : gate.view)()
  }
  return {
    get current() {
      return read().session
    },
    get user() {
      return read().user
    },
    get error() {
      return read().error
    },
  }
}

/**
 * The session of a client as a Svelte store, for code that uses `$session`.
 * @example
 * const session = sessionStore(client)
 * // in the markup: {#if $session.status === 'signed-in'}
 */
export function sessionStore(client: Client): { subscribe(run: (session: Session) => void): () => void } {
  const gate = sessionGateOf(client)
  return {
    subscribe(run) {
      void gate.start()
      let last = gate.view().session
      run(last)
      return gate.subscribe(() => {
        if (last === gate.view().session) return
        last = gate.view().session
        run(last)
      })
    },
  }
}

/** Options of `requireSession`. */
export interface SvelteKitGuardOptions extends GuardOptions {
  /** The `redirect` of `@sveltejs/kit`. */
  readonly redirect: (status: 302, location: string) => never
}

/** The part of SvelteKit's argument for `load` that a guard reads. */
export interface LoadEvent {
  readonly url: URL
}

/**
 * Guards a page or a layout of SvelteKit: export it as `load` in `+page.ts` or `+layout.ts`, or call it in your `load`. Also
 * export `ssr = false`, because a server does not know who is signed in and admits everyone.
 * @returns a function that throws a redirect to `signedOutPath`, or begins a sign-in, unless a user is signed in.
 * @example
 * export const load = requireSession(client, { redirect, signedOutPath: '/welcome' })
 */
export const requireSession =
  (client: Client, { redirect, ...options }: SvelteKitGuardOptions): ((event: LoadEvent) => Promise<void>) =>
  async ({ url }) => {
    const path = url.pathname + url.search // SvelteKit does not let `load` read the fragment
    const instead = await admit(client, path, options, { address: path, toRouter: address => address })
    if (instead !== undefined) redirect(302, instead)
  }
