import type { KeyValue } from '../core/ports.ts'

/** KeyValue in a Web Storage area that only this tab sees: survives reloads, gone when the tab closes. */
export function webStorageKeyValue(area: () => Storage): KeyValue {
  const read = (key: string): unknown => {
    const text = area().getItem(key)
    try {
      return text === null ? undefined : JSON.parse(text)
    } catch {
      return undefined // not ours, or cut off: as good as nothing
    }
  }
  return {
    get: async key => read(key),
    update: async (key, change) => {
      const next = change(read(key))
      if (next === undefined) area().removeItem(key)
      else area().setItem(key, JSON.stringify(next))
    },
    keys: async prefix => Object.keys(area()).filter(key => key.startsWith(prefix)),
  }
}
