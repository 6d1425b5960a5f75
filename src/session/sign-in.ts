import type { SecondHalf } from '../core/authorization.ts'
import type { CallbackResult, Client, SignInOptions } from '../core/client.ts'
import type { Page, UserAgent } from '../core/ports.ts'
import type { Session } from '../core/session.ts'
import { abortable, singleFlight } from '../core/waiting.ts'
import { ConfigurationError } from '../errors.ts'
import type { LiveSession } from './session.ts'

export interface SignInPorts {
  readonly live: LiveSession
  readonly authorization: SecondHalf<'checkSignIn' | 'signIn' | 'arrive' | 'handleCallback' | 'beginRecovery'>
  readonly page: Page | undefined
  /** The client's own way to the authorization server, and the environment's. */
  readonly userAgent: UserAgent
  defaultUserAgent(): UserAgent
  readonly redirectUri: string
}

/** What a client does to sign in, on this side: the page and its address, and who waits for whom. */
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
    authorization.loaded?.checkSignIn(request) // where it is there, before a window opens
    // only equal demands are one: a caller that asks for more would not get it by somebody else's sign-in
    const demands = JSON.stringify({ ...request, returnTo: undefined })
    // one that its caller may end is nobody else's
    const share = signal ? singleFlight<Session>() : shareSession
    signal?.throwIfAborted()
    const signedIn = share(`sign-in ${demands}`, async () => {
      const attempt = agent.begin(ports.redirectUri) // before anything is awaited: see UserAgent
      Promise.resolve(attempt.redirectUri).catch(() => {}) // it may fail before it is awaited
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
  // as a listener of clicks it is given an event
  const signIn = (options: SignInOptions = {}) => signInAs(undefined, 'isTrusted' in options ? {} : options)

  const arrive = async (): Promise<void> => {
    await page?.shown()
    // most pages are opened by no answer of a server
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

    // a popup would be blocked, and seen
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
