import type { Clock, KeyValue } from '../core/ports.ts'
import { withTimeLimit } from '../core/waiting.ts'

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

/** The same area, in which a store has its own names: others of this page may keep the same there. */
export const namedAfter = (store: string, { get, update, keys }: KeyValue): KeyValue => {
  const end = ` in ${store}`
  return {
    get: key => get(key + end),
    update: (key, change) => update(key + end, change),
    keys: async prefix =>
      (await keys(prefix)).filter(key => key.endsWith(end)).map(key => key.slice(0, -end.length)),
  }
}

/** In the area: which tab it belongs to. */
const TAB = 'latchkey tab'
/** How long the page before this one, which is going, may take to let go of its tab. */
const HANDOVER_MS = 1000

/**
 * The same area, but a duplicated tab finds nothing in its copy: the first tab goes on, the copy begins signed out. Each
 * tab holds a Web Lock with its name for as long as its page lives; who finds its name held for longer than a reload
 * takes is a copy.
 */
export function ownedByTab(keyValue: KeyValue, locks: LockManager, clock: Clock): KeyValue {
  let owning: Promise<void> | undefined

  /** Resolves when the lock is held, which it stays until the page is gone. */
  const hold = (name: string, signal?: AbortSignal) =>
    new Promise<void>((resolve, reject) => {
      const forever = () => {
        resolve()
        return new Promise<never>(() => {})
      }
      locks.request(`${TAB} ${name}`, { signal }, forever).catch(reject)
    })

  /** Whether it is held by this page itself: for another client in it. */
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
    // what is not there belongs to nobody, and a page that holds no lock is kept for Back
    get: async key => ((await keyValue.get(key)) === undefined ? undefined : owned(() => keyValue.get(key))),
    update: (key, change) => owned(() => keyValue.update(key, change)),
    keys: prefix => owned(async () => (await keyValue.keys(prefix)).filter(key => key !== TAB)),
  }
}
