import {
  type App,
  computed,
  getCurrentInstance,
  type InjectionKey,
  inject,
  onMounted,
  onScopeDispose,
  type ShallowRef,
  shallowRef,
} from 'vue'
import { type Client, ConfigurationError, type Session } from '../public-types.ts'
import {
  admit,
  type GuardOptions,
  onUserChange,
  sessionGateOf,
  type View,
  viewOnServer,
  withoutBase,
} from './session-gate.ts'

const CLIENT: InjectionKey<Client> = Symbol('latchkey client')

/**
 * A Vue plugin that provides the client to every component, and starts it in the browser.
 * @example
 * createApp(App).use(latchkey(client)).use(router).mount('#app')
 */
export const latchkey = (client: Client) => ({
  install(app: App): void {
    app.provide(CLIENT, client)
    void sessionGateOf(client).start()
  },
})

/**
 * Returns the client of the plugin. Call it in `setup`.
 * @throws ConfigurationError in an app without the plugin.
 * @example
 * const client = useClient()
 */
export function useClient(): Client {
  const client = inject(CLIENT, undefined)
  if (client) return client
  throw new ConfigurationError('Install the plugin: app.use(latchkey(client)).')
}

/** Creates a ref of one part of the view. It follows the gate until the current scope is disposed. */
function useView<K extends keyof View>(part: K): Readonly<ShallowRef<View[K]>> {
  const gate = sessionGateOf(useClient())
  // the component already has an element: Vue hydrates the server's output
  const isHydrating = getCurrentInstance()?.vnode.el
  const view = shallowRef((isHydrating ? viewOnServer : gate.view)())
  const update = () => {
    view.value = gate.view()
  }
  if (isHydrating) onMounted(update)
  onScopeDispose(gate.subscribe(update))
  return computed(() => view.value[part])
}

/**
 * Returns a ref of the session. It changes with the session, also when another tab changes it. On a server and while Vue
 * hydrates, its status is `starting`. Call it in `setup`.
 * @throws ConfigurationError in an app without the plugin.
 * @example
 * const session = useSession() // in the template: v-if="session.status === 'signed-in'"
 */
export const useSession = (): Readonly<ShallowRef<Session>> => useView('session')

/**
 * Returns a ref of the signed-in user, the claim `sub`; `undefined` means nobody. Use it as the `key` of components that
 * belong to one user: Vue creates new ones for the next user.
 * @throws ConfigurationError in an app without the plugin.
 * @example
 * const user = useUserKey() // in the template: <RouterView :key="user" />
 */
export const useUserKey = (): Readonly<ShallowRef<string | undefined>> => useView('user')

/**
 * Returns a ref of the error of the client's start, or of a sign-in that a guard began. The next successful sign-in removes
 * it.
 * @throws ConfigurationError in an app without the plugin.
 * @example
 * const error = useSignInError() // in the template: <p v-if="error">{{ error.message }}</p>
 */
export const useSignInError = (): Readonly<ShallowRef<Error | undefined>> => useView('error')

/** The part of a route of Vue Router that the guard reads. */
interface Route {
  readonly fullPath: string
  readonly meta: Record<PropertyKey, unknown>
}

/** The part of Vue Router that the guard uses. */
export interface GuardedRouter {
  readonly currentRoute: { readonly value: Route }
  readonly options: { readonly history: { readonly base: string } }
  beforeEach(guard: (to: Route) => Promise<string | boolean>): () => void
  replace(to: string): Promise<unknown>
}

/**
 * Guards every route of Vue Router that has `meta: { requiresSession: true }`, or whose parent has it. It also finishes
 * sign-ins: the router shows their `returnTo`. When the session ends while the router shows a guarded page, also in another
 * tab, it shows `signedOutPath` instead.
 * @returns a function that stops the guard.
 * @example
 * guardRoutes(router, client, { signedOutPath: '/welcome' })
 */
export function guardRoutes(router: GuardedRouter, client: Client, options: GuardOptions): () => void {
  const { base } = router.options.history
  const isGuarded = ({ meta }: Route) => Boolean(meta.requiresSession)
  const toRouter = withoutBase(base)
  const ask = ({ fullPath }: Route) =>
    admit(client, fullPath, options, { address: base + fullPath, toRouter })
  const gate = sessionGateOf(client)
  const stopGuard = router.beforeEach(async to => {
    if (isGuarded(to)) return (await ask(to)) ?? true
    // an unguarded page waits for the end of a sign-in only if it is the callback
    if (!/[?&](state|error)=/.test(to.fullPath)) return true
    await gate.start()
    const arrival = gate.takeReturnAddress(base + to.fullPath)
    return !arrival || toRouter(arrival)
  })
  const stopLeaving = onUserChange(client, async user => {
    const { value: route } = router.currentRoute
    const instead = user === undefined && isGuarded(route) && (await ask(route))
    if (instead) await router.replace(instead)
  })
  return () => {
    stopGuard()
    stopLeaving()
  }
}
