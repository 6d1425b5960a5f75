import type { KeyValue } from '../core/ports.ts'

/** The host's storage for small texts, such as a keychain, a keystore or preferences. */
export interface HostStorage {
  /** Resolves with the text, or with `null` or `undefined` if there is none. */
  get(key: string): Promise<string | null | undefined>
  set(key: string, value: string): Promise<unknown>
  remove(key: string): Promise<unknown>
}

/** The entry that lists the names of all others, because few hosts can list them. */
const INDEX = 'latchkey index'

/** A KeyValue over the host's storage, for a process that is its only user. */
export function hostKeyValue(storage: HostStorage): KeyValue {
  let last: Promise<unknown> = Promise.resolve()
  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    const next = last.then(work, work)
    last = next.catch(() => {})
    return next
  }
  const read = async (key: string): Promise<unknown> => {
    const text = await storage.get(key)
    try {
      return text ? JSON.parse(text) : undefined
    } catch {
      return undefined // not written by latchkey, or truncated: treated as missing
    }
  }
  const names = async (): Promise<string[]> => {
    const found = await read(INDEX)
    return Array.isArray(found) ? found.map(String) : []
  }
  const note = async (key: string, isThere: boolean) => {
    const known = await names()
    if (known.includes(key) === isThere) return
    const next = isThere ? [...known, key] : known.filter(name => name !== key)
    await storage.set(INDEX, JSON.stringify(next))
  }

  return {
    get: key => inTurn(() => read(key)),
    update: (key, change) =>
      inTurn(async () => {
        const found = await read(key)
        const next = change(found)
        if (next === found) return
        // every entry is in the index, even if the process ends between the two steps
        if (next === undefined) {
          await storage.remove(key)
          await note(key, false)
        } else {
          await note(key, true)
          await storage.set(key, JSON.stringify(next))
        }
      }),
    keys: prefix =>
      inTurn(async () => {
        const found = await names()
        const there = await Promise.all(found.map(read))
        return found.filter((name, at) => name.startsWith(prefix) && there[at] !== undefined)
      }),
  }
}
