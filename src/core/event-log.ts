import type { ClientEvent, Emit, Explanation } from './events.ts'
import { createListeners } from './listeners.ts'
import type { Clock } from './ports.ts'
import type { Session } from './session.ts'

/** How many events are kept for `explain()`. */
const KEPT = 200

export interface EventLog {
  readonly emit: Emit
  subscribe(listener: (event: ClientEvent) => void): () => void
  explain(session: Session): Explanation
  dispose(): void
}

/** Tells events to whoever listens, and keeps the last ones. */
export function createEventLog(clock: Clock, context: string): EventLog {
  const listeners = createListeners<ClientEvent>()
  const events: ClientEvent[] = []
  let count = 0
  return {
    emit(body) {
      const event: ClientEvent = Object.freeze({ at: clock.now(), ...body })
      events[count++ % KEPT] = event // in a ring: every call tells something
      if (listeners.size()) queueMicrotask(() => listeners.tell(event)) // never inside a lock or in the middle of a step
    },
    subscribe: listeners.add,
    explain(session) {
      const { status } = session
      const reason = 'reason' in session ? session.reason : undefined
      const oldest = count % KEPT
      const told = [...events.slice(oldest), ...events.slice(0, oldest)]
      return { at: clock.now(), context, session: { status, reason }, events: told }
    },
    dispose: listeners.clear,
  }
}
