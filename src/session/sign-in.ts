import type { SecondHalf } from '../core/authorization.ts'
import type { CallbackResult, Client, SignInOptions } from '../core/client.ts'
import type { Page, UserAgent } from '../core/ports.ts'
import type { Session } from '../core/session.ts'
import { needsUser } from '../core/trouble.ts'
import { singleFlight } from '../core/waiting.ts'
import { CallbackError, ServerError } from '../errors.ts'
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
    { userAgent: agent = userAgent, ...options }: SignInOptions,
  ): Promise<Session> => {
    const { name, leaves = false } = agent
    const request = { ...options, userAgent: name, leaves, subject }
    authorization.loaded?.checkSignIn(request) // where it is there, before a window opens
    // only equal demands are one: a caller that asks for more would not get it by somebody else's sign-in
    return shareSession(`sign-in ${JSON.stringify({ ...request, returnTo: undefined })}`, async () => {
      const attempt = agent.begin(ports.redirectUri) // before anything is awaited: see UserAgent
      Promise.resolve(attempt.redirectUri).catch(() => {}) // it may fail before it is awaited
      try {
        await live.signedOut()
        await live.signingIn(async () => (await authorization.get()).signIn(attempt, request))
      } finally {
        attempt.close()
      }
      return live.refreshView()
    })
  }
  const signIn = (options: SignInOptions = {}) => signInAs(undefined, options)

  const restartable = (error: unknown): never => {
    if (error instanceof CallbackError && error.lost) error.restart = () => signIn()
    throw error
  }

  const arrive = async (): Promise<void> => {
    await page?.shown()
    // most pages are opened by no answer of a server
    if (!page || !/[?&](state|error)=/.test(page.location())) return
    await (await authorization.get()).arrive(page, live.returned).catch(restartable)
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
    } = {}) {
      await started()
      const { session } = live
      const error = session.status === 'signed-in' ? session.trouble?.error : undefined
      const stuck = error instanceof ServerError && needsUser(error.error) ? error : undefined
      if (session.status === 'signed-in' && !stuck) return session
      const { subject, parameters } = await (await authorization.get()).beginRecovery()
      const silent = { ...parameters, ...authorizationParameters, prompt: 'none' }
      const stepUp = stuck && { claims: stuck.claims }
      return signInAs(subject, { returnTo, userAgent: agent, stepUp, authorizationParameters: silent })
    },

    async handleCallback(url): Promise<CallbackResult> {
      await page?.shown()
      const finished = await (await authorization.get()).handleCallback(url).catch(restartable)
      return finished
        ? { handled: true, session: await live.refreshView(), returnTo: finished.returnTo }
        : { handled: false }
    },
  }
}
