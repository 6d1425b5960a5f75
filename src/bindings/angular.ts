import { Location } from '@angular/common'
import {
  afterNextRender,
  computed,
  DestroyRef,
  type EnvironmentProviders,
  InjectionToken,
  inject,
  makeEnvironmentProviders,
  provideEnvironmentInitializer,
  type Signal,
  signal,
} from '@angular/core'
import { type ActivatedRouteSnapshot, type Navigation, Router, type UrlTree } from '@angular/router'
import type { Client, Session } from '../public-types.ts'
import {
  admit,
  type GuardOptions,
  onUserChange,
  sessionGateOf,
  type View,
  viewOnServer,
} from './session-gate.ts'

/**
 * The client that `provideLatchkey` provides.
 * @example
 * private readonly client = inject(LATCHKEY)
 */
export const LATCHKEY = new InjectionToken<Client>('latchkey client')
const VIEW = new InjectionToken<Signal<View>>('latchkey view')

/** Options of `provideLatchkey`. */
export interface ProvideLatchkeyOptions {
  /**
   * Whether a server renders the app. If so, the session is `starting` until the first render in the browser is complete, so
   * that it matches the server's output. Default false.
   */
  readonly isServerRendered?: boolean
}

/**
 * Provides the client to the app, and starts it in the browser. It never disposes the client.
 * @example
 * bootstrapApplication(App, { providers: [provideLatchkey(client), provideRouter(routes)] })
 */
export const provideLatchkey = (
  client: Client,
  { isServerRendered = false }: ProvideLatchkeyOptions = {},
): EnvironmentProviders => {
  const view = signal(viewOnServer())
  return makeEnvironmentProviders([
    { provide: LATCHKEY, useValue: client },
    { provide: VIEW, useValue: view },
    provideEnvironmentInitializer(() => {
      const gate = sessionGateOf(client)
      const lifetime = inject(DestroyRef)
      const update = () => view.set(gate.view())
      const follow = () => {
        update()
        lifetime.onDestroy(gate.subscribe(update))
      }
      if (isServerRendered) afterNextRender(follow)
      else follow()
      void gate.start()
    }),
  ])
}

function injectView<K extends keyof View>(part: K): Signal<View[K]> {
  const view = inject(VIEW)
  return computed(() => view()[part])
}

/**
 * Returns a signal of the session. It changes with the session, also when another tab changes it. On a server its status is
 * `starting`. Call it in an injection context, such as a field of a component.
 * @example
 * readonly session = injectSession() // in the template: @if (session().status === 'signed-in')
 */
export const injectSession = (): Signal<Session> => injectView('session')

/**
 * Returns a signal of the signed-in user, the claim `sub`; `undefined` means nobody. Use it to reset one user's components.
 * @example
 * readonly user = injectUserKey() // in the template: @for (key of [user()]; track key) { <app-notes /> }
 */
export const injectUserKey = (): Signal<string | undefined> => injectView('user')

/**
 * Returns a signal of the error of the client's start, or of a sign-in that a guard began. The next successful sign-in
 * removes it.
 * @example
 * readonly error = injectSignInError() // in the template: {{ error()?.message }}
 */
export const injectSignInError = (): Signal<Error | undefined> => injectView('error')

/** Works in `canActivate`, `canActivateChild` and `canMatch`. */
export type SessionGuard = (route: unknown, state: unknown) => Promise<boolean | UrlTree>

const guards = new WeakMap<object, GuardOptions>()
const watched = new WeakSet<Router>()

/** The options of the first guard in the routes that the router shows. */
const guardOf = ({ routeConfig, children }: ActivatedRouteSnapshot): GuardOptions | undefined =>
  Object.values(routeConfig ?? {}) // lists of guards, among others
    .flat()
    .map(one => guards.get(one))
    .concat(children.map(guardOf))
    .find(Boolean)

/**
 * Guards routes: `canActivate`, `canActivateChild` or `canMatch`. When the session ends while the router shows a guarded
 * page, also in another tab, it shows `signedOutPath` instead.
 * @returns a function that redirects to `signedOutPath`, or begins a sign-in, unless a user is signed in.
 * @example
 * { path: 'notes', component: Notes, canActivate: [requireSession({ signedOutPath: '/welcome' })] }
 */
export function requireSession(options: GuardOptions): SessionGuard {
  const guard: SessionGuard = async (_route, state) => {
    const [client, router, location] = [inject(LATCHKEY), inject(Router), inject(Location)]
    const steer = async (url: string, how: GuardOptions) => {
      const address = location.prepareExternalUrl(url)
      const toRouter = (to: string) => location.normalize(to) || '/' // Angular normalizes the start page to nothing
      const instead = await admit(client, url, how, { address, toRouter })
      return !instead || router.parseUrl(instead)
    }
    if (!watched.has(router)) {
      watched.add(router)
      const leave = async (user: string | undefined) => {
        const shown = guardOf(router.routerState.snapshot.root)
        const instead = user !== undefined || !shown || (await steer(router.url, shown))
        if (instead !== true) await router.navigateByUrl(instead, { replaceUrl: true })
      }
      inject(DestroyRef).onDestroy(onUserChange(client, leave))
    }
    // `canMatch` receives segments instead of a state
    const { url } = state as { url?: string }
    return steer(
      url ?? router.serializeUrl((router.getCurrentNavigation() as Navigation).extractedUrl),
      options,
    )
  }
  guards.set(guard, options)
  return guard
}
