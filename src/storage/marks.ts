import { isSession } from '../core/keys.ts'
import { type KeyValue, updateAndGet } from '../core/ports.ts'

/** Remembers, apart from a place, that a session is in it: so that a place that fails is not taken for an empty one. */
export interface Marks {
  /** Whether there may be one. */
  any(): boolean
  note(key: string, isThere: boolean): void
}

/** An ended session is none. */
export const isLive = (value: unknown) => value !== undefined && !('ended' in Object(value))

/** In localStorage, under the key of each session in the database: only that there is one. */
export function localStorageMarks(database: string): Marks {
  const end = ` in ${database}`
  let isKnown = false
  return {
    any() {
      // in a worker, which has no localStorage and where nobody signs in, there may always be one
      if (isKnown || !globalThis.document) return 'indexedDB' in globalThis
      try {
        return Object.keys(localStorage).some(
          key => key.endsWith(end) && isSession(key.slice(0, -end.length)),
        )
      } catch {
        return false // it may be blocked
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

/** The same place, of which `marks` remember whether a session is in it. */
export const marked = (keyValue: KeyValue, marks: Marks): KeyValue => {
  const due = new Set<string>()
  const note = (key: string, value: unknown) => {
    if (isSession(key)) marks.note(key, isLive(value))
  }
  return {
    async get(key) {
      const found = await keyValue.get(key)
      // the first look into localStorage takes a while, and the page waits for what was found
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
