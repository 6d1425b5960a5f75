import type { ClientEvent, Emit, EventBody, Explanation, Warn, Warning } from './events.ts'
import { createListeners } from './listeners.ts'
import type { Clock, EpochMs, HostKind, Logger } from './ports.ts'
import type { Session } from './session.ts'
import { reasonOf } from './session-state.ts'

/** How many events are kept for `explain()`. */
const KEPT = 200

/** Created only for those who read it. */
const toEvent = ({ at, body }: { readonly at: EpochMs; readonly body: EventBody }): ClientEvent =>
  Object.freeze({ at, ...body })

export interface EventLog {
  readonly emit: Emit
  readonly warn: Warn
  /** The warnings so far. */
  warnings(): readonly Warning[]
  subscribe(listener: (event: ClientEvent) => void): () => void
  explain(session: Session, host: HostKind | undefined): Explanation
  dispose(): void
}

/**
 * Reports events to all listeners, and keeps the newest events.
 * @param logger receives the first warning of each topic.
 */
export function createEventLog(clock: Clock, realm: string, logger?: Logger): EventLog {
  const listeners = createListeners<ClientEvent>()
  const events: { readonly at: EpochMs; readonly body: EventBody }[] = []
  const warnings: Warning[] = []
  let count = 0
  const emit = (body: EventBody) => {
    const kept = { at: clock.now(), body }
    events[count++ % KEPT] = kept // in a ring, because every call emits events
    if (!listeners.size()) return
    const event = toEvent(kept)
    queueMicrotask(() => listeners.emit(event)) // so that no listener runs inside a lock or between two steps
  }
  return {
    emit,
    warn(about, message) {
      const alike = warnings.filter(known => known.about === about)
      if (alike.some(known => known.message === message)) return
      warnings.push({ about, message })
      emit({ type: 'warning', about, message })
      if (alike.length) return
      try {
        logger?.warn(`latchkey: ${message} (warning "${about}")`)
      } catch {} // an error of the app's logger must not stop latchkey
    },
    warnings: () => warnings,
    subscribe: listeners.add,
    explain(session, host) {
      const oldest = count % KEPT
      const state = { status: session.status, reason: reasonOf(session) }
      const newest = [...events.slice(oldest), ...events.slice(0, oldest)]
      return { at: clock.now(), context: realm, host, session: state, events: newest.map(toEvent) }
    },
    dispose: listeners.clear,
  }
}
