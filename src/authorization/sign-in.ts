import type {
  Authorization,
  AuthorizationPorts,
  FinishedSignIn,
  SessionWrites,
  SignInRequest,
} from '../core/authorization.ts'
import {
  type Callback,
  cleanSignedOut,
  cleanUrl,
  matchesRedirectUri,
  parseCallback,
  readMark,
  withFragmentAsQuery,
} from '../core/callback.ts'
import { HOLD_MS, WAIT_MS } from '../core/lock-times.ts'
import type { KeyValue, SignInAttempt } from '../core/ports.ts'
import { type SessionRecord, sessionOf } from '../core/session.ts'
import type { Granted } from '../core/token-set.ts'
import { abortable, singleFlight, withTimeLimit } from '../core/waiting.ts'
import {
  AuthorizationRequiredError,
  CallbackError,
  LatchkeyError,
  NetworkError,
  StorageError,
} from '../errors.ts'
import { beginAuthorization, markOf, refuseLoop } from './authorization-request.ts'
import { exchangeCode } from './code-exchange.ts'
import { needsUser, refusalOf, tidy } from './failure.ts'
import { noteReason } from './recovery.ts'
import { toTokenSet, unasked } from './renewal.ts'
import type { parseSignIn } from './request-options.ts'
import { repeatWarnings } from './sign-out.ts'
import type { TokenRequestPorts } from './token-request.ts'
import { isOpen, type Transaction, type Transactions } from './transaction.ts'

export interface SignInPorts
  extends TokenRequestPorts,
    Pick<
      AuthorizationPorts,
      | 'keyValue'
      | 'lock'
      | 'prefix'
      | 'realm'
      | 'records'
      | 'changed'
      | 'survivesNavigation'
      | 'page'
      | 'leave'
      | 'now'
      | 'warnings'
      | 'owner'
      | 'hash'
      | 'restart'
      | 'relay'
    > {
  /** The page's origin, if there is a page. */
  readonly origin: string | undefined
  readonly writes: SessionWrites
  readonly transactions: Transactions
  /** Transactions that are kept elsewhere than in the store. */
  transactionsIn(keyValue: KeyValue): Transactions
  /** Revokes a refresh token that nobody will use, without waiting for it. */
  revoke(refreshToken: string): void
}

/** The ports of a grant that signs in without an authorization response. */
export interface ObtainPorts extends TokenRequestPorts, Pick<AuthorizationPorts, 'records' | 'changed'> {
  readonly demands: Pick<ReturnType<typeof parseSignIn>, 'scope' | 'parameters'>
  /**
   * Stores the granted session. If it cannot begin, revokes its refresh token.
   * @param epoch the store's number of sign-outs when the sign-in began.
   * @throws AuthorizationRequiredError if a user has signed out since.
   */
  begin(state: string, epoch: number | undefined, granted: Granted): Promise<SessionRecord>
  /** Revokes a refresh token that nobody will use, without waiting for it. */
  revoke(refreshToken: string): void
}

/** Sends the user to the authorization server. Resolves when the response was handled, or goes to another page load. */
export async function signIn(
  shared: SignInPorts,
  attempt: SignInAttempt,
  { userAgent, leaves, subject, signal }: SignInRequest,
  demands: ReturnType<typeof parseSignIn>,
): Promise<void> {
  const { scope } = demands
  const { notes } = attempt
  const ports: SignInPorts = notes ? { ...shared, transactions: shared.transactionsIn(notes) } : shared
  await refuseLoop(ports)
  if (attempt.obtain) {
    const begin: ObtainPorts['begin'] = (state, epoch, granted) =>
      beginSession(ports, { state, epoch, scope, subject }, granted, undefined)
    if (await attempt.obtain({ ...ports, demands, begin } satisfies ObtainPorts)) return
  }
  const choice = { ...demands, userAgent, subject }
  const { url, state } = await beginAuthorization(ports, choice, await attempt.redirectUri)
  if (leaves && !ports.survivesNavigation()) {
    throw new StorageError(
      'The storage of this page does not survive a redirect. Use popup(), or allow storage for this page.',
      { retryable: false },
    )
  }
  signal?.throwIfAborted()
  ports.emit({ type: 'authorization-request', scope, userAgent })
  const answer = await abortable(attempt.authorize(url, state), signal)
  const callback = answer && parseCallback(answer)
  if (callback) await finish(ports, callback)
  else if (answer) await rejectErrorWithoutState(ports, new URL(answer))
}

/**
 * Handles an error response without `state`, which some servers send although RFC 6749 section 4.1.2.1 requires it.
 * @throws CallbackError if it may answer a pending sign-in.
 */
async function rejectErrorWithoutState(ports: SignInPorts, url: URL): Promise<void> {
  const { searchParams: parameters } = withFragmentAsQuery(url)
  const error = parameters.get('error')
  if (!error || parameters.has('state')) return
  const all = await ports.transactions.all()
  const awaited = all.find(
    ({ stage, redirectUri }) => stage === 'waiting' && matchesRedirectUri(url, redirectUri),
  )
  if (!awaited) return
  await ports.transactions.move(awaited, 'returned')
  const { page } = ports
  if (page?.location() === url.href) page.replaceLocation(cleanUrl(url))
  const name = tidy(error) as string
  const description = tidy(parameters.get('error_description') ?? undefined)
  throw new CallbackError(refusalOf('The sign-in', name, description), 'authorization_error', { error: name })
}

/** Handles the responses of the authorization server. */
export function createArrival(ports: SignInPorts): Pick<Authorization, 'arrive' | 'handleCallback'> {
  const share = singleFlight<FinishedSignIn>()
  const finishOnce = (callback: Callback) => share(callback.state, () => finish(ports, callback))
  return {
    async arrive(page, returned) {
      const here = page.location()
      const callback = parseCallback(here)
      if (callback) {
        const { state, userAgent } = callback
        if (userAgent === 'popup' && (await ports.relay?.(here, state))) return
        try {
          await finishOnce(callback)
        } catch (error) {
          if (!(error instanceof AuthorizationRequiredError)) throw error
          await noteReason(ports, error.reason)
        }
        return
      }
      const clean = cleanSignedOut(here)
      if (clean !== here) {
        page.replaceLocation(clean)
        await Promise.all([returned(), repeatWarnings(ports)])
      }
      await rejectErrorWithoutState(ports, new URL(here))
    },
    async handleCallback(url) {
      const callback = parseCallback(url)
      return callback && finishOnce(callback)
    },
  }
}

/** Finishes the sign-in that this callback answers. It happens once, even if several calls or tabs handle the callback. */
async function finish(ports: SignInPorts, callback: Callback): Promise<FinishedSignIn> {
  const { settings, records, transactions, page, clock, prefix } = ports
  const { state, address } = callback
  let isHere = false
  const clean = (returnTo?: string) => {
    isHere = page?.location() === address.href // the app may show another address by now
    if (isHere) page?.replaceLocation(returnTo && !page.navigate ? returnTo : cleanUrl(address))
  }
  const goOn = (returnTo: string | undefined) => {
    if (isHere && returnTo) page?.navigate?.(returnTo)
  }

  const found = await transactions.find(state)
  if (!matchesRedirectUri(address, found?.redirectUri ?? settings.redirectUri)) {
    if (!found) return undefined
    // handled wherever it arrives: otherwise the app might begin the next sign-in, again and again
    clean()
    if (isOpen(found.stage)) {
      await transactions.move(found, 'returned')
      throw arrivedElsewhere(address, found.redirectUri)
    }
  }
  if (!found) {
    if (await isOfAnother(ports, state)) return undefined
    clean()
    if (sessionOf(await records.read())) return { returnTo: undefined }
    throw await explainLost(ports, callback)
  }
  for (const { about, message } of [found.warnings ?? []].flat()) ports.warn(about, message)
  const { returnTo } = found
  if (found.stage === 'signed-out') {
    clean(returnTo)
    goOn(returnTo)
    throw new AuthorizationRequiredError('signed_out')
  }
  let done: Exchanged
  try {
    const work = () => exchange(ports, callback)
    const late = () => new NetworkError('The sign-in took too long. Reload to try again.', 'timeout')
    done = await ports.lock.run(`${prefix} sign-in`, () => withTimeLimit(clock, HOLD_MS, work, late), WAIT_MS)
  } catch (error) {
    // after a retryable error, the address stays, so that a reload retries
    if (!isRetryable(error)) {
      clean(returnTo)
      goOn(returnTo)
    }
    throw error
  }
  clean(returnTo)
  if (done.started) ports.changed(done.started.sessionId)
  if (done.next) await ports.leave?.(done.next)
  else goOn(returnTo)
  return { returnTo }
}

const arrivedElsewhere = ({ origin, host, protocol, pathname }: URL, redirectUri: string): CallbackError => {
  const here = (origin === 'null' ? `${protocol}//${host}` : origin) + pathname
  return new CallbackError(
    `The authorization response arrived at ${here} instead of the redirect URI ${redirectUri}. Set "redirectUri" to the final address of the page, or remove the redirect.`,
    'wrong_address',
  )
}

const LIKELY = {
  storage_blocked: 'this browser blocks storage for this page (for example in a private window)',
  expired: 'it is over an hour old',
  other_browser: 'it began in another browser or app, or storage was cleared',
} as const

/** The error for a sign-in that is not in the store, with the most likely reason. */
async function explainLost(
  { keyValue, survivesNavigation, prefix, clock, transactions, restart }: SignInPorts,
  { state }: Callback,
): Promise<CallbackError> {
  const key = `${prefix} probe`
  const mark = clock.now()
  const write = (value?: number) => keyValue.update(key, () => value)
  const works = write(mark).then(() => keyValue.get(key))
  const storageWorks = (await works.catch(() => undefined)) === mark && survivesNavigation()
  await write().catch(() => {})
  const pending = (await transactions.all()).filter(({ stage }) => isOpen(stage))
  const isTooOld = await transactions.isTooOld(state).catch(() => false)
  const likely = !storageWorks ? 'storage_blocked' : isTooOld ? 'expired' : 'other_browser'
  const newest = pending[0] && clock.now() - pending[0].createdAt
  const error = new CallbackError(
    `This callback does not match a stored sign-in. Probable cause: ${LIKELY[likely]}. Call restart() or signIn() to start again.`,
    'state_not_found',
    { lost: { likely, storageWorks, pendingCount: pending.length, newestAgeMs: newest } },
  )
  // not enumerable, so that loggers do not print the function
  return Object.defineProperty(error, 'restart', { value: restart })
}

/** The result: a new session, or the URL that asks the user, or nothing if another tab or call was first. */
interface Exchanged {
  readonly started?: SessionRecord
  readonly next?: string
}

/** Begins the same sign-in again, this time with the user, because the server needs them. @returns its URL. */
async function askUser(
  ports: SignInPorts,
  { scope, returnTo, otherwise = {}, parameters: kept, acr, epoch, redirectUri }: Transaction,
): Promise<string> {
  const choice = { userAgent: 'redirect', scope, returnTo, parameters: otherwise, kept, epoch }
  const acrValues = acr?.join(' ') || undefined
  const { url } = await beginAuthorization(ports, { ...choice, acrValues }, redirectUri)
  ports.emit({ type: 'authorization-request', scope, userAgent: choice.userAgent })
  return url
}

/** Exchanges the code and stores the session. Called under the lock for sign-ins. */
async function exchange(ports: SignInPorts, { state, url }: Callback): Promise<Exchanged> {
  const { records, transactions } = ports
  const transaction = await transactions.find(state)
  // a record that cannot be read is replaced too: the user has just signed in
  const stored = await records.read().then(sessionOf, () => records.current)
  if (!transaction || !isOpen(transaction.stage) || stored?.sessionId === state) return {}
  ports.emit({ type: 'authorization-response', refused: url.searchParams.has('error') })
  try {
    const granted = await exchangeCode(ports, url, transaction)
    const record = await beginSession(ports, transaction, granted, stored?.tokens.claims?.sub)
    await transactions.move(transaction, 'signed-in')
    return { started: record }
  } catch (refusal) {
    let error = refusal
    if (transaction.otherwise && refusal instanceof CallbackError && needsUser(refusal.error)) {
      try {
        const next = await askUser(ports, transaction)
        await transactions.move(transaction, 'continued')
        return { next }
      } catch (cause) {
        error = cause
      }
    }
    await transactions.move(transaction, isRetryable(error) ? 'returned' : 'failed')
    if (error instanceof CallbackError && error.reason === 'authorization_error') {
      const { error: name = '', errorDescription } = error
      ports.emit({ type: 'authorization-error', error: name, errorDescription })
    }
    if (transaction.silent && error instanceof CallbackError && needsUser(error.error))
      throw new AuthorizationRequiredError('interaction_required')
    throw error
  }
}

type BegunBy = Pick<Transaction, 'state' | 'scope' | 'silent' | 'subject' | 'epoch' | 'parameters'>

/**
 * Stores the granted session. If it cannot begin, revokes its refresh token.
 * @param subject the user of the stored session.
 * @throws AuthorizationRequiredError for tokens of another user after a silent sign-in, or after a sign-out meanwhile.
 */
async function beginSession(
  ports: SignInPorts,
  begunBy: BegunBy,
  granted: Granted,
  subject: string | undefined,
): Promise<SessionRecord> {
  try {
    return await storeGranted(ports, begunBy, granted, subject)
  } catch (error) {
    const { refresh_token: unused } = granted.response
    if (unused) ports.revoke(unused)
    throw error
  }
}

async function storeGranted(
  ports: SignInPorts,
  { state, scope, silent, subject: required, epoch, parameters }: BegunBy,
  granted: Granted,
  subject: string | undefined,
): Promise<SessionRecord> {
  const expected = silent && (required ?? subject)
  if (expected && granted.claims?.sub !== expected) throw new AuthorizationRequiredError('subject_changed')
  const more = unasked(granted.response.scope, scope)
  if (more) ports.warn('scope', `The server granted scopes that were not requested: ${more}.`)
  const tokens = toTokenSet(granted, { ...ports.settings, receivedAt: ports.clock.now(), scope })
  const record: SessionRecord = {
    // named after the state: latchkey recognizes a repeated callback by the session that it began
    ...{ schema: 1, sessionId: state, version: 1, by: ports.realm, epoch },
    ...{ tokenType: ports.extensions.tokenType, tokens, requested: scope, parameters },
  }
  await storeSignIn(ports, record)
  if (!tokens.refreshToken) {
    const isAsked = scope.split(' ').includes('offline_access')
    const why = isAsked
      ? 'Some servers ignore the scope offline_access unless authorizationParameters has prompt: "consent".'
      : 'Most servers give one for the scope offline_access.'
    const message = `This sign-in brought no refresh token: it lasts as long as its access token. ${why}`
    ports.warn(isAsked ? 'offline_access' : 'no_refresh_token', message)
  }
  return record
}

/** @throws AuthorizationRequiredError if a user has signed out since the sign-in began, or signed in while it was stored. */
export async function storeSignIn(
  { writes, records, emit }: Pick<SignInPorts, 'writes' | 'records' | 'emit'>,
  record: SessionRecord,
): Promise<void> {
  const before = records.current?.sessionId
  try {
    if (!(await writes.begin(record))) throw new AuthorizationRequiredError('signed_out')
  } catch (error) {
    if (!(error instanceof StorageError)) throw error
    await records.read().catch(() => {}) // it may have been stored although the write failed, and ended or replaced since
    if (!writes.keepSignIn(record, before))
      throw new AuthorizationRequiredError(records.current ? 'replaced' : 'signed_out')
    emit({ type: 'storage-degraded', message: error.message })
  }
}

/** Whether the same callback may succeed later. */
const isRetryable = (error: unknown) =>
  error instanceof LatchkeyError && error.retryable && !(error instanceof CallbackError)

/** Whether an unknown state has the mark of another client of this page, or of another store. */
async function isOfAnother(ports: SignInPorts, state: string): Promise<boolean> {
  const read = readMark(state)
  return read !== undefined && (await markOf(ports, read.random)) !== read.mark
}
