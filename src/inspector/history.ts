import type { ClientEvent } from '../index.ts'

/** The events of this tab. They survive a redirect to the authorization server, and a reload. */
export interface EventHistory {
  readonly events: readonly ClientEvent[]
  add(event: ClientEvent): void
  clear(): void
}

/** More than fits on a screen, and few enough to draw quickly. */
const MOST_EVENTS = 200

const KEY = 'latchkey inspector'

function restore(): ClientEvent[] {
  try {
    const stored: unknown = JSON.parse(sessionStorage.getItem(KEY) ?? '[]')
    return Array.isArray(stored) ? stored : []
  } catch {
    return []
  }
}

/** @param own the events that the client emitted before the inspector listened. */
export function createEventHistory(own: readonly ClientEvent[]): EventHistory {
  let events: ClientEvent[] = []
  const keep = (next: ClientEvent[]) => {
    events = next.slice(-MOST_EVENTS)
    try {
      sessionStorage.setItem(KEY, JSON.stringify(events))
    } catch {
      // a browser that stores nothing still shows new events
    }
  }
  const text = new Set(own.map(event => JSON.stringify(event)))
  keep([...restore().filter(event => !text.has(JSON.stringify(event))), ...own])
  return {
    get events() {
      return events
    },
    add: event => keep([...events, event]),
    clear: () => keep([]),
  }
}
