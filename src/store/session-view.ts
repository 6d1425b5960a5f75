import { decide } from '../core/decide.ts'
import type { Emit } from '../core/events.ts'
import { createListeners } from '../core/listeners.ts'
import type { Clock } from '../core/ports.ts'
import { type Session, type SessionRecord, toSession } from '../core/session.ts'
import type { EndReason } from '../errors.ts'

/** The session as the app sees it: a snapshot that is replaced, never changed. */
export interface SessionView {
  readonly session: Session
  /** Compares with the record and tells subscribers if something changed. `reason`: why there is none any more. */
  publish(record: SessionRecord | undefined, reason?: EndReason): Session
  subscribe(listener: (session: Session) => void): () => void
  dispose(): void
}

export interface SessionViewPorts {
  readonly clock: Clock
  readonly emit: Emit
  /** A session is over: whoever waits for something in it is told. */
  ended(reason: EndReason, sessionId: string): void
}

export function createSessionView({ clock, emit, ended }: SessionViewPorts): SessionView {
  const listeners = createListeners<Session>()
  let session: Session = Object.freeze({ status: 'starting' })
  let shown: SessionRecord | undefined

  return {
    get session() {
      return session
    },
    publish(stored, reason) {
      // a record that nothing can be done with without the user is as good as none, but it is not removed:
      // it is this device's clock that says so, and only the server ends a session
      const decision = decide(stored, clock.now())
      const record = decision.do === 'authorize' ? undefined : stored
      const over = shown && !record ? 'signed_out' : undefined // gone without a word
      const why = stored && decision.do === 'authorize' ? decision.reason : (reason ?? over)
      const same = record?.sessionId === shown?.sessionId && record?.version === shown?.version
      if (same && session.status !== 'starting') return session
      const before = shown
      shown = record
      session = toSession(record, why)
      if (before && before.sessionId !== record?.sessionId) {
        const end = record ? 'replaced' : (why as EndReason)
        ended(end, before.sessionId)
        emit({ type: 'session-ended', reason: end })
      }
      if (record && before?.sessionId !== record.sessionId) {
        emit({ type: 'session-started', subject: record.tokens.claims?.sub })
      }
      listeners.tell(session)
      return session
    },
    subscribe: listeners.add,
    dispose: listeners.clear,
  }
}
