import type { EndReason } from '../errors.ts'
import { decide } from './decide.ts'
import type { EpochMs } from './ports.ts'
import {
  type EndedSession,
  endOf,
  type Session,
  type SessionRecord,
  type Stored,
  sessionOf,
} from './session.ts'
import { toError } from './trouble.ts'

/** Where the session of one realm stands. `reason`: why the last one ended. */
export type SessionState =
  | { readonly status: 'starting' }
  | { readonly status: 'signed-out'; readonly reason?: EndReason }
  | { readonly status: 'signing-in'; readonly reason?: EndReason }
  | { readonly status: 'signed-in'; readonly record: SessionRecord }
  /** `isOwn`: of this realm, so that nothing which is read ends it. */
  | { readonly status: 'signing-out'; readonly isOwn: boolean }

/** What happens to it. */
export type SessionEvent =
  /** The store was read, or written by this realm; `isOver`: what it says of a sign-out under way no longer counts. */
  | { readonly type: 'stored'; readonly stored: Stored; readonly now: EpochMs; readonly isOver?: boolean }
  /** A sign-in of this realm begins, and ends in whatever way. */
  | { readonly type: 'sign-in-began' }
  | { readonly type: 'sign-in-ended' }
  /** A sign-out of this realm begins. The next `stored` with `isOver` ends it. */
  | { readonly type: 'sign-out-began' }

const reasonOf = (state: SessionState): EndReason | undefined =>
  'reason' in state ? state.reason : undefined

/** How long a sign-out is shown as under way at most: the server's answers, then the way to the provider. */
export const LEAVING_MS = 20_000

/** @returns how long the page that signs out may still need. A time that is further ahead is of a clock that was set back. */
export const leavingMs = (ended: EndedSession | undefined, now: EpochMs): number => {
  const left = (ended?.leavingUntil ?? now) - now
  return left > LEAVING_MS ? 0 : left
}

/** The state that a stored value stands for, beside any sign-in or sign-out of this realm. */
function restored(
  before: SessionState,
  { stored, now, isOver }: Extract<SessionEvent, { type: 'stored' }>,
): SessionState {
  const ended = endOf(stored)
  if (leavingMs(ended, now) > 0 && !isOver) return { status: 'signing-out', isOwn: false }
  if (ended) return { status: 'signed-out', reason: ended.ended }
  const record = sessionOf(stored)
  if (record && !record.tokens.accessToken && !record.resources) return { status: 'signed-out' }
  if (record) {
    // what cannot be used without the user is as good as nothing, but it is not removed: only a clock says so
    const decision = decide(record, now)
    return decision.do === 'authorize'
      ? { status: 'signed-out', reason: decision.reason }
      : { status: 'signed-in', record }
  }
  if (stored) return { status: 'signed-out', reason: 'unusable_record' }
  // gone without a word: somebody cleared the store
  const isGone = before.status === 'signed-in' || before.status === 'signing-out'
  return { status: 'signed-out', reason: isGone ? 'signed_out' : reasonOf(before) }
}

/** The one place where a session changes its state. */
export function transition(state: SessionState, event: SessionEvent): SessionState {
  switch (event.type) {
    case 'stored': {
      if (state.status === 'signing-out' && state.isOwn && !event.isOver) return state
      const next = restored(state, event)
      return state.status === 'signing-in' && next.status === 'signed-out'
        ? { status: 'signing-in', reason: next.reason }
        : next
    }
    case 'sign-in-began':
      return state.status === 'signed-out' ? { status: 'signing-in', reason: state.reason } : state
    case 'sign-in-ended':
      return state.status === 'signing-in' ? { status: 'signed-out', reason: state.reason } : state
    case 'sign-out-began':
      return { status: 'signing-out', isOwn: true }
  }
}

/** Whether an app would see a difference. */
export function isSameState(one: SessionState, other: SessionState): boolean {
  if (one.status !== other.status || reasonOf(one) !== reasonOf(other)) return false
  if (one.status !== 'signed-in' || other.status !== 'signed-in') return true
  const [a, b] = [one.record, other.record]
  return a.sessionId === b.sessionId && a.version === b.version && a.trouble?.at === b.trouble?.at
}

/** What an app can change must not be what the session lives on. */
function frozen<T>(whole: T): T {
  const parts: unknown[] = [whole]
  for (const part of parts) {
    if (typeof part !== 'object' || !part || Object.isFrozen(part)) continue
    for (const inner of Object.values(Object.freeze(part))) parts.push(inner)
  }
  return whole
}

const signedIn = ({ tokens, requested = '', trouble }: SessionRecord): Session => {
  const scope = tokens.scope.split(' ').filter(Boolean)
  const missing = requested.split(' ').filter(name => name && !scope.includes(name))
  return {
    status: 'signed-in',
    claims: frozen(tokens.claims),
    scope: Object.freeze(scope),
    ...(missing.length && { missingScope: Object.freeze(missing) }),
    accessTokenExpiresAt: tokens.expiresAt,
    ...(trouble && { trouble: Object.freeze({ since: trouble.since, error: toError(trouble) }) }),
  }
}

/** The snapshot for a state. */
export function toSession(state: SessionState): Session {
  const { status } = state
  if (status === 'signed-in') return Object.freeze(signedIn(state.record))
  return Object.freeze('reason' in state ? { status, reason: state.reason } : { status })
}
