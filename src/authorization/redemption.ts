import type {
  AuthorizationPorts,
  RefreshRequest,
  RefreshResult,
  SessionWrites,
} from '../core/authorization.ts'
import { pause } from '../core/back-off.ts'
import { canRenew } from '../core/decide.ts'
import { judgeRefreshFailure, type RefreshesBefore } from '../core/grant-outcome.ts'
import type { EpochMs, WatchLeaving } from '../core/ports.ts'
import { runsGrant, type SessionRecord, sessionOf } from '../core/session.ts'
import { type EndReason, LatchkeyError, StorageError } from '../errors.ts'
import { type Hold, tooLong, withinHold } from './hold.ts'
import { endSession, endUnlessRotated, keepSession, pausedBy } from './redemption-failure.ts'
import { isRefreshed } from './refresh-attempt.ts'
import type { Renewed } from './renewal.ts'
import { isSameVersion } from './session-writes.ts'
import { createRotations, unsavedElsewhere } from './unsaved-rotation.ts'

/** Two refusals within this time may have the same temporary cause. */
const REPEATS_MS = 10_000
/** A store that has been unreadable for this long is broken: the other clients cannot read it either. */
const DEAD_MS = 10_000

export interface RedemptionPorts
  extends Pick<
    AuthorizationPorts,
    'records' | 'lock' | 'prefix' | 'realm' | 'clock' | 'now' | 'random' | 'hash' | 'changed' | 'adopted'
  > {
  readonly writes: SessionWrites
  /** The type of the access tokens. Default: Bearer. */
  readonly tokenType?: 'dpop' | undefined
  /**
   * Sends one token request.
   * @param resource the API in `resources`, if the request is for one.
   * @param signal called when the request is sent, not earlier.
   * @returns the tokens of the record after the response.
   */
  redeem(
    record: SessionRecord,
    resource: string | undefined,
    attempt: number,
    signal: () => AbortSignal,
  ): Promise<Renewed>
  /** Set if there is a page that the user can leave. */
  readonly watchLeaving?: WatchLeaving | undefined
  /** Revokes a refresh token that nobody will use, without waiting for it. */
  revoke(refreshToken: string): void
}

function refreshesBefore(record: SessionRecord, now: EpochMs, isForced = false): RefreshesBefore {
  const { tokens, trouble } = record
  const { expiresAt = 0, refreshAt = 0 } = tokens
  return {
    refusals: trouble && now - trouble.at >= REPEATS_MS ? trouble.refusals : 0,
    // a fresh access token is refreshed only after a 401, or because the app asked for a newer one
    accessTokenExpired: now >= expiresAt || (now < refreshAt && !isForced),
    isGrant: runsGrant(record),
  }
}

/** Reads and marks the record under the lock. If the store fails, decides how far the record in memory can be trusted. */
function createMark({
  records,
  writes,
  clock,
  realm,
}: Pick<RedemptionPorts, 'records' | 'writes' | 'clock' | 'realm'>) {
  let unreadableSince: EpochMs | undefined

  /** If the store cannot be read, returns a record in memory that no other client can have replaced. */
  const readAgain = async (): Promise<SessionRecord | undefined> => {
    try {
      const found = sessionOf(await records.read())
      unreadableSince = undefined
      return found
    } catch (error) {
      const now = clock.now()
      unreadableSince ??= now
      const isOwn = records.current?.by === realm && now - unreadableSince >= DEAD_MS
      if (error instanceof StorageError && (isOwn || records.unsaved)) return records.current
      throw error
    }
  }

  /** @returns whether the store still held `found`. */
  const mark = async (marked: SessionRecord, found: SessionRecord): Promise<boolean> => {
    try {
      return await writes.replace(marked, found)
    } catch (error) {
      // if the store can only be read, the refresh continues in memory
      if (!(error instanceof StorageError)) throw error
      // the failed write took time, in which another client may have stored a rotation that was only in its memory
      return isSameVersion(await readAgain(), found)
    }
  }

  return { readAgain, mark }
}

/**
 * Refreshes while the lock is held: reads again, marks the record, redeems the refresh token, and replaces the record if it
 * is unchanged. No code of the app runs in here, and it ends in time.
 */
export function createRedemption(
  ports: RedemptionPorts,
): (request: RefreshRequest) => Promise<RefreshResult> {
  const { clock } = ports
  const { readAgain, mark } = createMark(ports)
  const rotations = createRotations(ports)
  /** Refresh tokens that the server refused, by their hash: this client never sends them again. */
  const refused = new Map<string, EndReason>()

  const redeem = async (
    { resource, isForced }: RefreshRequest,
    found: SessionRecord,
    marked: SessionRecord,
    tokenHash: string,
    hold: Hold,
  ): Promise<Renewed | RefreshResult> => {
    let isSpent = false
    for (let attempt = 1; ; attempt++) {
      if (hold.signal().aborted) return { type: 'failed', error: tooLong() }
      try {
        return await ports.redeem(found, resource, attempt, hold.signal)
      } catch (error) {
        if (!(error instanceof LatchkeyError)) throw error
        const before = refreshesBefore(found, clock.now(), isForced)
        const outcome = judgeRefreshFailure(error, attempt, hold.remainingMs(), before)
        if (outcome.do === 'end') {
          const isInterrupted = isSpent || found.pending?.tokenHash === tokenHash
          const reason = outcome.reason ?? (isInterrupted ? 'refresh_interrupted' : 'expired')
          refused.set(tokenHash, reason)
          return endUnlessRotated(ports, readAgain, marked, reason)
        }
        isSpent ||= outcome.spent
        // a page that the user is leaving does not get the response: the next page retries
        const isRefusal = outcome.do === 'keep' && outcome.refused
        if (outcome.do === 'keep' || hold.page?.isLeaving())
          return keepSession(ports, marked, isSpent ? marked : found, error, isRefusal, resource)
        await pause(clock, outcome.afterMs, hold.signal())
        // a holder that was frozen, and lost the lock to this client, may have stored its response meanwhile
        if (!isSameVersion(await readAgain().catch(() => found), found)) return { type: 'adopted' }
      }
    }
  }

  const underLock = async (request: RefreshRequest, hold: Hold): Promise<RefreshResult> => {
    const { record, resource, wokeAt } = request
    const found = await readAgain()
    if (!found || isRefreshed(found, record, resource, ports.now())) return { type: 'adopted' }
    if (!canRenew(found)) return { type: 'ended', reason: 'no_refresh_token' }
    const paused = pausedBy(found, clock.now(), wokeAt)
    if (paused) return paused

    const { refreshToken } = found.tokens
    const tokenHash = await ports.hash(refreshToken ?? '')
    const known = refreshToken && refused.get(tokenHash)
    if (known) return endSession(ports, found, known)
    if (await rotations.isUnsavedElsewhere()) return { type: 'failed', error: unsavedElsewhere() }

    const marked = { ...found, pending: { tokenHash, sentAt: clock.now() } }
    if (hold.signal().aborted || !(await mark(marked, found))) {
      // this client was stopped, and its lock ran out: another client may have marked the record, and its mark stays
      if (isSameVersion(await readAgain(), found)) return { type: 'failed', error: tooLong() }
      return { type: 'overtaken', unused: undefined }
    }
    const redeemed = await redeem(request, found, marked, tokenHash, hold)
    if ('type' in redeemed) return redeemed
    const { refused: error, ...renewed } = redeemed
    const { claims, refreshToken: unused } = renewed.tokens
    // tokens of another user (OpenID Connect Core section 12.2)
    if (found.tokens.claims && claims?.sub !== found.tokens.claims.sub) {
      if (unused) ports.revoke(unused)
      return endSession(ports, marked, 'subject_changed')
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
    const result = await rotations.store(next, marked, hold)
    return result.type === 'rotated' ? { ...result, refused: error } : result
  }

  return request => withinHold(clock, ports.watchLeaving, hold => underLock(request, hold))
}
