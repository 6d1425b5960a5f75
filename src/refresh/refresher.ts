import { decide } from '../core/decide.ts'
import type { Emit } from '../core/events.ts'
import type { Lock } from '../core/ports.ts'
import type { SessionRecord } from '../core/session.ts'
import { abortable, WAIT_MS } from '../core/time-limit.ts'
import {
  AuthorizationRequiredError,
  type EndReason,
  LatchkeyError,
  NetworkError,
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

export interface Refresher {
  /** A usable access token from memory, or `undefined`. Costs nothing; begins a refresh beside it when one is due. */
  ready(): string | undefined
  /**
   * A usable access token, after a refresh if there is none.
   * @param rejected the access token that a 401 came back for.
   * @throws AuthorizationRequiredError, NetworkError, ServerError, StorageError, LockTimeoutError; `signal.reason`.
   */
  acquire(options?: { rejected?: string; signal?: AbortSignal | null }): Promise<string>
  /** The session is over: who waits for its refresh is told at once, and what the refresh brings is dropped. */
  end(reason: EndReason, sessionId: string): void
  /** The network or the user came back: what failed may be tried at once. */
  wake(): void
}

export function createRefresher(ports: RefresherPorts): Refresher {
  const { records, lock, name, clock, emit } = ports
  const redemption = createRedemption(ports)
  const share = singleFlight<void>()
  const leaving = new Map<string, AbortController>()
  let failures = 0
  let quiet: { from: number; until: number; error: LatchkeyError } | undefined

  const refresh = async (wanting: SessionRecord): Promise<void> => {
    const { sessionId } = wanting
    let ending: Ending
    try {
      // a clock that was set back must not make a pause last
      const now = clock.now()
      if (quiet && quiet.from <= now && now < quiet.until) throw quiet.error
      await ports.prepare()
      ending = await lock.run(name, () => redemption(wanting), WAIT_MS)
    } catch (error) {
      ending = await withoutLock(wanting, error)
    }
    if (ending.type === 'overtaken') {
      const found = await records.read()
      // someone rotated the tokens of the same session: to revoke ours would end it for all
      if (found?.sessionId === sessionId) ending = { type: 'adopted' }
    }
    const record = records.current
    switch (ending.type) {
      case 'adopted':
        calm()
        emit({ type: 'tokens-adopted', from: record?.by })
        return void ports.adopted(record)
      case 'rotated':
        calm()
        if (ending.unsaved) emit({ type: 'storage-degraded', message: ending.unsaved.message })
        return ports.changed(record, sessionId)
      case 'ended':
        ports.changed(record, sessionId, ending.reason)
        throw new AuthorizationRequiredError(ending.reason)
      case 'overtaken':
        if (ending.spare) ports.revoke(ending.spare)
        ports.adopted(record, 'signed_out')
        throw new AuthorizationRequiredError(record ? 'replaced' : 'signed_out')
      case 'failed':
        if (ending.error !== quiet?.error) backOff(ending.error)
        throw ending.error
    }
  }

  /** Shared by all who wait in this realm, and over for them as soon as the session is. */
  const flight = (wanting: SessionRecord) =>
    share(wanting.sessionId, () => {
      const controller = new AbortController()
      leaving.set(wanting.sessionId, controller)
      return abortable(refresh(wanting), controller.signal).finally(() => leaving.delete(wanting.sessionId))
    })

  /** It is too early to try again, or the lock was not to be had. Someone else may have done the work. */
  const withoutLock = async (wanting: SessionRecord, error: unknown): Promise<Ending> => {
    if (!(error instanceof LatchkeyError)) throw error
    const found = error instanceof StorageError ? undefined : await records.read()
    return found && decide(found, clock.now(), wanting.tokens.accessToken).do === 'use'
      ? { type: 'adopted' }
      : { type: 'failed', error }
  }

  const backOff = (error: LatchkeyError) => {
    if (!error.retryable) return
    const backoff =
      Math.min(BACKOFF_MS.first * 2 ** failures++, BACKOFF_MS.longest) * (0.5 + ports.random() / 2)
    const asked = error instanceof NetworkError ? (error.retryAfterMs ?? 0) : 0
    const from = clock.now()
    quiet = { from, until: from + Math.max(backoff, asked), error }
  }

  const calm = () => {
    failures = 0
    quiet = undefined
  }

  return {
    ready() {
      const { current } = records
      const decision = decide(current, clock.now())
      // a refresh that was cut off does not wait for a call: a grace period may still cover it
      const due = decision.do === 'use' ? decision.due : decision.do === 'refresh' && current?.pending
      // beside the call: a failure is told by an event, and met again when the token is really needed
      if (due) flight(current as SessionRecord).catch(() => {})
      return decision.do === 'use' ? decision.accessToken : undefined
    },

    async acquire({ rejected, signal } = {}) {
      signal?.throwIfAborted()
      const decision = decide(records.current, clock.now(), rejected)
      if (decision.do === 'use') return decision.accessToken
      if (decision.do === 'authorize') throw new AuthorizationRequiredError(decision.reason)
      const before = records.current as SessionRecord
      await abortable(flight(before), signal)
      // as it came, even if it is over already: asking once more would not give a longer one
      const renewed = records.current
      if (!renewed) throw new AuthorizationRequiredError('signed_out')
      if (renewed.sessionId !== before.sessionId) throw new AuthorizationRequiredError('replaced')
      return renewed.tokens.accessToken
    },

    end(reason, sessionId) {
      leaving.get(sessionId)?.abort(new AuthorizationRequiredError(reason))
    },

    wake: calm,
  }
}
