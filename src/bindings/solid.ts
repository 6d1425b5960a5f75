import {
  type Accessor,
  createComponent,
  createContext,
  createSignal,
  type JSX,
  onCleanup,
  onMount,
  sharedConfig,
  useContext,
} from 'solid-js'
import { type Client, ConfigurationError, type Session } from '../public-types.ts'
import { sessionGateOf, type View, viewOnServer } from './session-gate.ts'

const ClientContext = createContext<Client>()

/**
 * Provides the client to the components inside, and starts it in the browser. It never disposes the client.
 * @example
 * <LatchkeyProvider client={client}><App /></LatchkeyProvider>
 */
export function LatchkeyProvider(props: {
  readonly client: Client
  readonly children?: JSX.Element
}): JSX.Element {
  const { client } = props
  onMount(() => void sessionGateOf(client).start())
  return createComponent(ClientContext.Provider, {
    value: client,
    get children() {
      return props.children
    },
  })
}

/**
 * Returns the client of the nearest `LatchkeyProvider`.
 * @throws ConfigurationError outside of a `LatchkeyProvider`.
 * @example
 * const client = useClient()
 * return <button onClick={() => client.signOut()}>Sign out</button>
 */
export function useClient(): Client {
  const client = useContext(ClientContext)
  if (client) return client
  throw new ConfigurationError('Wrap your app in <LatchkeyProvider client={client}>.')
}

/** Creates a signal of one part of the view. It follows the gate until its owner is disposed. */
function useView<K extends keyof View>(part: K): Accessor<View[K]> {
  const gate = sessionGateOf(useClient())
  // while Solid hydrates the server's output
  const isHydrating = Boolean(sharedConfig.context)
  const [value, setValue] = createSignal<View[K]>((isHydrating ? viewOnServer : gate.view)()[part])
  const update = () => void setValue(() => gate.view()[part])
  if (isHydrating) onMount(update)
  onCleanup(gate.subscribe(update))
  return value
}

/**
 * Returns a signal of the session. It changes with the session, also when another tab changes it. On a server and while
 * Solid hydrates, its status is `starting`.
 * @throws ConfigurationError outside of a `LatchkeyProvider`.
 * @example
 * const session = useSession()
 * return <Show when={session().status === 'signed-in'}>…</Show>
 */
export const useSession = (): Accessor<Session> => useView('session')

/**
 * Returns a signal of the signed-in user, the claim `sub`; `undefined` means nobody. With `<Show keyed>`, Solid creates new
 * children for the next user.
 * @throws ConfigurationError outside of a `LatchkeyProvider`.
 * @example
 * const user = useUserKey()
 * return <Show keyed when={user()}><Notes /></Show>
 */
export const useUserKey = (): Accessor<string | undefined> => useView('user')

/**
 * Returns a signal of the error of the client's start. The next successful sign-in removes it.
 * @throws ConfigurationError outside of a `LatchkeyProvider`.
 * @example
 * const error = useSignInError()
 * return <Show when={error()}>{reason => <p>{reason().message}</p>}</Show>
 */
export const useSignInError = (): Accessor<Error | undefined> => useView('error')
