import { Location } from '@angular/common'
import {
  HttpBackend,
  HttpErrorResponse,
  type HttpEvent,
  HttpEventType,
  HttpHeaders,
  type HttpRequest,
  HttpResponse,
} from '@angular/common/http'
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
import { Observable } from 'rxjs'
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

/** What some servers put in front of JSON against other sites that include it. */
const XSSI_PREFIX = /^\)\]\}',?\n/

/** Parses a body as its caller asked. @throws what `JSON.parse` throws. */
async function readBody(response: Response, as: HttpRequest<unknown>['responseType']): Promise<unknown> {
  if (as === 'blob') return response.blob()
  if (as === 'arraybuffer') return response.arrayBuffer()
  const text = await response.text()
  if (as === 'text') return text
  const json = text.replace(XSSI_PREFIX, '')
  if (!json) return null
  try {
    return JSON.parse(json)
  } catch (error) {
    if (response.ok) throw Object.assign(new SyntaxError('The body is not JSON.', { cause: error }), { text })
    return text
  }
}

function toInit(request: HttpRequest<unknown>, signal: AbortSignal): RequestInit {
  const headers = new Headers()
  for (const name of request.headers.keys()) {
    for (const value of request.headers.getAll(name) ?? []) headers.append(name, value)
  }
  if (!headers.has('Accept')) headers.set('Accept', 'application/json, text/plain, */*')
  const type = request.detectContentTypeHeader()
  if (type && !headers.has('Content-Type')) headers.set('Content-Type', type)
  const { method, keepalive, cache, priority, mode, redirect, withCredentials } = request
  const credentials = withCredentials ? 'include' : request.credentials
  const given = { keepalive, cache, priority, mode, redirect, credentials }
  const own = Object.fromEntries(Object.entries(given).filter(([, value]) => value))
  return { method, headers, body: request.serializeBody() as BodyInit | null, signal, ...own }
}

async function send(
  client: Client,
  request: HttpRequest<unknown>,
  signal: AbortSignal,
): Promise<HttpResponse<unknown>> {
  const url = request.urlWithParams
  let answer: { status: number; statusText?: string; url: string; headers?: HttpHeaders } = { status: 0, url }
  let error: unknown
  try {
    const response = await client.fetch(url, toInit(request, signal))
    const { status, statusText } = response
    answer = { status, statusText, url: response.url || url, headers: new HttpHeaders(response.headers) }
    const body = await readBody(response, request.responseType)
    if (response.ok) return new HttpResponse({ ...answer, body })
    error = body
  } catch (reason) {
    error = reason
  }
  throw new HttpErrorResponse({ ...answer, error })
}

/**
 * Sends what `HttpClient` sends with `client.fetch`: requests to `allowedOrigins` get the access token, and a 401 leads to one
 * refresh and one replay. Put it after `provideHttpClient()`. Interceptors work as always. It reports no progress. If a
 * request fails without an answer, `HttpErrorResponse.error` is the error of `client.fetch`, such as a `LatchkeyError`.
 * @example
 * providers: [provideLatchkey(client), provideHttpClient(), provideLatchkeyBackend()]
 */
export const provideLatchkeyBackend = (): EnvironmentProviders =>
  makeEnvironmentProviders([
    {
      provide: HttpBackend,
      useFactory: (): HttpBackend => {
        const client = inject(LATCHKEY)
        return {
          handle: (request: HttpRequest<unknown>) =>
            new Observable<HttpEvent<unknown>>(observer => {
              const aborting = new AbortController()
              observer.next({ type: HttpEventType.Sent })
              send(client, request, aborting.signal).then(
                response => {
                  observer.next(response)
                  observer.complete()
                },
                error => observer.error(error),
              )
              return () => aborting.abort()
            }),
        }
      },
    },
  ])
