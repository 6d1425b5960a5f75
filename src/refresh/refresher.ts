import { decide } from '../core/decide.ts'
import type { Emit } from '../core/events.ts'
import type { EpochMs, Lock } from '../core/ports.ts'
import { accessTokenOf, type SessionRecord } from '../core/session.ts'
import { abortable, WAIT_MS } from '../core/time-limit.ts'
import {
  AuthorizationRequiredError,
  type EndReason,
  LatchkeyError,
  LockTimeoutError,
  NetworkError,
  ServerError,
  StorageError,
} from '../errors.ts'
import { createRedemption, type Ending, type RedemptionPorts } from './redemption.ts'
import { singleFlight } from './single-flight.ts'

/** Pauses between refreshes that fail one after the other. */
const BACKOFF_MS = { first: 500, longest: 30_000 }

export interface RefresherPorts extends RedemptionPorts {
  readonly lock: Lock
  /** Of the lock. */
  readonly name: string
  readonly emit: Emit
  /** Whatever a token request needs, fetched before the lock is taken. */
  prepare(): Promise<unknown>
  /** From 0 to 1: spreads what would otherwise happen everywhere at once. */
  random(): number
  /** The record was changed here, or is gone for this reason: tell this realm and the others. Outside the lock. */
  changed(record: SessionRecord | undefined, sessionId: string, reason?: EndReason): void
  /** The record was changed by someone else: tell this realm. Outside the lock. */
  adopted(record: SessionRecord | undefined, reason?: EndReason): void
}

/** What a server says of one API (RFC 8707 section 2, RFC 6749 section 5.2) and will say again: only a sign-in helps. */
const isFinal = (error: LatchkeyError, resource: string | undefined): boolean =>
  resource !== undefined &&
  error instanceof ServerError &&
  ['invalid_target', 'invalid_scope'].includes(error.error)

/** After a failure, how long no other token request is sent. */
interface Quiet {
  readonly from: number
  readonly until: number
  readonly error: LatchkeyError
  readonly failures: number
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
  /** The session is over: who waits for its refresh is told at once, and what the refresh brings is dropped. */
  end(reason: EndReason, sessionId: string): void
  /** The network or the user came back: what failed may be tried at once. */
  wake(): void
}

/** What is refreshed once at a time: an access token of a session. */
const keyOf = ({ sessionId }: SessionRecord, resource = '') => `${sessionId} ${resource}`

export function createRefresher(ports: RefresherPorts): Refresher {
  const { records, lock, name, clock, emit } = ports
  const redemption = createRedemption(ports)
  const share = singleFlight<void>()
  const leaving = new Map<string, AbortController>()
  /** Why it is too early to try again. */
  const quiet = new Map<string, Quiet>()
  let begunAt = 0

  const refresh = async (wanting: SessionRecord, resource: string | undefined): Promise<void> => {
    const { sessionId } = wanting
    const key = keyOf(wanting, resource)
    const pause = quiet.get(key)
    const began = clock.now()
    let ending: Ending
    try {
      // a clock that was set back must not make a pause last
      if (pause && pause.from <= began && began < pause.until) throw pause.error
      await ports.prepare()
      ending = await lock.run(name, () => redemption(wanting, resource), WAIT_MS)
    } catch (error) {
      ending = await withoutLock(wanting, resource, error)
    }
    if (ending.type === 'overtaken') {
      const found = await records.read()
      // someone rotated the tokens of the same session: to revoke ours would end it for all
      if (found?.sessionId === sessionId) ending = { type: 'adopted' }
    }
    const record = records.current
    switch (ending.type) {
      case 'adopted':
        begunAt = 0
        quiet.delete(key)
        emit({ type: 'tokens-adopted', from: record?.by })
        return void ports.adopted(record)
      case 'rotated':
        begunAt = began
        quiet.delete(key)
        if (ending.unsaved) emit({ type: 'storage-degraded', message: ending.unsaved.message })
        ports.changed(record, sessionId)
        if (ending.refused) throw backOff(key, ending.refused, resource)
        return
      case 'ended':
        ports.changed(record, sessionId, ending.reason)
        throw new AuthorizationRequiredError(ending.reason)
      case 'overtaken':
        if (ending.spare) ports.revoke(ending.spare)
        ports.adopted(record, 'signed_out')
        throw new AuthorizationRequiredError(record ? 'replaced' : 'signed_out')
      case 'failed':
        if (ending.error === pause?.error) throw ending.error
        // told once, however long it lasts
        if (ending.error instanceof StorageError && !(pause?.error instanceof StorageError))
          emit({ type: 'storage-degraded', message: ending.error.message })
        throw backOff(key, ending.error, resource)
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
  ): Promise<Ending> => {
    if (!(error instanceof LatchkeyError)) throw error
    const found = error instanceof StorageError ? undefined : await records.read()
    const old = accessTokenOf(wanting, resource)?.accessToken
    return found && decide(found, clock.now(), old, resource).do === 'use'
      ? { type: 'adopted' }
      : { type: 'failed', error }
  }

  const backOff = (key: string, error: LatchkeyError, resource: string | undefined): LatchkeyError => {
    const failures = quiet.get(key)?.failures ?? 0
    const backoff =
      Math.min(BACKOFF_MS.first * 2 ** failures, BACKOFF_MS.longest) * (0.5 + ports.random() / 2)
    const asked = error instanceof NetworkError ? (error.retryAfterMs ?? 0) : 0
    const isOver = isFinal(error, resource)
    const from = isOver ? -Infinity : clock.now()
    const until = isOver ? Infinity : from + Math.max(backoff, asked)
    quiet.set(key, { from, until, error, failures: failures + 1 })
    return error
  }

  return {
    ready(resource) {
      const { current } = records
      const decision = decide(current, clock.now(), undefined, resource)
      // a refresh that was cut off does not wait for a call: a grace period may still cover it
      const due = decision.do === 'use' ? decision.due : decision.do === 'refresh' && current?.pending
      // beside the call: a failure is told by an event, and met again when the token is really needed
      if (due) flight(current as SessionRecord, resource).catch(() => {})
      return decision.do === 'use' ? decision.accessToken : undefined
    },

    async acquire({ rejected, resource, sessionId, signal } = {}) {
      signal?.throwIfAborted()
      // a call goes out in the session that it was made in, or not at all
      if (sessionId !== undefined && records.current && records.current.sessionId !== sessionId) {
        throw new AuthorizationRequiredError('replaced')
      }
      const decision = decide(records.current, clock.now(), rejected, resource)
      if (decision.do === 'use') return decision.accessToken
      if (decision.do === 'authorize') throw new AuthorizationRequiredError(decision.reason)
      const before = records.current as SessionRecord
      await abortable(flight(before, resource), signal)
      // as it came, even if it is over already: asking once more would not give a longer one
      const renewed = records.current
      if (!renewed) throw new AuthorizationRequiredError('signed_out')
      if (renewed.sessionId !== before.sessionId) throw new AuthorizationRequiredError('replaced')
      const found = accessTokenOf(renewed, resource)
      if (!found) throw new LockTimeoutError('Somebody else refreshed at the same moment. Try again.')
      return found.accessToken
    },

    begunAt: () => begunAt,

    end(reason, sessionId) {
      leaving.get(sessionId)?.abort(new AuthorizationRequiredError(reason))
      leaving.delete(sessionId)
    },

    wake() {
      for (const [key, { until }] of quiet) if (until !== Infinity) quiet.delete(key)
    },
  }
}
