import type { AuthorizationPorts, RefreshRequest, RefreshResult } from '../core/authorization.ts'
import { addFailure, isTooEarly, pause } from '../core/back-off.ts'
import { decide } from '../core/decide.ts'
import { judgeRefreshFailure, type RefreshesBefore } from '../core/grant-outcome.ts'
import { HOLD_MS, REQUESTS_MS } from '../core/lock-times.ts'
import type { WatchLeaving } from '../core/ports.ts'
import { accessTokenOf, runsGrant, type SessionRecord, sessionOf } from '../core/session.ts'
import { toError } from '../core/trouble.ts'
import { withTimeLimit } from '../core/waiting.ts'
import { type EndReason, LatchkeyError, NetworkError, StorageError } from '../errors.ts'
import type { Renewed } from './renewal.ts'

/** After `invalid_grant`, how long someone who won the race may still need to store what they got. */
const RACE_MS = 500

/** How often a rotation is tried to be stored, and how long apart. */
const STORE_TRIES = 3
const STORE_PAUSE_MS = 200
/** Between two tries to store later what could not be stored then. */
const SAVE_MS = 5000
/** Two refusals that are closer may have one passing cause. */
const REPEATS_MS = 10_000
/** A store that could not be read for so long is dead: others who share it do no better. */
const DEAD_MS = 10_000

export interface RedemptionPorts
  extends Pick<
    AuthorizationPorts,
    'records' | 'lock' | 'prefix' | 'realm' | 'clock' | 'now' | 'random' | 'hash' | 'changed' | 'adopted'
  > {
  /** What access tokens are given. Default: Bearer. */
  readonly tokenType?: 'dpop' | undefined
  /**
   * One token request: what its answer makes of this record.
   * @param resource for one API of `resources`.
   * @param signal asked for when the request is sent, and no sooner.
   */
  redeem(
    record: SessionRecord,
    resource: string | undefined,
    attempt: number,
    signal: () => AbortSignal,
  ): Promise<Renewed>
  /** Where there is a page that can be left. */
  readonly watchLeaving?: WatchLeaving | undefined
  /** Best effort: a refresh token that nobody may use any more. */
  revoke(refreshToken: string): void
}

/** What went before a refresh that fails. */
function before(record: SessionRecord, now: number, isForced = false): RefreshesBefore {
  const { tokens, trouble } = record
  const { expiresAt = 0, refreshAt = 0 } = tokens
  return {
    refusals: trouble && now - trouble.at >= REPEATS_MS ? trouble.refusals : 0,
    // one that is fresh is not renewed but for a 401, or because the app wants a newer one
    accessTokenExpired: now >= expiresAt || (now < refreshAt && !isForced),
    isGrant: runsGrant(record),
  }
}

const tooLong = () =>
  new NetworkError(`The refresh did not end within ${HOLD_MS / 1000} s. Try again.`, 'timeout')

const unsavedElsewhere = () =>
  new StorageError(
    'Another tab or client has refreshed the session and could not store the new tokens yet. Try again; if that lasts, free storage space and keep the other tabs open.',
  )

/**
 * What happens while the lock is held, steps 3 to 6 of a refresh: read again, mark, redeem, replace if unchanged. No code
 * of the app runs in here, and it ends in time.
 */
export function createRedemption(
  ports: RedemptionPorts,
): (wanting: RefreshRequest) => Promise<RefreshResult> {
  const { records, clock, lock } = ports
  const unsaved = `${ports.prefix} unsaved`
  let isKeeping = false
  /** Refresh tokens that the server refused, by their hash: they are never sent again. */
  const refused = new Map<string, EndReason>()

  let unreadableSince: number | undefined

  /** What the store holds. Where it cannot be read, what nobody else can have, or has had for long. */
  const readAgain = async (): Promise<SessionRecord | undefined> => {
    try {
      const found = sessionOf(await records.read())
      unreadableSince = undefined
      return found
    } catch (error) {
      const now = clock.now()
      unreadableSince ??= now
      const isOwn = records.current?.by === ports.realm && now - unreadableSince >= DEAD_MS
      if (error instanceof StorageError && (isOwn || records.isUnsaved)) return records.current
      throw error
    }
  }

  /** Whether the store holds something else by now. */
  const isChanged = async ({ sessionId, version }: SessionRecord): Promise<boolean> => {
    const again = await readAgain()
    return again?.sessionId !== sessionId || again.version !== version
  }

  const underLock = async (
    { record: wanting, resource, wokeAt, isForced }: RefreshRequest,
    held: () => AbortSignal,
    isLeaving: () => boolean,
  ): Promise<RefreshResult> => {
    const began = clock.now()
    const found = await readAgain()
    if (found?.sessionId !== wanting.sessionId) return { type: 'adopted' }
    const old = accessTokenOf(wanting, resource)?.accessToken
    const decision = decide(found, ports.now(), old, resource)
    if (decision.do === 'use') return { type: 'adopted' }
    if (decision.do === 'authorize') return { type: 'ended', reason: decision.reason }
    const { trouble } = found
    if (trouble && isTooEarly(trouble, clock.now(), wokeAt)) {
      return { type: 'failed', error: toError(trouble), noted: 'read' }
    }

    const tokenHash = await ports.hash(decision.refreshToken ?? '')
    const known = decision.refreshToken && refused.get(tokenHash)
    if (known) return end(found, known)
    // nothing has to be in the store for it: not even a mark, where all writes fail
    if (!records.isUnsaved && !isKeeping && (await lock.isHeld?.(unsaved)))
      return { type: 'failed', error: unsavedElsewhere() }
    const interrupted = found.pending?.tokenHash === tokenHash
    const marked: SessionRecord = { ...found, pending: { tokenHash, sentAt: clock.now() } }
    try {
      if (!(await records.replace(marked, found))) return { type: 'overtaken', unused: undefined }
    } catch (error) {
      // a store that can be read but not written keeps nobody from going on, from memory
      if (!(error instanceof StorageError)) throw error
      // that took its time, in which a rotation that somebody had in memory only may have been stored
      if (await isChanged(found)) return { type: 'overtaken', unused: undefined }
    }

    /** Told to all who share the store, unless it is about one API only. */
    const fail = async (
      error: LatchkeyError,
      isSpent: boolean,
      isRefusal: boolean,
    ): Promise<RefreshResult> => {
      const isShared = resource === undefined || error instanceof NetworkError
      const base = isSpent ? marked : found
      const next = isShared
        ? { ...base, trouble: addFailure(trouble, error, isRefusal, clock.now(), ports.random()) }
        : base
      const isStored = await records.replace(next, marked).catch(() => false)
      return { type: 'failed', error, noted: isShared && isStored && 'written' }
    }

    let spent = false
    for (let attempt = 1; ; attempt++) {
      if (held().aborted) return { type: 'failed', error: tooLong() }
      try {
        const { refused: error, ...renewed } = await ports.redeem(found, resource, attempt, held)
        const { tokens } = renewed
        // somebody else's tokens (OpenID Connect Core section 12.2)
        if (found.tokens.claims && tokens.claims?.sub !== found.tokens.claims.sub) {
          if (tokens.refreshToken) ports.revoke(tokens.refreshToken)
          return end(marked, 'subject_changed')
        }
        const next = {
          ...found,
          ...renewed,
          version: found.version + 1,
          by: ports.realm,
          tokenType: ports.tokenType,
          pending: undefined,
          trouble: undefined,
        }
        const isInTime = () => Math.abs(clock.now() - began) < REQUESTS_MS
        const ending = await store(next, marked, isInTime)
        return ending.type === 'rotated' ? { ...ending, refused: error } : ending
      } catch (error) {
        if (!(error instanceof LatchkeyError)) throw error
        const remainingMs = REQUESTS_MS - (clock.now() - began)
        const outcome = judgeRefreshFailure(error, attempt, remainingMs, before(found, clock.now(), isForced))
        if (outcome.do === 'end') {
          const reason = outcome.reason ?? (interrupted || spent ? 'refresh_interrupted' : 'expired')
          refused.set(tokenHash, reason)
          return invalidGrant(marked, reason)
        }
        spent ||= outcome.spent
        // what is sent from a page that is being left is answered to nobody: the next page tries again
        const isRefusal = outcome.do === 'keep' && outcome.refused
        if (outcome.do === 'keep' || isLeaving()) return fail(error, spent, isRefusal)
        await pause(clock, outcome.afterMs, held())
        // a holder that was frozen, and gone around, may have stored its answer meanwhile
        if (await isChanged(found).catch(() => false)) return { type: 'adopted' }
      }
    }
  }

  /** Tries again while the lock is held: whoever has it next would send the refresh token that is spent. */
  const store = async (
    next: SessionRecord,
    marked: SessionRecord,
    isInTime: () => boolean,
  ): Promise<RefreshResult> => {
    const overtaken = { type: 'overtaken', unused: next.tokens.refreshToken } as const
    for (let attempt = 1; ; attempt++) {
      try {
        return (await records.replace(next, marked)) ? { type: 'rotated' } : overtaken
      } catch (error) {
        if (!(error instanceof StorageError)) throw error
        if (records.current?.sessionId !== next.sessionId) return overtaken // signed out of here meanwhile
        if (attempt === STORE_TRIES || !isInTime()) {
          records.keep(next, marked)
          await keepUnsaved(next)
          return { type: 'rotated', unsaved: error }
        }
        await pause(clock, STORE_PAUSE_MS)
      }
    }
  }

  /**
   * Tries to store it later. Until then it holds a lock, so that nobody else sends the refresh token that is spent.
   * @returns when that lock is held, or is not to be had.
   */
  const keepUnsaved = ({ sessionId }: SessionRecord): Promise<void> =>
    new Promise(resolve => {
      if (isKeeping) return resolve()
      isKeeping = true
      const saving = async () => {
        resolve()
        while (records.isUnsaved) {
          await new Promise<void>(run => void clock.after(SAVE_MS, run, true))
          await records.read().catch(() => {})
        }
      }
      const saved = lock.isHeld ? lock.run(unsaved, saving, RACE_MS) : saving()
      void saved
        .catch(() => {})
        .then(() => {
          isKeeping = false
          resolve()
          if (sessionOf(records.stored)?.sessionId === sessionId) ports.changed(sessionId)
          else ports.adopted()
        })
    })

  /** Someone who won a race that the lock did not prevent may have stored what they got, or be about to. */
  const invalidGrant = async (marked: SessionRecord, reason: EndReason): Promise<RefreshResult> => {
    for (const waitMs of [0, RACE_MS]) {
      if (waitMs) await pause(clock, waitMs)
      const found = await readAgain()
      if (found?.sessionId !== marked.sessionId) return { type: 'overtaken', unused: undefined }
      if (found.tokens.refreshToken !== marked.tokens.refreshToken) return { type: 'adopted' }
    }
    return end(marked, reason)
  }

  const end = async (marked: SessionRecord, reason: EndReason): Promise<RefreshResult> => {
    try {
      if (await records.end(reason, marked)) return { type: 'ended', reason }
    } catch (error) {
      if (!(error instanceof StorageError)) throw error
      return { type: 'ended', reason } // what stays in the store is known to be refused
    }
    await records.read()
    return { type: 'adopted' }
  }

  return wanting => {
    const began = clock.now()
    const redeeming = new AbortController()
    const cancel = clock.after(REQUESTS_MS, () => redeeming.abort(tooLong()))
    const held = () => {
      // after a freeze the lock may be somebody else's, and the timer that would say so may not have fired yet
      if (Math.abs(clock.now() - began) >= REQUESTS_MS) redeeming.abort(tooLong())
      return redeeming.signal
    }
    const page = ports.watchLeaving?.()
    return withTimeLimit(
      clock,
      HOLD_MS,
      () => underLock(wanting, held, () => page?.isLeaving() ?? false),
      tooLong,
    ).finally(() => {
      cancel()
      page?.stop()
    })
  }
}
