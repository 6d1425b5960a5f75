import { HOLD_MS } from '../../src/core/lock-times.ts'
import { isLeased, type Parameters } from './parameters.ts'
import type { Realm } from './realm.ts'

/** The longest time between a holder's last read of the store and its token request. */
const LATE_MS = 500

/** One refresh token sent once to the token endpoint. */
export interface Presentation {
  readonly refreshToken: string
  readonly by: Realm
  readonly sentAt: number
  /** When its sender acquired the lock, unless that is a lease. */
  readonly lockedAt: number
  /** The result that its sender has: none yet, a token response, `invalid_grant`, another failure, or it gave up. */
  state: 'waiting' | 'answered' | 'refused' | 'failed' | 'given up'
  /** The refresh token in the server's response. */
  granted: string | undefined
  /** It is, or was, in the store. */
  stored: boolean
  storedAt: number
  /** Its sender does not need it: another session has replaced this one in the store. */
  dropped: boolean
}

export interface Presentations {
  send(by: Realm, refreshToken: string, now: number): Presentation
  stored(refreshToken: string | undefined, now: number): void
  /** Its client revokes it. */
  dropped(refreshToken: string): void
  /** That realm has left the session by its own sign-out or sign-in: what it had only in memory is gone. */
  left(realm: Realm, sessionId: string): void
  /** It was restored by a client that could not know its state. */
  forget(refreshToken: string | undefined): void
  /** Whether the server rejected it, or rejected `by` the successor that `by` received and could not store. */
  isRefused(refreshToken: string | undefined, by?: Realm): boolean
  /** Whether the server rejected any refresh token of that session. */
  hasRefused(sessionId: string): boolean
  /** Whether an earlier response for the same refresh token, with a rotation, was lost. */
  wasInterrupted(refused: Presentation): boolean
}

/**
 * Records who sent which refresh token when, and finds the ones that should not have been sent.
 * @param failedSince whether a storage call of that realm failed after that moment.
 * @param wrong called if nothing excuses a presentation.
 */
export function createPresentations(
  parameters: Parameters,
  failedSince: (realm: Realm, at: number) => boolean,
  wrong: (what: string) => void,
): Presentations {
  const all = new Map<string, Presentation[]>()
  const refused = new Set<string>()

  /** Why it was correct to send again what `earlier` had sent; `undefined` if it was not. */
  const excuse = (earlier: Presentation, now: number, by: Realm): string | undefined => {
    const { state, by: sender, sentAt, lockedAt } = earlier
    if (state === 'failed' || state === 'given up') return 'no answer'
    // it may be stored while the next holder works: after a freeze its hold has ended, and a response that could not be stored
    // at first is tried again, with nothing that says so if the lock is a lease
    const wasStoredLate = now - earlier.storedAt < LATE_MS
    if (state === 'answered' && earlier.stored) {
      if (wasStoredLate && sender.wasFrozenSince(sentAt)) return 'freeze'
      // the next holder has read the store before it was frozen, and sends as soon as it thaws
      if (by.wasFrozenSince(Math.max(earlier.storedAt, now - LATE_MS))) return 'freeze'
      return wasStoredLate && isLeased(parameters) && failedSince(sender, sentAt) ? 'storage' : undefined
    }
    if (sender.state === 'dead') return 'crash'
    // a frozen holder's lease expires; a client that waits for its Web Lock bypasses it after the longest hold
    const isOverdue = isLeased(parameters) || state !== 'waiting' || now - lockedAt > HOLD_MS
    if (isOverdue && sender.wasFrozenSince(sentAt)) return 'freeze'
    // with a response only in memory, it holds a lock that says so; a lease cannot be written either then
    const isKept =
      state === 'answered' && !earlier.dropped && !refused.has(earlier.granted ?? '') && !isLeased(parameters)
    if (state !== 'waiting' && !isKept && failedSince(sender, sentAt)) return 'storage'
    return undefined
  }

  const isRefused = (refreshToken: string, by?: Realm): boolean => {
    if (refused.has(refreshToken)) return true
    const kept = (all.get(refreshToken) ?? []).filter(one => one.by === by && one.granted && !one.stored)
    return kept.some(one => one.state === 'answered' && isRefused(one.granted ?? '', by))
  }

  return {
    send(by, refreshToken, now) {
      const earlier = all.get(refreshToken) ?? []
      for (const one of earlier) {
        if (excuse(one, now, by)) continue
        const what = `sent by ${one.by.id} at ${one.sentAt} ms (${one.state}${one.stored ? ', stored' : ''})`
        wrong(`${by.id} sends ${refreshToken}, which was ${what}`)
      }
      const presentation: Presentation = {
        refreshToken,
        by,
        sentAt: now,
        lockedAt: by.lockedAt,
        granted: undefined,
        stored: false,
        storedAt: -1,
        dropped: false,
        get state() {
          return state
        },
        set state(next) {
          state = next
          if (next === 'refused') refused.add(refreshToken)
        },
      }
      let state: Presentation['state'] = 'waiting'
      all.set(refreshToken, [...earlier, presentation])
      return presentation
    },
    stored(refreshToken, now) {
      for (const list of all.values()) {
        for (const one of list) {
          if (one.granted !== refreshToken) continue
          if (!one.stored) one.storedAt = now
          one.stored = true
        }
      }
    },
    left(realm, sessionId) {
      for (const list of all.values()) {
        for (const one of list) {
          if (one.by === realm && !one.stored && one.refreshToken.startsWith(`${sessionId}.`))
            one.dropped = true
        }
      }
    },
    dropped(refreshToken) {
      for (const list of all.values()) {
        for (const one of list) if (one.granted === refreshToken) one.dropped = true
      }
    },
    forget(refreshToken = '') {
      all.delete(refreshToken)
      refused.delete(refreshToken)
    },
    isRefused: (refreshToken, by) => refreshToken !== undefined && isRefused(refreshToken, by),
    hasRefused: sessionId => [...refused].some(one => one.startsWith(`${sessionId}.`)),
    wasInterrupted: ({ refreshToken, sentAt }) =>
      (all.get(refreshToken) ?? []).some(
        one => one.sentAt < sentAt && one.granted !== undefined && one.state !== 'answered',
      ),
  }
}
