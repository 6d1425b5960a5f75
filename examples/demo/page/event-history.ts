import type { ClientEvent } from 'latchkey'

/** The events of this tab. They survive the redirect to the authorization server and reloads. */
export interface EventHistory {
  readonly events: readonly ClientEvent[]
  add(event: ClientEvent): void
  clear(): void
}

const KEY = 'latchkey-demo-events'

/** More than fits on a screen, and few enough to redraw quickly. */
const MOST_EVENTS = 200

function restore(): ClientEvent[] {
  try {
    const stored: unknown = JSON.parse(sessionStorage.getItem(KEY) ?? '[]')
    return Array.isArray(stored) ? stored : []
  } catch {
    return []
  }
}

export function createEventHistory(): EventHistory {
  let events = restore()
  const keep = (next: ClientEvent[]) => {
    events = next.slice(-MOST_EVENTS)
    try {
      sessionStorage.setItem(KEY, JSON.stringify(events))
    } catch {
      // a browser that stores nothing still shows new events
    }
  }
  return {
    get events() {
      return events
    },
    add: event => keep([...events, event]),
    clear: () => keep([]),
  }
}
