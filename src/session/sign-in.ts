import type { SecondHalf } from '../core/authorization.ts'
import type { CallbackResult, Client, SignInOptions } from '../core/client.ts'
import type { Page, UserAgent } from '../core/ports.ts'
import type { Session } from '../core/session.ts'
import { abortable, singleFlight } from '../core/waiting.ts'
import { ConfigurationError } from '../errors.ts'
import type { LiveSession } from './ports.ts'

export interface SignInPorts {
  readonly live: LiveSession
  readonly authorization: SecondHalf<'checkSignIn' | 'signIn' | 'arrive' | 'handleCallback' | 'beginRecovery'>
  readonly page: Page | undefined
  /** The user agent of the client's options, or else the environment's. */
  readonly userAgent: UserAgent
  defaultUserAgent(): UserAgent
  readonly redirectUri: string
}

/** The first half of signing in: the page and its address, the user agent, and callers that share one sign-in. */
export function createSignIn(
  ports: SignInPorts,
): Pick<Client, 'start' | 'signIn' | 'recover' | 'handleCallback'> & { started(): Promise<void> } {
  const { live, authorization, page, userAgent } = ports
  const shareSession = singleFlight<Session>()

  const signInAs = async (
    subject: string | undefined,
    { userAgent: agent = userAgent, signal, ...options }: SignInOptions,
  ): Promise<Session> => {
    if (!agent.begin) throw new ConfigurationError('"userAgent" must be a user agent such as popup().')
    const { name, leaves = false } = agent
    const request = { ...options, userAgent: name, leaves, subject }
    authorization.loaded?.checkSignIn(request) // before a window opens, if the second half is loaded
    // callers share a sign-in only if they ask for the same: another caller's sign-in may not bring what this one needs
    const demands = JSON.stringify({ ...request, returnTo: undefined })
    // a sign-in that its caller can abort is not shared
    const share = signal ? singleFlight<Session>() : shareSession
    signal?.throwIfAborted()
    const signedIn = share(`sign-in ${demands}`, async () => {
      const attempt = agent.begin(ports.redirectUri) // before the first await: see UserAgent
      Promise.resolve(attempt.redirectUri).catch(() => {}) // it may reject before anyone awaits it
      try {
        await live.signedOut()
        await live.signingIn(async () => (await authorization.get()).signIn(attempt, { ...request, signal }))
      } finally {
        attempt.close()
      }
      return live.refreshView()
    })
    return abortable(signedIn, signal)
  }
  // as a click listener, it receives an event
  const signIn = (options: SignInOptions = {}) => signInAs(undefined, 'isTrusted' in options ? {} : options)

  const arrive = async (): Promise<void> => {
    await page?.shown()
    // most page loads are not callbacks
    if (!page || !/[?&#](state|error)=/.test(page.location())) return
    await (await authorization.get()).arrive(page, live.returned)
  }

  const started = async () => {
    await page?.shown()
    await live.started()
  }

  return {
    started,
    signIn,
    start: () => shareSession('start', () => live.start(arrive())),

    // not with a popup: the browser would block it, or the user would see it
    async recover({
      returnTo = page?.location(),
      userAgent: agent = page && !userAgent.leaves ? ports.defaultUserAgent() : userAgent,
      authorizationParameters,
      signal,
    } = {}) {
      await started()
      const { session } = live
      const isSignedIn = session.status === 'signed-in'
      if (isSignedIn && !session.trouble) return session
      const recovery = await (await authorization.get()).beginRecovery(isSignedIn)
      if (!recovery) return session
      const { subject, parameters, stepUp } = recovery
      const silent = { ...parameters, ...authorizationParameters, prompt: 'none' }
      const options = { returnTo, userAgent: agent, signal, stepUp }
      return signInAs(subject, { ...options, authorizationParameters: silent })
    },

    async handleCallback(url): Promise<CallbackResult> {
      await page?.shown()
      const finished = await (await authorization.get()).handleCallback(url)
      return finished
        ? { handled: true, session: await live.refreshView(), returnTo: finished.returnTo }
        : { handled: false }
    },
  }
}
