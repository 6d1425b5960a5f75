import { decide } from '../core/decide.ts'
import type { Emit } from '../core/events.ts'
import { judgeRefreshFailure } from '../core/grant-outcome.ts'
import type { Clock, Lock } from '../core/ports.ts'
import type { SessionRecord } from '../core/session.ts'
import { abortable, pause, withTimeLimit } from '../core/time-limit.ts'
import type { TokenSet } from '../core/token-set.ts'
import {
  AuthorizationRequiredError,
  type EndReason,
  LatchkeyError,
  NetworkError,
  StorageError,
} from '../errors.ts'
import { singleFlight } from './single-flight.ts'

/** How long the lock is held at most: all attempts, the store's writes, and aborts. */
const HOLD_MS = 12_000
/** How long it is waited for at most: longer than anybody holds it. */
const WAIT_MS = 15_000
/** Left over from the hold for the write that makes a rotation durable. */
const WRITE_MS = 2500
/** After `invalid_grant`, how long someone who won the race may still need to store what they got. */
const RACE_MS = 500
/** Pauses between refreshes that fail one after the other. */
const BACKOFF_MS = { first: 500, longest: 30_000 }

/** What the refresher asks of the store part. */
export interface SessionRecords {
  readonly current: SessionRecord | undefined
  read(): Promise<SessionRecord | undefined>
  replace(next: SessionRecord, unchanged: SessionRecord): Promise<boolean>
  keep(next: SessionRecord, unchanged: SessionRecord): void
  clear(unchanged: SessionRecord): Promise<SessionRecord | undefined>
  forget(): void
}

export interface RefresherPorts {
  readonly records: SessionRecords
  readonly lock: Lock
  /** Of the lock. */
  readonly name: string
  /** Who this is, for the record. */
  readonly context: string
  readonly clock: Clock
  readonly emit: Emit
  /** Whatever a token request needs, fetched before the lock is taken. */
  prepare(): Promise<unknown>
  /** One token request: what its answer makes of these tokens. */
  redeem(tokens: TokenSet, attempt: number, signal: AbortSignal): Promise<TokenSet>
  /** A digest that tells refresh tokens apart without giving them away. */
  hash(text: string): Promise<string>
  /** From 0 to 1: spreads what would otherwise happen everywhere at once. */
  random(): number
  /** Best effort: a refresh token that nobody may use any more. */
  revoke(refreshToken: string): void
  /** The record was changed here, or is gone for this reason: tell this realm and the others. Outside the lock. */
  changed(record: SessionRecord | undefined, sessionId: string, reason?: EndReason): void
  /** The record was changed by someone else: tell this realm. Outside the lock. */
  adopted(record: SessionRecord | undefined, reason?: EndReason): void
}

/** How a refresh ended, told after the lock was let go. */
type Ending =
  | { readonly type: 'adopted' }
  | { readonly type: 'rotated'; readonly unsaved?: StorageError }
  | { readonly type: 'ended'; readonly reason: EndReason }
  | { readonly type: 'overtaken'; readonly spare: string | undefined }
  | { readonly type: 'failed'; readonly error: LatchkeyError }

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
  end(reason: EndReason): void
  /** The network or the user came back: what failed may be tried at once. */
  wake(): void
}

export function createRefresher(ports: RefresherPorts): Refresher {
  const { records, lock, name, clock, emit } = ports
  const share = singleFlight<void>()
  const refused = new Set<string>()
  let leaving = new AbortController()
  let failures = 0
  let quiet: { from: number; until: number; error: LatchkeyError } | undefined

  const refresh = async (): Promise<void> => {
    const wanting = records.current
    if (!wanting) throw new AuthorizationRequiredError('no_session')
    const { sessionId } = wanting
    let ending: Ending
    try {
      // a clock that was set back must not make a pause last
      const now = clock.now()
      if (quiet && quiet.from <= now && now < quiet.until) throw quiet.error
      await ports.prepare()
      ending = await lock.run(name, () => held(wanting), WAIT_MS)
    } catch (error) {
      ending = await withoutLock(wanting, error)
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
        await records.read()
        // the same session under a newer record: to revoke anything of it would end it
        if (records.current?.sessionId === sessionId) return void ports.adopted(records.current)
        if (ending.spare) ports.revoke(ending.spare)
        ports.adopted(records.current, 'signed_out')
        throw new AuthorizationRequiredError(records.current ? 'replaced' : 'signed_out')
      case 'failed':
        if (ending.error !== quiet?.error) backOff(ending.error)
        throw ending.error
    }
  }

  /** Shared by all who wait in this realm, and over for them as soon as the session is. */
  const flight = () => share('refresh', () => abortable(refresh(), leaving.signal))

  /** It is too early to try again, or the lock was not to be had. Someone else may have done the work. */
  const withoutLock = async (wanting: SessionRecord, error: unknown): Promise<Ending> => {
    if (!(error instanceof LatchkeyError)) throw error
    const found = error instanceof StorageError ? undefined : await records.read()
    return found && decide(found, clock.now(), wanting.tokens.accessToken).do === 'use'
      ? { type: 'adopted' }
      : { type: 'failed', error }
  }

  const held = (wanting: SessionRecord): Promise<Ending> =>
    withTimeLimit(
      clock,
      HOLD_MS,
      signal => underLock(wanting, signal, clock.now() + HOLD_MS - WRITE_MS),
      () => new NetworkError(`The refresh did not end within ${HOLD_MS / 1000} s. Try again.`, 'timeout'),
    )

  /** Steps 3 to 6: read again, mark, redeem, replace if unchanged. No code of the app runs in here. */
  const underLock = async (
    wanting: SessionRecord,
    signal: AbortSignal,
    redeemUntil: number,
  ): Promise<Ending> => {
    const found = await records.read()
    if (found?.sessionId !== wanting.sessionId)
      return { type: 'ended', reason: found ? 'replaced' : 'signed_out' }
    const decision = decide(found, clock.now(), wanting.tokens.accessToken)
    if (decision.do === 'use') return { type: 'adopted' }
    if (decision.do === 'authorize') return { type: 'ended', reason: decision.reason }

    const tokenHash = await ports.hash(decision.refreshToken)
    if (refused.has(tokenHash)) return end(found, 'expired')
    const interrupted = found.pending?.tokenHash === tokenHash
    const marked: SessionRecord = { ...found, pending: { tokenHash, sentAt: clock.now() } }
    if (!(await records.replace(marked, found))) return { type: 'overtaken', spare: undefined }

    for (let attempt = 1; ; attempt++) {
      try {
        const tokens = await ports.redeem(found.tokens, attempt, signal)
        // somebody else's tokens (OpenID Connect Core section 12.2)
        if (found.tokens.claims && tokens.claims?.sub !== found.tokens.claims.sub) {
          if (tokens.refreshToken) ports.revoke(tokens.refreshToken)
          return end(marked, 'subject_changed')
        }
        return await store(
          { ...found, version: found.version + 1, tokens, by: ports.context, pending: undefined },
          marked,
        )
      } catch (error) {
        if (!(error instanceof LatchkeyError)) throw error
        const outcome = judgeRefreshFailure(error, attempt, redeemUntil - clock.now())
        if (outcome.do === 'end') {
          refused.add(tokenHash)
          return invalidGrant(marked, interrupted || attempt > 1 ? 'refresh_interrupted' : 'expired', signal)
        }
        if (outcome.do === 'keep') {
          if (!outcome.spent) await records.replace(found, marked)
          return { type: 'failed', error }
        }
        await pause(clock, outcome.afterMs, signal)
      }
    }
  }

  const store = async (next: SessionRecord, marked: SessionRecord): Promise<Ending> => {
    try {
      const stored = await records.replace(next, marked)
      return stored ? { type: 'rotated' } : { type: 'overtaken', spare: next.tokens.refreshToken }
    } catch (error) {
      if (!(error instanceof StorageError)) throw error
      records.keep(next, marked)
      return { type: 'rotated', unsaved: error }
    }
  }

  /** Someone who won a race that the lock did not prevent may have stored what they got, or be about to. */
  const invalidGrant = async (
    marked: SessionRecord,
    reason: EndReason,
    signal: AbortSignal,
  ): Promise<Ending> => {
    for (const waitMs of [0, RACE_MS]) {
      if (waitMs) await pause(clock, waitMs, signal)
      const found = await records.read()
      if (found?.sessionId !== marked.sessionId) return { type: 'overtaken', spare: undefined }
      if (found.tokens.refreshToken !== marked.tokens.refreshToken) return { type: 'adopted' }
    }
    return end(marked, reason)
  }

  const end = async (marked: SessionRecord, reason: EndReason): Promise<Ending> => {
    try {
      if (await records.clear(marked)) return { type: 'ended', reason }
    } catch (error) {
      if (!(error instanceof StorageError)) throw error
      records.forget() // what stays in the store is known to be refused
      return { type: 'ended', reason }
    }
    await records.read()
    return { type: 'adopted' }
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
      const decision = decide(records.current, clock.now())
      if (decision.do !== 'use') return undefined
      // beside the call: a failure is told by an event, and met again when the token is really needed
      if (decision.due) flight().catch(() => {})
      return decision.accessToken
    },

    async acquire({ rejected, signal } = {}) {
      signal?.throwIfAborted()
      const decision = decide(records.current, clock.now(), rejected)
      if (decision.do === 'use') return decision.accessToken
      if (decision.do === 'authorize') throw new AuthorizationRequiredError(decision.reason)
      const before = records.current
      await abortable(flight(), signal)
      // as it came, even if it is over already: asking once more would not give a longer one
      const renewed = records.current
      if (!renewed) throw new AuthorizationRequiredError('signed_out')
      if (renewed.sessionId !== before?.sessionId) throw new AuthorizationRequiredError('replaced')
      return renewed.tokens.accessToken
    },

    end(reason) {
      leaving.abort(new AuthorizationRequiredError(reason))
      leaving = new AbortController()
    },

    wake: calm,
  }
}
