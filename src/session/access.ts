import { decide } from '../core/decide.ts'
import { accessTokenOf, epochOf, runsGrant } from '../core/session.ts'
import { reasonOf } from '../core/session-state.ts'
import { abortable, singleFlight } from '../core/waiting.ts'
import { AuthorizationRequiredError, LockTimeoutError } from '../errors.ts'
import type { LiveSession, LiveSessionPorts } from './ports.ts'
import type { View } from './view.ts'

type ReadyPorts = Pick<LiveSessionPorts, 'records' | 'now' | 'authorization' | 'isEager'>

/** Takes an access token from memory. Begins a refresh in the background if one is due. */
export const createReady =
  (ports: ReadyPorts) =>
  (resource?: string): string | undefined => {
    const { current } = ports.records
    const decision = decide(current, ports.now(), undefined, resource)
    // a refresh that was interrupted does not wait for a call: a grace period may still accept the old refresh token
    const due =
      decision.do === 'use'
        ? decision.due
        : decision.do === 'refresh' &&
          !(current && runsGrant(current)) && // without a user, nobody waits for the next access token
          (ports.isEager || current?.pending || current?.trouble)
    if (current && due)
      ports.authorization.get().then(
        loaded => loaded.refreshIfDue(current, resource),
        () => {},
      )
    return decision.do === 'use' ? decision.accessToken : undefined
  }

/** The error for a stored record that this client cannot use. `undefined`: there is no such record. */
export const unusableError = async ({
  records: { stored },
  authorization,
}: Pick<LiveSessionPorts, 'records' | 'authorization'>): Promise<Error | undefined> =>
  stored && 'unusable' in stored ? (await authorization.get()).unusableError(stored.unusable) : undefined

type AccessPorts = Pick<LiveSessionPorts, 'records' | 'now' | 'authorization' | 'begin'>

/** Provides access tokens after a refresh, if there is none to use. */
export function createAccess(
  { records, now, authorization, begin }: AccessPorts,
  { view, show }: { readonly view: View; show(): void },
) {
  const shareBegin = singleFlight<unknown>()
  const beginUnlessThere = async () => {
    const { stored } = records
    if (!begin || records.current || (stored && 'unusable' in stored)) return
    const epoch = epochOf(stored)
    await shareBegin(`${epoch}`, () => begin(epoch))
  }

  /** The session that this client has read last. The app sees it before a call is judged by it. */
  const latest = () => {
    show()
    return records.current
  }

  /** Why there is no session to use. */
  const noSession = async () =>
    (await unusableError({ records, authorization })) ??
    new AuthorizationRequiredError(reasonOf(view.state) ?? 'no_session')

  const acquire: LiveSession['acquire'] = async (options = {}) => {
    const { rejected, forceRefresh, resource, sessionId, signal } = options
    signal?.throwIfAborted()
    const before = latest()
    if (view.state.status === 'signing-out') throw new AuthorizationRequiredError('signed_out')
    if (!before) throw await noSession()
    // a call is sent in the session that it was made in, or not at all
    if (sessionId !== undefined && before.sessionId !== sessionId)
      throw new AuthorizationRequiredError('replaced')
    const unwanted = forceRefresh ? accessTokenOf(before, resource)?.accessToken : rejected
    const decision = decide(before, now(), unwanted, resource)
    if (decision.do === 'use') return decision.accessToken
    if (decision.do === 'authorize') {
      show()
      throw new AuthorizationRequiredError(decision.reason)
    }
    const refresh = async () => (await authorization.get()).refresh(before, resource, forceRefresh)
    try {
      await abortable(refresh(), signal)
    } catch (error) {
      if (!(error instanceof AuthorizationRequiredError)) throw error
      show()
      // a refused refresh token does not end the session of a grant that latchkey can run again
      if (!begin || before.tokens.refreshToken === undefined) throw error
      await beginUnlessThere()
      return acquire(options)
    }
    const renewed = latest()
    if (!renewed) throw await noSession()
    if (renewed.sessionId !== before.sessionId) throw new AuthorizationRequiredError('replaced')
    // even if it has expired already: another refresh would not bring one that lives longer
    const found = accessTokenOf(renewed, resource)
    if (!found?.accessToken) throw new LockTimeoutError('Another tab or process is refreshing. Try again.')
    return found.accessToken
  }

  return { beginUnlessThere, acquire }
}
