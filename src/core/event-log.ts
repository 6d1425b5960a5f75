import type { ClientEvent, Emit, EventBody, Explanation, Warn } from './events.ts'
import { createListeners } from './listeners.ts'
import type { Clock } from './ports.ts'
import type { Session } from './session.ts'

/** How many events are kept for `explain()`. */
const KEPT = 200

export interface EventLog {
  readonly emit: Emit
  readonly warn: Warn
  subscribe(listener: (event: ClientEvent) => void): () => void
  explain(session: Session): Explanation
  dispose(): void
}

/** Reports events to everyone who listens, and keeps the newest ones. */
export function createEventLog(clock: Clock, realm: string): EventLog {
  const listeners = createListeners<ClientEvent>()
  const events: ClientEvent[] = []
  const warned = new Set<string>()
  let count = 0
  const emit = (body: EventBody) => {
    const event: ClientEvent = Object.freeze({ at: clock.now(), ...body })
    events[count++ % KEPT] = event // in a ring, because every call emits events
    if (listeners.size()) queueMicrotask(() => listeners.tell(event)) // never inside a lock or in the middle of a step
  }
  return {
    emit,
    warn(about, message) {
      if (warned.has(about + message)) return
      warned.add(about + message)
      emit({ type: 'warning', about, message })
    },
    subscribe: listeners.add,
    explain(session) {
      const { status } = session
      const reason = 'reason' in session ? session.reason : undefined
      const oldest = count % KEPT
      const newest = [...events.slice(oldest), ...events.slice(0, oldest)]
      return { at: clock.now(), context: realm, session: { status, reason }, events: newest }
    },
    dispose: listeners.clear,
  }
}
