import type { Emit } from '../core/events.ts'
import type { Clock, Lock, Page, UserAgent } from '../core/ports.ts'
import type { SessionRecord } from '../core/session.ts'
import { withTimeLimit } from '../core/time-limit.ts'
import { toTokenSet } from '../core/token-set.ts'
import { CallbackError, LatchkeyError, NetworkError, StorageError } from '../errors.ts'
import { beginAuthorization } from './authorize.ts'
import { type Callback, cleanUrl, finishAuthorization, isAtRedirectUri, parseCallback } from './callback.ts'
import type { Server } from './discovery.ts'
import type { TokenRequests } from './token-request.ts'
import type { Transactions } from './transaction.ts'

/** The same bounds as for a refresh: the exchange of a code also ends before anyone gives up waiting for it. */
const HOLD_MS = 12_000
const WAIT_MS = 15_000

/** What sign-in asks of the store part. */
export interface SessionSlot {
  readonly current: SessionRecord | undefined
  read(): Promise<SessionRecord | undefined>
  replace(next: SessionRecord): Promise<boolean>
  keep(next: SessionRecord): void
}

export interface SignInPorts {
  readonly settings: {
    readonly clientId: string
    readonly redirectUri: string
    readonly leewaySeconds: number
  }
  readonly server: Server
  readonly transactions: Transactions
  readonly requests: TokenRequests
  readonly records: SessionSlot
  readonly lock: Lock
  readonly lockName: string
  readonly page: Page | undefined
  readonly clock: Clock
  readonly emit: Emit
  /** There is a new session: tell this realm and the others. */
  started(record: SessionRecord): void
}

export interface AuthorizationChoice {
  readonly scope: string
  readonly parameters: Readonly<Record<string, string>>
  readonly returnTo: string | undefined
}

/** What became of a callback: `undefined` when it is not ours. */
export type Finished = { readonly returnTo: string | undefined } | undefined

/** Sends the user to the authorization server. Resolves when the answer was handled, or when it never comes here. */
export async function authorize(
  ports: SignInPorts,
  agent: UserAgent,
  choice: AuthorizationChoice,
): Promise<void> {
  const { settings, emit } = ports
  const attempt = agent.begin(settings.redirectUri) // before anything is awaited: see UserAgent
  try {
    const redirectUri = await attempt.redirectUri
    const request = { ...choice, redirectUri, userAgent: agent.name }
    const { url, state } = await beginAuthorization({ ...ports, clientId: settings.clientId }, request)
    emit({ type: 'authorization-request', scope: choice.scope, userAgent: agent.name })
    const answer = await attempt.authorize(url, state)
    const callback = answer === undefined ? undefined : parseCallback(answer)
    if (callback) await finish(ports, callback)
  } finally {
    attempt.close()
  }
}

/** One promise per key while it is pending. */
type Share = (key: string, work: () => Promise<Finished>) => Promise<Finished>

/** Finishes the sign-in that this very page is the callback of, if it is one. */
export async function finishHere(ports: SignInPorts, share: Share): Promise<Finished> {
  const callback = ports.page && parseCallback(ports.page.location())
  if (!callback) return undefined
  return share(callback.state, async () => {
    const isPopup = callback.userAgent === 'popup'
    if (isPopup && (await ports.page?.relay(callback.url.href, callback.state)))
      return { returnTo: undefined }
    return finish(ports, callback)
  })
}

/** Finishes the sign-in that this callback answers: once, however often and from however many tabs it is asked. */
export async function finish(ports: SignInPorts, callback: Callback): Promise<Finished> {
  const { transactions, records, page, clock } = ports
  const { state } = callback
  const found = await transactions.find(state)
  if (!found) {
    if (!isAtRedirectUri(callback, ports.settings.redirectUri)) return undefined
    await records.read()
    clean(page, callback)
    if (records.current) return { returnTo: undefined }
    throw new CallbackError(
      'This sign-in is not known here: it is older than an hour, began in another browser or app, or storage was ' +
        'cleared or is blocked. Call signIn() to begin anew.',
      'state_not_found',
    )
  }
  if (!isAtRedirectUri(callback, found.redirectUri)) return undefined

  let started: SessionRecord | undefined
  try {
    started = await ports.lock.run(
      `${ports.lockName} ${state}`,
      () =>
        withTimeLimit(
          clock,
          HOLD_MS,
          () => exchange(ports, callback),
          () =>
            new NetworkError(
              `The sign-in did not end within ${HOLD_MS / 1000} s. Reload to try again.`,
              'timeout',
            ),
        ),
      WAIT_MS,
    )
  } catch (error) {
    // what may succeed later keeps its address, so that a reload tries again
    if (!(error instanceof LatchkeyError && error.retryable)) clean(page, callback)
    throw error
  }
  clean(page, callback, found.returnTo)
  if (started) ports.started(started)
  return { returnTo: found.returnTo }
}

/** Under a lock of this state. @returns the new session, or `undefined` when another tab or call was first. */
async function exchange(ports: SignInPorts, callback: Callback): Promise<SessionRecord | undefined> {
  const { transactions, records, clock, settings, emit } = ports
  const transaction = await transactions.find(callback.state)
  const stored = await records.read()
  if (!transaction || transaction.done || stored?.sessionId === callback.state) return undefined
  emit({
    type: 'authorization-response',
    error: callback.url.searchParams.has('error') ? 'error' : undefined,
  })
  try {
    const { response, claims } = await finishAuthorization(
      { ...ports, clientId: settings.clientId, now: clock.now },
      callback,
      transaction,
    )
    const tokens = toTokenSet(response, {
      receivedAt: clock.now(),
      leewaySeconds: settings.leewaySeconds,
      requestedScope: transaction.scope,
      claims,
    })
    // named after its state: a callback that comes again is known by the session it began
    const record: SessionRecord = { schema: 1, sessionId: callback.state, version: 1, tokens }
    try {
      await records.replace(record)
    } catch (error) {
      if (!(error instanceof StorageError)) throw error
      records.keep(record)
      emit({ type: 'storage-degraded', message: error.message })
    }
    await transactions.finish(transaction).catch(() => {}) // it also ends by its age
    return record
  } catch (error) {
    if (!(error instanceof LatchkeyError && error.retryable))
      await transactions.finish(transaction).catch(() => {})
    throw error
  }
}

/** Takes the answer out of the address bar, where it is there. */
function clean(page: Page | undefined, { url }: Callback, returnTo?: string): void {
  if (page?.location() === url.href) page.replaceLocation(returnTo ?? cleanUrl(url))
}
