import type { Clock, KeyValue } from '../core/ports.ts'
import { withTimeLimit } from '../core/waiting.ts'

/** A KeyValue in a Web Storage area that only this tab sees: survives reloads, gone when the tab closes. */
export function webStorageKeyValue(area: () => Storage): KeyValue {
  const read = (key: string): unknown => {
    const text = area().getItem(key)
    try {
      return text === null ? undefined : JSON.parse(text)
    } catch {
      return undefined // not written by latchkey, or truncated: treated as missing
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

/** Adds the name of a store to every key: other stores of this page may use the same keys in the same area. */
export const namedAfter = (store: string, { get, update, keys }: KeyValue): KeyValue => {
  const end = ` in ${store}`
  return {
    get: key => get(key + end),
    update: (key, change) => update(key + end, change),
    keys: async prefix =>
      (await keys(prefix)).filter(key => key.endsWith(end)).map(key => key.slice(0, -end.length)),
  }
}

/** The key of the tab's name in the area. */
const TAB = 'latchkey tab'
/** How long the previous page of this tab may take to release the tab's lock while it unloads. */
const HANDOVER_MS = 1000

/**
 * Clears the copied area of a duplicated tab: the first tab continues, and the duplicate starts signed out. Each tab holds a
 * Web Lock with its name as long as its page lives. A tab whose name is held for longer than a reload takes is a duplicate.
 */
export function ownedByTab(keyValue: KeyValue, locks: LockManager, clock: Clock): KeyValue {
  let owning: Promise<void> | undefined

  /** Resolves when this page holds the lock. It keeps the lock until the page is gone. */
  const hold = (name: string, signal?: AbortSignal) =>
    new Promise<void>((resolve, reject) => {
      const forever = () => {
        resolve()
        return new Promise<never>(() => {})
      }
      locks.request(`${TAB} ${name}`, { signal }, forever).catch(reject)
    })

  /** Whether this page itself holds the lock, for another client in it. */
  const isOurs = (name: string) => {
    const probe = `${TAB} ${crypto.randomUUID()}`
    return locks.request(probe, async () => {
      const { held } = await locks.query()
      const pageOf = (lock: string) => held?.find(one => one.name === lock)?.clientId
      return pageOf(`${TAB} ${name}`) === pageOf(probe)
    })
  }

  const own = async () => {
    const name = await keyValue.get(TAB)
    if (typeof name === 'string') {
      if (await isOurs(name)) return
      let isElsewhere = false
      const late = () => {
        isElsewhere = true
        return new Error()
      }
      await withTimeLimit(clock, HANDOVER_MS, signal => hold(name, signal), late).catch(() => {})
      if (!isElsewhere || (await isOurs(name))) return
    }
    for (const key of await keyValue.keys('latchkey ')) await keyValue.update(key, () => undefined)
    const next = crypto.randomUUID()
    await keyValue.update(TAB, () => next)
    hold(next).catch(() => {})
  }
  const owned = <T>(work: () => Promise<T>): Promise<T> => {
    owning ??= own()
    return owning.then(work)
  }

  return {
    // without a value there is nothing to protect, and a page without a lock can go into the back/forward cache
    get: async key => ((await keyValue.get(key)) === undefined ? undefined : owned(() => keyValue.get(key))),
    update: (key, change) => owned(() => keyValue.update(key, change)),
    keys: prefix => owned(async () => (await keyValue.keys(prefix)).filter(key => key !== TAB)),
  }
}
