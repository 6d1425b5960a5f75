import type { Authorization, RefreshResult, SessionRecords } from '../core/authorization.ts'
import { decide } from '../core/decide.ts'
import type { Emit } from '../core/events.ts'
import type { Listeners } from '../core/listeners.ts'
import type { Clock, EpochMs, Lock } from '../core/ports.ts'
import { accessTokenOf, type SessionRecord, sessionOf } from '../core/session.ts'
import { addFailure, isTooEarly, type StoredTrouble, toError } from '../core/trouble.ts'
import { abortable, singleFlight, WAIT_MS } from '../core/waiting.ts'
import {
  AuthorizationRequiredError,
  type EndReason,
  LatchkeyError,
  LockTimeoutError,
  NetworkError,
  ServerError,
  StorageError,
} from '../errors.ts'

export interface RefresherPorts {
  readonly records: SessionRecords
  readonly lock: Lock
  /** Names the lock. */
  readonly prefix: string
  /** Whether an expired access token is refreshed before a call needs it: where somebody looks at the session. */
  readonly isEager: boolean
  readonly clock: Clock
  /** The time by which tokens in memory are judged. */
  now(): EpochMs
  /** From 0 to 1: spreads what would otherwise happen everywhere at once. */
  random(): number
  readonly emit: Emit
  /** Loads what talks with the authorization server. */
  authorization(): Promise<Pick<Authorization, 'prepare' | 'refresh' | 'revoke'>>
  /** What is stored was changed here: tells this realm and the others. Called outside the lock. */
  changed(sessionId: string): void
  /** What is stored was changed by someone else: tells this realm. Called outside the lock. */
  adopted(): void
  /** Why there is no session to use. */
  noSession(): LatchkeyError
  /** This realm has a session no more. */
  readonly left: Pick<Listeners<{ readonly reason: EndReason; readonly sessionId: string }>, 'add'>
}

/** What the server itself says of one API (RFC 8707 section 2, RFC 6749 section 5.2): only a sign-in changes it. */
const isFinal = (error: LatchkeyError, resource: string | undefined): boolean =>
  resource !== undefined &&
  error instanceof ServerError &&
  error.status !== undefined &&
  ['invalid_target', 'invalid_scope'].includes(error.error)

const FOR_GOOD = { at: -Infinity, until: Infinity, askedUntil: Infinity }

/** After a failure that only this realm knows of, how long it sends no other token request. */
interface Quiet {
  readonly error: LatchkeyError
  readonly trouble: StoredTrouble
}

export interface Refresher {
  /**
   * A usable access token from memory, or `undefined`. Costs nothing; begins a refresh beside it when one is due.
   * @param resource for one API of `resources`.
   */
  ready(resource?: string): string | undefined
  /**
   * A usable access token, after a refresh if there is none.
   * @param options.rejected the access token that a 401 came back for.
   * @param options.sessionId the session that it has to be of.
   * @throws AuthorizationRequiredError, NetworkError, ServerError, StorageError, LockTimeoutError; `signal.reason`.
   */
  acquire(options?: {
    rejected?: string
    resource?: string
    sessionId?: string
    signal?: AbortSignal | null
  }): Promise<string>
  /** When the refresh was begun that brought the newest tokens; 0 where it was not one of this realm. */
  begunAt(): EpochMs
  /** The network or the user came back: what failed may be tried at once, where the server did not ask for a pause. */
  wake(): void
}

/** What is refreshed once at a time: an access token of a session. */
const keyOf = ({ sessionId }: SessionRecord, resource = '') => `${sessionId} ${resource}`

export function createRefresher(ports: RefresherPorts): Refresher {
  const { records, lock, prefix, clock, emit } = ports
  const share = singleFlight<void>()
  const leaving = new Map<string, AbortController>()
  const quiet = new Map<string, Quiet>()
  let begunAt = 0
  let wokeAt = clock.now() // whoever loads the page again wants it tried again
  let isDegraded = false

  /** Why it is too early to try again, if it is. */
  const tooEarly = (wanting: SessionRecord, key: string): LatchkeyError | undefined => {
    const { trouble } = wanting
    const now = clock.now()
    if (trouble && isTooEarly(trouble, now, wokeAt)) return toError(trouble)
    const own = quiet.get(key)
    return own && isTooEarly(own.trouble, now, wokeAt) ? own.error : undefined
  }

  const degrade = ({ message }: StorageError) => {
    // told once, however long it lasts
    if (!isDegraded) emit({ type: 'storage-degraded', message })
    isDegraded = true
  }

  const backOff = (key: string, error: LatchkeyError, resource: string | undefined): LatchkeyError => {
    const trouble = addFailure(quiet.get(key)?.trouble, error, false, clock.now(), ports.random())
    quiet.set(key, { error, trouble: isFinal(error, resource) ? { ...trouble, ...FOR_GOOD } : trouble })
    return error
  }

  const refresh = async (wanting: SessionRecord, resource: string | undefined): Promise<void> => {
    const { sessionId } = wanting
    const key = keyOf(wanting, resource)
    const early = tooEarly(wanting, key)
    const began = clock.now()
    let ending: RefreshResult
    try {
      if (early) throw early
      const authorization = await ports.authorization()
      await authorization.prepare() // nothing that can be fetched before is fetched under the lock
      const work = () => authorization.refresh({ record: wanting, resource, wokeAt })
      ending = await lock.run(prefix, work, WAIT_MS)
    } catch (error) {
      ending = await withoutLock(wanting, resource, error, early)
    }
    if (ending.type === 'overtaken') {
      // someone rotated the tokens of the same session: to revoke ours would end it for all
      if (sessionOf(await records.read())?.sessionId === sessionId) ending = { type: 'adopted' }
    }
    const record = records.current
    switch (ending.type) {
      case 'adopted':
        begunAt = 0
        quiet.delete(key)
        if (record?.sessionId === sessionId) emit({ type: 'tokens-adopted', from: record.by })
        return void ports.adopted()
      case 'rotated':
        begunAt = began
        quiet.delete(key)
        if (ending.unsaved) degrade(ending.unsaved)
        else isDegraded = false
        ports.changed(sessionId)
        if (ending.refused) throw backOff(key, ending.refused, resource)
        return
      case 'ended':
        ports.changed(sessionId)
        throw new AuthorizationRequiredError(ending.reason)
      case 'overtaken':
        if (ending.unused) (await ports.authorization()).revoke(ending.unused)
        return void ports.adopted()
      case 'failed':
        if (ending.error === early) throw ending.error
        if (ending.error instanceof StorageError) degrade(ending.error)
        if (!ending.noted) throw backOff(key, ending.error, resource)
        if (ending.noted === 'read') ports.adopted()
        else ports.changed(sessionId)
        throw ending.error
    }
  }

  const leavingOf = (sessionId: string): AbortController => {
    const known = leaving.get(sessionId) ?? new AbortController()
    leaving.set(sessionId, known)
    return known
  }

  /** Shared by all who wait in this realm, and over for them as soon as the session is. */
  const flight = (wanting: SessionRecord, resource: string | undefined) =>
    share(keyOf(wanting, resource), () =>
      abortable(refresh(wanting, resource), leavingOf(wanting.sessionId).signal),
    )

  /** It is too early to try again, or the lock was not to be had. Someone else may have done the work. */
  const withoutLock = async (
    wanting: SessionRecord,
    resource: string | undefined,
    error: unknown,
    early: LatchkeyError | undefined,
  ): Promise<RefreshResult> => {
    if (!(error instanceof LatchkeyError)) throw error
    if (error instanceof StorageError) return { type: 'failed', error }
    const found = sessionOf(await records.read())
    const old = accessTokenOf(wanting, resource)?.accessToken
    if (found?.sessionId !== wanting.sessionId) return { type: 'adopted' }
    if (decide(found, ports.now(), old, resource).do === 'use') return { type: 'adopted' }
    if (error === early || !(error instanceof NetworkError)) return { type: 'failed', error }
    const trouble = addFailure(found.trouble, error, false, clock.now(), ports.random())
    const isWritten = await records.replace({ ...found, trouble }, found).catch(() => false)
    return { type: 'failed', error, noted: isWritten && 'written' }
  }

  // whoever waits for the refresh of a session that has ended learns that at once; what the refresh brings is dropped
  ports.left.add(({ reason, sessionId }) => {
    leaving.get(sessionId)?.abort(new AuthorizationRequiredError(reason))
    leaving.delete(sessionId)
  })

  return {
    ready(resource) {
      const { current } = records
      const decision = decide(current, ports.now(), undefined, resource)
      // a refresh that was cut off does not wait for a call: a grace period may still cover it
      const due =
        decision.do === 'use'
          ? decision.due
          : decision.do === 'refresh' && (ports.isEager || current?.pending || current?.trouble)
      // beside the call: a failure is told by an event, and met again when the token is really needed
      if (current && due && !tooEarly(current, keyOf(current, resource)))
        flight(current, resource).catch(() => {})
      return decision.do === 'use' ? decision.accessToken : undefined
    },

    async acquire({ rejected, resource, sessionId, signal } = {}) {
      signal?.throwIfAborted()
      const before = records.current
      if (!before) throw ports.noSession()
      // a call goes out in the session that it was made in, or not at all
      if (sessionId !== undefined && before.sessionId !== sessionId)
        throw new AuthorizationRequiredError('replaced')
      const decision = decide(before, ports.now(), rejected, resource)
      if (decision.do === 'use') return decision.accessToken
      if (decision.do === 'authorize') throw new AuthorizationRequiredError(decision.reason)
      await abortable(flight(before, resource), signal)
      // as it came, even if it is over already: asking once more would not give a longer one
      const renewed = records.current
      if (!renewed) throw ports.noSession()
      if (renewed.sessionId !== before.sessionId) throw new AuthorizationRequiredError('replaced')
      const found = accessTokenOf(renewed, resource)
      if (!found) throw new LockTimeoutError('Somebody else refreshed at the same moment. Try again.')
      return found.accessToken
    },

    begunAt: () => begunAt,

    wake() {
      wokeAt = clock.now() + 1 // after whatever has failed up to now
    },
  }
}
