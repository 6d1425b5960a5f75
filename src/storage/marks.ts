import { isSession } from '../core/keys.ts'
import { type KeyValue, updateAndGet } from '../core/ports.ts'

/** Remembers outside of a place that the place holds a session, so that latchkey does not treat a failing place as empty. */
export interface Marks {
  /** Whether the place may hold a session. */
  any(): boolean
  note(key: string, isThere: boolean): void
}

/** Whether a stored value is a session that has not ended. */
export const isLive = (value: unknown) => value !== undefined && !('ended' in Object(value))

/** Marks in localStorage, under the key of each session in the database. They say only that a session exists. */
export function localStorageMarks(database: string): Marks {
  const end = ` in ${database}`
  let isKnown = false
  return {
    any() {
      // a worker has no localStorage, and users do not sign in there: always assume a session
      if (isKnown || !globalThis.document) return 'indexedDB' in globalThis
      try {
        return Object.keys(localStorage).some(
          key => key.endsWith(end) && isSession(key.slice(0, -end.length)),
        )
      } catch {
        return false // the browser may block localStorage
      }
    },
    note(key, isThere) {
      isKnown ||= isThere
      try {
        const name = key + end
        if (!isThere) localStorage.removeItem(name)
        else if (!localStorage.getItem(name)) localStorage.setItem(name, '1')
      } catch {}
    },
  }
}

/** Updates `marks` whenever a session is read from or written to `keyValue`. */
export const marked = (keyValue: KeyValue, marks: Marks): KeyValue => {
  const due = new Set<string>()
  const note = (key: string, value: unknown) => {
    if (isSession(key)) marks.note(key, isLive(value))
  }
  return {
    async get(key) {
      const found = await keyValue.get(key)
      // defer it: the first access to localStorage takes a while, and the page waits for `found`
      due.add(key)
      setTimeout(() => due.delete(key) && note(key, found))
      return found
    },
    async update(key, change) {
      const next = await updateAndGet(keyValue, key, change)
      due.delete(key)
      note(key, next)
    },
    keys: keyValue.keys,
  }
}
