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
import { admit, entranceOf, type GuardOptions, onUserChange, STARTING, type View } from './entrance.ts'

/** The client that `provideLatchkey` provides. */
export const LATCHKEY = new InjectionToken<Client>('latchkey client')
const VIEW = new InjectionToken<Signal<View>>('latchkey view')

/** Options of `provideLatchkey`. */
export interface ProvideLatchkeyOptions {
  /**
   * Whether a server renders the app. Then the session is `starting` until Angular has rendered once in the browser, as it was
   * on the server. Default false.
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
): EnvironmentProviders =>
  makeEnvironmentProviders([
    { provide: LATCHKEY, useValue: client },
    {
      provide: VIEW,
      useFactory: () => {
        const entrance = entranceOf(client)
        const lifetime = inject(DestroyRef)
        const view = signal(STARTING)
        const update = () => view.set(entrance.view)
        const follow = () => {
          update()
          lifetime.onDestroy(entrance.subscribe(update))
        }
        if (isServerRendered) afterNextRender(follow)
        else follow()
        return view
      },
    },
    provideEnvironmentInitializer(() => {
      inject(VIEW)
      void entranceOf(client).start()
    }),
  ])

function injectView<K extends keyof View>(part: K): Signal<View[K]> {
  const view = inject(VIEW)
  return computed(() => view()[part])
}

/**
 * Returns a signal of the session, which changes when the session does, also in another tab. On a server its status is
 * `starting`. Call it where Angular injects, such as in a field of a component.
 * @example
 * readonly session = injectSession() // in the template: @if (session().status === 'signed-in')
 */
export const injectSession = (): Signal<Session> => injectView('session')

/**
 * Returns a signal of the signed-in user, the claim `sub`; `undefined` means nobody. Use it to empty what belongs to one user.
 * @example
 * readonly user = injectUserKey() // in the template: @for (key of [user()]; track key) { <app-notes /> }
 */
export const injectUserKey = (): Signal<string | undefined> => injectView('user')

/**
 * Returns a signal of the error with which the client's start, or a sign-in that a guard began, failed. The next sign-in that
 * succeeds removes it.
 * @example
 * readonly error = injectSignInError() // in the template: {{ error()?.message }}
 */
export const injectSignInError = (): Signal<Error | undefined> => injectView('error')

/** Works in `canActivate`, `canActivateChild` and `canMatch`. */
export type SessionGuard = (route: unknown, state: unknown) => Promise<boolean | UrlTree>

const guards = new WeakMap<object, GuardOptions>()
const watched = new WeakSet<Router>()

/** The options of the first guard in the routes that the router shows. */
function guardOf({ routeConfig, children }: ActivatedRouteSnapshot): GuardOptions | undefined {
  const own = [routeConfig?.canActivate, routeConfig?.canActivateChild, routeConfig?.canMatch].flat()
  return [...own.map(one => guards.get(one as object)), ...children.map(guardOf)].find(Boolean)
}

/**
 * Guards routes: `canActivate`, `canActivateChild` or `canMatch`. When the user of a guarded page is gone, also in another
 * tab, the router leaves the page for `signedOutPath`.
 * @returns a function that redirects to `signedOutPath`, or begins a sign-in, unless a user is signed in.
 * @example
 * { path: 'notes', component: Notes, canActivate: [requireSession({ signedOutPath: '/welcome' })] }
 */
export function requireSession(options: GuardOptions): SessionGuard {
  const guard: SessionGuard = async (_route, state) => {
    const [client, router, location] = [inject(LATCHKEY), inject(Router), inject(Location)]
    const steer = async (url: string, how: GuardOptions) => {
      const address = location.prepareExternalUrl(url)
      const instead = await admit(client, url, how, { address, toRouter: to => location.normalize(to) })
      return instead === undefined || router.parseUrl(instead)
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
    // `canMatch` gets segments in place of a state
    const { url } = state as { url?: string }
    return steer(
      url ?? router.serializeUrl((router.getCurrentNavigation() as Navigation).extractedUrl),
      options,
    )
  }
  guards.set(guard, options)
  return guard
}
