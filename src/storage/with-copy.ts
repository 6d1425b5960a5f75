import type { KeyValue } from '../core/ports.ts'

/**
 * The same place, but records whose keys are `copied` are written to a second one too: whichever of the two still works
 * after the page has left and come back has them.
 */
export function withCopy(keyValue: KeyValue, second: KeyValue, copied: (key: string) => boolean): KeyValue {
  const nameOf = (key: string) => `copy of ${key}`
  return {
    async get(key) {
      const copy = async () => (copied(key) ? second.get(nameOf(key)).catch(() => undefined) : undefined)
      try {
        return (await keyValue.get(key)) ?? (await copy())
      } catch (error) {
        const found = await copy()
        if (found === undefined) throw error
        return found
      }
    },
    async update(key, change) {
      if (!copied(key)) return keyValue.update(key, change)
      let written: unknown
      const remember = (stored: unknown) => {
        written = change(stored)
        return written
      }
      try {
        await keyValue.update(key, remember)
      } catch (error) {
        await second.update(nameOf(key), change).catch(() => {
          throw error
        })
        return
      }
      await second.update(nameOf(key), () => written).catch(() => {})
    },
    keys: prefix => keyValue.keys(prefix),
  }
}
