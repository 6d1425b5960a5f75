import {
  createContext,
  createElement,
  Fragment,
  type ReactNode,
  useContext,
  useEffect,
  useState,
  useSyncExternalStore,
} from 'react'
import { type Client, ConfigurationError, type Session } from '../public-types.ts'
import { addressOfPage, sessionGateOf, type View, viewOnServer } from './session-gate.ts'

/** The session of a signed-in user. */
export type SignedInSession = Extract<Session, { status: 'signed-in' }>

const ClientContext = createContext<Client | undefined>(undefined)

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

function useView(): View {
  const gate = sessionGateOf(useClient())
  return useSyncExternalStore(gate.subscribe, gate.view, viewOnServer)
}

/**
 * Returns the session. The component renders again when it changes, also when another tab changes it. On a server and while
 * React hydrates, its status is `starting`.
 * @param status `'signed-in'` narrows the type, for components inside of `SignedIn` or `RequireSession`.
 * @throws ConfigurationError if the session does not have the given status, or outside of a `LatchkeyProvider`.
 * @example
 * const { claims } = useSession('signed-in')
 */
export function useSession(): Session
export function useSession(status: 'signed-in'): SignedInSession
export function useSession(status?: 'signed-in'): Session {
  const { session } = useView()
  if (!status || session.status === status) return session
  throw new ConfigurationError(`Call useSession('${status}') inside of <SignedIn> or <RequireSession>.`)
}

/**
 * Returns the error of the client's start, or of a sign-in that a guard began. The next successful sign-in removes it.
 * @throws ConfigurationError outside of a `LatchkeyProvider`.
 * @example
 * const error = useSignInError()
 * return error && <p>{error.message}</p>
 */
export const useSignInError = (): Error | undefined => useView().error

/** Props of `LatchkeyProvider`. */
export interface LatchkeyProviderProps {
  readonly client: Client
  /** Shown until latchkey knows whether a user is signed in, and on a server. Default: the children. */
  readonly fallback?: ReactNode
  /** Shows another address of your app. Called after a sign-in. Leave it out if a guard of your router does it. */
  readonly navigate?: (address: string) => unknown
  readonly children?: ReactNode
}

/**
 * Starts the client and provides it to the components inside. It never disposes the client.
 * @example
 * <LatchkeyProvider client={client} fallback={<Spinner />}><App /></LatchkeyProvider>
 */
export function LatchkeyProvider({ client, fallback, navigate, children }: LatchkeyProviderProps): ReactNode {
  useEffect(() => {
    const gate = sessionGateOf(client)
    void gate.start().then(() => {
      const arrival = navigate && gate.takeReturnAddress()
      if (arrival) navigate(arrival)
    })
  }, [client, navigate])
  const inside = fallback === undefined ? children : createElement(Started, { fallback, children })
  return createElement(ClientContext.Provider, { value: client }, inside)
}

function Started({ fallback, children }: { fallback: ReactNode; children?: ReactNode }): ReactNode {
  const { session, error } = useView()
  return session.status === 'starting' && !error ? fallback : children
}

/** Props of `SignedIn`. */
export interface SignedInProps {
  /** Elements, or a function of the session that returns them. */
  readonly children?: ReactNode | ((session: SignedInSession) => ReactNode)
  /** Shown to everyone else. Default: nothing. */
  readonly fallback?: ReactNode
}

/**
 * Shows its children while a user is signed in. When another user signs in, React mounts new children, so that no state of
 * the previous user remains.
 * @example
 * <SignedIn>{session => <p>Hello {String(session.claims?.name)}</p>}</SignedIn>
 */
export function SignedIn({ children, fallback }: SignedInProps): ReactNode {
  const { session, user } = useView()
  if (session.status !== 'signed-in') return fallback
  return createElement(Fragment, { key: user }, typeof children === 'function' ? children(session) : children)
}

/**
 * Shows its children while nobody is signed in, also during a sign-in. Shows nothing while latchkey starts or signs out.
 * @example
 * <SignedOut><button onClick={() => client.signIn()}>Sign in</button></SignedOut>
 */
export function SignedOut({ children }: { readonly children?: ReactNode }): ReactNode {
  const { status } = useView().session
  return status === 'signed-out' || status === 'signing-in' ? children : undefined
}

/** Props of `RequireSession`. */
export interface RequireSessionProps extends SignedInProps {
  /** Shown if no sign-in begins automatically. Put a button in it that calls `signIn()`. Default: `fallback`. */
  readonly signedOut?: ReactNode
  /**
   * Whether it may begin a sign-in automatically. It does so only in a newly opened page, never after a sign-out, the end of
   * a session or a failed sign-in. Default true.
   */
  readonly beginSignIn?: boolean
}

/**
 * Guards its children without a router: it shows them to a signed-in user and begins a sign-in if nobody is signed in.
 * When the session ends, also in another tab, it removes them.
 * @example
 * <RequireSession fallback={<Spinner />} signedOut={<Welcome />}><Notes /></RequireSession>
 */
export function RequireSession(props: RequireSessionProps): ReactNode {
  const { signedOut = props.fallback, beginSignIn, ...rest } = props
  const client = useClient()
  const { status } = useView().session
  const [isRefused, setRefused] = useState(false)
  useEffect(() => {
    if (status === 'signed-in') return
    let isCurrent = true
    sessionGateOf(client)
      .enter(addressOfPage(), { beginSignIn })
      .catch(() => false)
      .then(isAdmitted => isCurrent && setRefused(!isAdmitted))
    return () => {
      isCurrent = false
    }
  }, [client, status, beginSignIn])
  return createElement(SignedIn, { ...rest, fallback: isRefused ? signedOut : props.fallback })
}
