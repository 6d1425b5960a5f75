import { createListeners } from '../core/listeners.ts'
import type { Session } from '../core/session.ts'
import {
  isSameState,
  reasonOf,
  type SessionEvent,
  type SessionState,
  toSession,
  transition,
} from '../core/session-state.ts'
import type { LiveSessionPorts } from './ports.ts'

export const recordOf = (state: SessionState) => (state.status === 'signed-in' ? state.record : undefined)

export type View = ReturnType<typeof createView>

/** The session's state, and the app's snapshot of it. Emits and passes on every change. */
export function createView({
  emit,
  sessionLost: left,
  realm,
}: Pick<LiveSessionPorts, 'emit' | 'sessionLost' | 'realm'>) {
  const listeners = createListeners<Session>()
  let state: SessionState = { status: 'starting' }
  let session = toSession(state)
  return {
    listeners,
    get state() {
      return state
    },
    get session() {
      return session
    },
    move(event: SessionEvent): void {
      const before = state
      state = transition(before, event)
      if (isSameState(before, state)) return
      session = toSession(state)
      const [old, next] = [recordOf(before), recordOf(state)]
      const isOther = old?.sessionId !== next?.sessionId
      if (old && isOther) {
        const reason = next ? 'replaced' : (reasonOf(state) ?? 'signed_out')
        left.emit({ reason, sessionId: old.sessionId })
        emit({ type: 'session-ended', reason })
      }
      if (next && isOther) emit({ type: 'session-started', subject: next.tokens.claims?.sub })
      else if (next && old?.version !== next.version && next.by !== realm)
        emit({ type: 'tokens-adopted', from: next.by })
      listeners.emit(session)
    },
  }
}
