import type { KeyValue } from '../core/ports.ts'

/** A KeyValue in a Map: gone on reload, not visible to any other page or process. */
export function memoryKeyValue(): KeyValue {
  const entries = new Map<string, unknown>()
  return {
    get: async key => entries.get(key),
    update: async (key, change) => {
      const next = change(entries.get(key))
      if (next === undefined) entries.delete(key)
      else entries.set(key, next)
    },
    keys: async prefix => [...entries.keys()].filter(key => key.startsWith(prefix)),
  }
}
