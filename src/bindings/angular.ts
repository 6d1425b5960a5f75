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
import { type ActivatedRouteSnapshot, Router, type UrlTree } from '@angular/router'
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
        let isHydrating = isServerRendered
        const view = signal(isHydrating ? STARTING : entrance.view)
        const update = () => isHydrating || view.set(entrance.view)
        inject(DestroyRef).onDestroy(entrance.subscribe(update))
        if (isServerRendered)
          afterNextRender(() => {
            isHydrating = false
            update()
          })
        return view.asReadonly()
      },
    },
    provideEnvironmentInitializer(() => {
      inject(VIEW)
      void entranceOf(client).start()
    }),
  ])

/**
 * Returns a signal of the session, which changes when the session does, also in another tab. On a server its status is
 * `starting`. Call it where Angular injects, such as in a field of a component.
 * @example
 * readonly session = injectSession() // in the template: @if (session().status === 'signed-in')
 */
export function injectSession(): Signal<Session> {
  const view = inject(VIEW)
  return computed(() => view().session)
}

/**
 * Returns a signal of the signed-in user, the claim `sub`; `undefined` means nobody. Use it to empty what belongs to one user.
 * @example
 * readonly user = injectUserKey() // in the template: @for (key of [user()]; track key) { <app-notes /> }
 */
export function injectUserKey(): Signal<string | undefined> {
  const view = inject(VIEW)
  return computed(() => view().user)
}

/**
 * Returns a signal of the error with which the client's start, or a sign-in that a guard began, failed. The next sign-in that
 * succeeds removes it.
 * @example
 * readonly error = injectSignInError() // in the template: {{ error()?.message }}
 */
export function injectSignInError(): Signal<Error | undefined> {
  const view = inject(VIEW)
  return computed(() => view().error)
}

/** Works in `canActivate`, `canActivateChild` and `canMatch`. */
export type SessionGuard = (route: unknown, state: unknown) => Promise<boolean | UrlTree>

const guards = new WeakMap<object, GuardOptions>()
const watched = new WeakSet<Router>()

/** The options of the first guard in the routes that the router shows. */
function guardOf({ routeConfig, children }: ActivatedRouteSnapshot): GuardOptions | undefined {
  const { canActivate = [], canActivateChild = [], canMatch = [] } = routeConfig ?? {}
  const own = [...canActivate, ...canActivateChild, ...canMatch].map(one => guards.get(one as object))
  return own.find(Boolean) ?? children.map(guardOf).find(Boolean)
}

/** When the user of a guarded page is gone, the router leaves it. */
function leaveWithUser(
  router: Router,
  steer: (url: string, options: GuardOptions) => Promise<boolean | UrlTree>,
) {
  const client = inject(LATCHKEY)
  if (watched.has(router)) return
  watched.add(router)
  const stop = onUserChange(client, async user => {
    const options = guardOf(router.routerState.snapshot.root)
    if (user !== undefined || !options) return
    const instead = await steer(router.url, { ...options, beginSignIn: false })
    if (typeof instead !== 'boolean') await router.navigateByUrl(instead, { replaceUrl: true })
  })
  inject(DestroyRef).onDestroy(stop)
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
    leaveWithUser(router, steer)
    // `canMatch` gets segments in place of a state
    const { url } = state as { url?: string }
    return steer(
      url ?? router.serializeUrl(router.getCurrentNavigation()?.extractedUrl ?? router.parseUrl('/')),
      options,
    )
  }
  guards.set(guard, options)
  return guard
}
