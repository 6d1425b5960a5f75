import type { EndReason } from '../errors.ts'
import { expiredByLocalClock } from './decide.ts'
import type { EpochMs } from './ports.ts'
import {
  type EndedSession,
  endedSessionOf,
  type Session,
  type SessionRecord,
  type Stored,
  sessionOf,
} from './session.ts'
import { toError } from './trouble.ts'

/** The state of one client's session. `reason`: why the last session ended. */
export type SessionState =
  | { readonly status: 'starting' }
  | { readonly status: 'signed-out'; readonly reason?: EndReason }
  | { readonly status: 'signing-in'; readonly reason?: EndReason }
  | { readonly status: 'signed-in'; readonly record: SessionRecord }
  /** `isOwn`: this client signs out, so no value from the store ends this state. */
  | { readonly status: 'signing-out'; readonly isOwn: boolean }

/** The events that change the state. */
export type SessionEvent =
  /** This client has read or written the store. `isOver`: ignore that the stored value shows a sign-out in progress. */
  | { readonly type: 'stored'; readonly stored: Stored; readonly now: EpochMs; readonly isOver?: boolean }
  /** A sign-in of this client has begun, and has succeeded or failed. */
  | { readonly type: 'sign-in-began' }
  | { readonly type: 'sign-in-ended' }
  /** A sign-out of this client has begun. The next `stored` with `isOver` ends it. */
  | { readonly type: 'sign-out-began' }

/** Why the last session ended, if that is known. */
export const reasonOf = (state: SessionState | Session): EndReason | undefined =>
  'reason' in state ? state.reason : undefined

/** The longest time to show `signing-out`: while the server responds, then while the page navigates to the provider. */
export const LEAVING_MS = 20_000

/** @returns how many ms the page that signs out may still need. Ignores a later time: then the clock was set back. */
export const leavingMs = (ended: EndedSession | undefined, now: EpochMs): number => {
  const left = (ended?.leavingUntil ?? now) - now
  return left > LEAVING_MS ? 0 : left
}

/** The state for a stored value, without this client's own sign-in or sign-out. */
function restored(
  before: SessionState,
  { stored, now, isOver }: Extract<SessionEvent, { type: 'stored' }>,
): SessionState {
  const ended = endedSessionOf(stored)
  if (leavingMs(ended, now) > 0 && !isOver) return { status: 'signing-out', isOwn: false }
  if (ended) return { status: 'signed-out', reason: ended.ended }
  const record = sessionOf(stored)
  if (record && !record.tokens.accessToken && !record.resources) return { status: 'signed-out' }
  if (record) {
    // the record is unusable without the user, but stays in the store: only this device's clock says that it has expired
    const reason = expiredByLocalClock(record, now)
    return reason ? { status: 'signed-out', reason } : { status: 'signed-in', record }
  }
  if (stored) return { status: 'signed-out', reason: 'unusable_record' }
  // the record is gone and left no reason: someone cleared the store
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

/** Whether two states look the same to an app. */
export function isSameState(one: SessionState, other: SessionState): boolean {
  if (one.status !== other.status || reasonOf(one) !== reasonOf(other)) return false
  if (one.status !== 'signed-in' || other.status !== 'signed-in') return true
  const [a, b] = [one.record, other.record]
  return a.sessionId === b.sessionId && a.version === b.version && a.trouble?.at === b.trouble?.at
}

/** Freezes a value with all its parts, because latchkey uses the same object. */
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
    ...(tokens.parameters && { responseParameters: frozen(tokens.parameters) }),
    ...(trouble && { trouble: Object.freeze({ since: trouble.since, error: toError(trouble) }) }),
  }
}

/** Creates the app's snapshot of a state. */
export function toSession(state: SessionState): Session {
  const { status } = state
  if (status === 'signed-in') return Object.freeze(signedIn(state.record))
  return Object.freeze('reason' in state ? { status, reason: state.reason } : { status })
}
