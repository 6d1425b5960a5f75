import type { KeyValue } from '../core/ports.ts'

/** What a host offers for small texts: a keychain, a keystore, preferences. */
export interface HostStorage {
  get(key: string): Promise<string | null | undefined>
  set(key: string, value: string): Promise<unknown>
  remove(key: string): Promise<unknown>
}

/** The names of all entries, because few hosts list them. */
const INDEX = 'latchkey index'

/** KeyValue over storage that a host supplies, of which this process is the only user. */
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
      return undefined // not ours, or cut off: as good as nothing
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
        // an entry is never there without its name, whatever is cut off in between
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
