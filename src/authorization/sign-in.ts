import { type Callback, isAt, parseCallback } from '../core/callback.ts'
import { cleanUrl } from '../core/clean-url.ts'
import type { Emit } from '../core/events.ts'
import type { Clock, KeyValue, Lock, Page, SignInAttempt } from '../core/ports.ts'
import type { Resource } from '../core/resource.ts'
import { unasked } from '../core/scope.ts'
import type { SessionRecord } from '../core/session.ts'
import { toTokenSet } from '../core/token-set.ts'
import { HOLD_MS, WAIT_MS, withTimeLimit } from '../core/waiting.ts'
import {
  AuthorizationRequiredError,
  CallbackError,
  LatchkeyError,
  NetworkError,
  StorageError,
} from '../errors.ts'
import { type AuthorizationChoice, beginAuthorization } from './authorization-request.ts'
import { exchangeCode } from './code-exchange.ts'
import { tidy } from './failure.ts'
import { isAwaitedElsewhere, type SignInCheckPorts } from './sign-in-checks.ts'
import type { TokenRequestPorts } from './token-request.ts'
import { createTransactions, isOpen, type Transaction, type Transactions } from './transaction.ts'

/** What sign-in asks of the session. */
export interface SessionSlot {
  readonly current: SessionRecord | undefined
  read(): Promise<SessionRecord | undefined>
  epoch(): Promise<number | undefined>
  /**
   * Stores the session that a sign-in brought.
   * @throws AuthorizationRequiredError where somebody has signed out since the sign-in began.
   */
  begin(record: SessionRecord): Promise<void>
  /** Tells this realm and the others of it, outside of any lock. */
  changed(sessionId: string): void
}

export interface SignInPorts extends TokenRequestPorts, SignInCheckPorts {
  readonly redirectUri: string
  readonly leewaySeconds: number
  readonly resources: readonly Resource[]
  readonly keyValue: KeyValue
  /** Whether what is stored survives that the page leaves. */
  isKept(): boolean
  readonly slot: SessionSlot
  readonly lock: Lock
  /** Begins the names of the locks and records of this client. */
  readonly name: string
  /** Who this is, for the record. */
  readonly context: string
  readonly page: Page | undefined
  readonly emit: Emit
  readonly clock: Clock
  /** Best effort: tokens that nobody will use. */
  discard(refreshToken: string): void
}

/**
 * So many sign-ins that came back within this time, or that never did, and still nobody is signed in. Who goes Back at the
 * provider's page leaves a few more.
 */
const LOOP = { returned: 3, begun: 6, ms: 60_000 }

/** What became of a callback: `undefined` when it is not ours. */
export type Finished = { readonly returnTo: string | undefined } | undefined

const transactionsOf = ({ keyValue, name, clock }: SignInPorts): Transactions =>
  createTransactions(keyValue, `${name} transaction `, clock)

/** Sends the user to the authorization server. Resolves when the answer was handled, or when it never comes here. */
export async function authorize(
  ports: SignInPorts,
  attempt: SignInAttempt,
  { leaves, ...choice }: Omit<AuthorizationChoice, 'redirectUri'> & { readonly leaves: boolean },
): Promise<void> {
  const { scope, userAgent } = choice
  await refuseLoop(ports)
  const redirectUri = await attempt.redirectUri
  const request = await beginAuthorization(
    { ...ports, transactions: transactionsOf(ports), epoch: ports.slot.epoch },
    { ...choice, redirectUri },
  )
  if (leaves && !ports.isKept()) {
    throw new StorageError(
      'What is stored here is gone when the page leaves, so a sign-in that leaves could not be finished. Sign in by popup(), or allow the page to store something.',
    )
  }
  ports.emit({ type: 'authorization-request', scope, userAgent })
  const answer = await attempt.authorize(request.url, request.state)
  const callback = answer && parseCallback(answer)
  if (callback) await finish(ports, callback)
  else if (answer) await refuseNameless(ports, new URL(answer))
}

/** A further sign-in within a minute that follows others, and nobody is signed in: it would go on like this. */
async function refuseLoop(ports: SignInPorts): Promise<void> {
  if (ports.slot.current) return
  const since = ports.clock.now() - LOOP.ms
  const all = await transactionsOf(ports)
    .all()
    .catch(() => []) // what cannot be read is no loop; a store that cannot be written is told next
  const recent = all.filter(one => one.createdAt > since)
  const returned = recent.filter(({ stage }) => stage === 'returned' || stage === 'failed').length
  const begun = returned + recent.filter(({ stage }) => stage === 'waiting').length
  if (returned < LOOP.returned && begun < LOOP.begun) return
  throw new CallbackError(
    `${begun} sign-ins began within a minute and none left a session. Look at what start() rejected with; a user's click a minute later may try again.`,
    'redirect_loop',
  )
}

/** The user signed out: sign-ins under way end with the session, and none counts as a loop. Best effort. */
export async function endSignIns(ports: SignInPorts): Promise<void> {
  const transactions = transactionsOf(ports)
  const all = await transactions.all().catch(() => [])
  const end = async (one: Transaction) => {
    await transactions.move(one, isOpen(one.stage) ? 'signed-out' : 'signed-in')
    if (isOpen(one.stage)) ports.extensions.ended(one.state)
  }
  await Promise.all(all.map(end))
}

/**
 * Some servers answer an error without the `state` that says whose it is (RFC 6749 section 4.1.2.1 asks for it).
 * @throws CallbackError where a sign-in is under way that it may answer.
 */
export async function refuseNameless(ports: SignInPorts, url: URL): Promise<void> {
  const error = url.searchParams.get('error')
  if (!error || url.searchParams.has('state')) return
  const transactions = transactionsOf(ports)
  const all = await transactions.all().catch(() => [])
  const awaited = all.find(({ stage, redirectUri }) => stage === 'waiting' && isAt(url, redirectUri))
  if (!awaited) return
  await transactions.move(awaited, 'returned')
  const { page } = ports
  if (page?.location() === url.href) page.replaceLocation(cleanUrl(url))
  const name = tidy(error) as string
  const description = tidy(url.searchParams.get('error_description') ?? undefined)
  throw new CallbackError(
    `The authorization server refused the sign-in: ${name}${description ? ` (${description})` : ''}. Call signIn() to try again.`,
    'authorization_error',
    { error: name },
  )
}

/** Finishes the sign-in that this callback answers: once, however often and from however many tabs it is asked. */
export async function finish(ports: SignInPorts, callback: Callback): Promise<Finished> {
  const { slot, page, clock, name } = ports
  const { state, url } = callback
  const transactions = transactionsOf(ports)
  const clean = (returnTo = cleanUrl(url)) => {
    if (page?.location() === url.href) page.replaceLocation(returnTo)
  }

  const found = await transactions.find(state)
  if (!isAt(url, found?.redirectUri ?? ports.redirectUri)) return undefined
  if (!found) {
    if (await isAwaitedElsewhere(ports.keyValue, state, `${name} transaction ${state}`)) return undefined
    clean()
    if (await slot.read()) return { returnTo: undefined }
    throw await explainLost(ports, callback, transactions)
  }
  if (found.stage === 'signed-out') {
    clean(found.returnTo)
    throw new AuthorizationRequiredError('signed_out')
  }
  let started: SessionRecord | undefined
  try {
    const work = () => exchange(ports, callback, transactions)
    const late = () => new NetworkError('The sign-in took too long. Reload to try again.', 'timeout')
    started = await ports.lock.run(
      `${name} sign-in`,
      () => withTimeLimit(clock, HOLD_MS, work, late),
      WAIT_MS,
    )
  } catch (error) {
    // what may succeed later keeps its address, so that a reload tries again
    if (!isRetryable(error)) clean(found.returnTo)
    throw error
  }
  clean(found.returnTo)
  if (started) slot.changed(started.sessionId)
  return { returnTo: found.returnTo }
}

const LIKELY = {
  storage_blocked: 'this browser keeps nothing for this page (blocked storage, a private window)',
  expired: 'it is over an hour old',
  other_browser: 'it began in another browser or app, or storage was cleared meanwhile',
} as const

/** What probably became of a sign-in that nobody here remembers. */
async function explainLost(
  { keyValue, isKept, name, clock }: SignInPorts,
  { state }: Callback,
  transactions: Transactions,
): Promise<CallbackError> {
  const key = `${name} probe`
  const mark = clock.now()
  const write = (value?: number) => keyValue.update(key, () => value)
  const works = write(mark).then(() => keyValue.get(key))
  const storageWorks = (await works.catch(() => undefined)) === mark && isKept()
  await write().catch(() => {})
  const pending = (await transactions.all().catch(() => [])).filter(({ stage }) => isOpen(stage))
  const isTooOld = await transactions.isTooOld(state).catch(() => false)
  const likely = !storageWorks ? 'storage_blocked' : isTooOld ? 'expired' : 'other_browser'
  const newest = pending[0] && clock.now() - pending[0].createdAt
  return new CallbackError(
    `This sign-in is not known here: most likely ${LIKELY[likely]}. Call restart() or signIn() to begin anew.`,
    'state_not_found',
    { lost: { likely, storageWorks, pendingCount: pending.length, newestAgeMs: newest } },
  )
}

/** Under the lock for sign-ins. @returns the new session, or `undefined` when another tab or call was first. */
async function exchange(
  ports: SignInPorts,
  { state, url }: Callback,
  transactions: Transactions,
): Promise<SessionRecord | undefined> {
  const { slot, clock, leewaySeconds, emit } = ports
  const transaction = await transactions.find(state)
  // what cannot be read is replaced all the same: the user has just signed in
  const stored = await slot.read().catch(() => slot.current)
  if (!transaction || !isOpen(transaction.stage) || stored?.sessionId === state) return undefined
  emit({ type: 'authorization-response', refused: url.searchParams.has('error') })
  try {
    const granted = await exchangeCode(ports, url, transaction)
    const { refresh_token: spare, scope: told } = granted.response
    const expected = transaction.silent && (transaction.subject ?? stored?.tokens.claims?.sub)
    if (expected && granted.claims?.sub !== expected) {
      if (spare) ports.discard(spare)
      throw new AuthorizationRequiredError('subject_changed')
    }
    const more = unasked(told, transaction.scope)
    if (more)
      emit({ type: 'warning', about: 'scope', message: `More was granted than was asked for: ${more}.` })
    const tokens = toTokenSet(granted, { receivedAt: clock.now(), leewaySeconds, scope: transaction.scope })
    // named after its state: a callback that comes again is known by the session it began
    const requested = transaction.scope
    const record: SessionRecord = {
      schema: 1,
      sessionId: state,
      version: 1,
      tokenType: ports.extensions.tokenType,
      tokens,
      requested,
      by: ports.context,
      epoch: transaction.epoch,
    }
    await slot.begin(record).catch(error => {
      if (spare) ports.discard(spare)
      throw error
    })
    await transactions.move(transaction, 'signed-in')
    if (!tokens.refreshToken) {
      const isAsked = requested.split(' ').includes('offline_access')
      const why = isAsked
        ? 'Some servers ignore the scope offline_access unless authorizationParameters has prompt: "consent".'
        : 'Most servers give one for the scope offline_access.'
      const message = `This sign-in brought no refresh token: it lasts as long as its access token. ${why}`
      ports.warn(isAsked ? 'offline_access' : 'no_refresh_token', message)
    }
    return record
  } catch (error) {
    await transactions.move(transaction, isRetryable(error) ? 'returned' : 'failed')
    if (transaction.silent && needsUser(error)) throw new AuthorizationRequiredError('interaction_required')
    throw error
  }
}

/** What `prompt=none` is answered with where the user would have had to do something (OpenID Connect Core 3.1.2.6). */
const needsUser = (error: unknown) =>
  error instanceof CallbackError && /^(login|consent|interaction|account_selection)_/.test(error.error ?? '')

/** Whether the same answer may succeed when it comes again. */
const isRetryable = (error: unknown) =>
  error instanceof LatchkeyError && error.retryable && !(error instanceof CallbackError)
