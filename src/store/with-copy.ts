import type { KeyValue } from '../core/ports.ts'

/**
 * The same place, but records whose keys are `copied` are written to a second one too: whichever of the two still works
 * after the page has left and come back has them.
 */
export function withCopy(keyValue: KeyValue, second: KeyValue, copied: (key: string) => boolean): KeyValue {
  const nameOf = (key: string) => `copy of ${key}`
  return {
    async get(key) {
      const found = await keyValue.get(key)
      if (found !== undefined || !copied(key)) return found
      return second.get(nameOf(key)).catch(() => undefined)
    },
    async update(key, change) {
      if (!copied(key)) return keyValue.update(key, change)
      const [first, copy] = await Promise.allSettled([
        keyValue.update(key, change),
        second.update(nameOf(key), change),
      ])
      if (first.status === 'rejected' && copy.status === 'rejected') throw first.reason
    },
    keys: prefix => keyValue.keys(prefix),
  }
}
