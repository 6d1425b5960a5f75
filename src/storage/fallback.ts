import { isSession } from '../core/keys.ts'
import { type KeyValue, type Reach, updateAndGet } from '../core/ports.ts'
import { isLive, type Marks } from './marks.ts'

/** A place for records, and how long what is in it lasts. */
export interface Place {
  readonly name: string
  readonly reach: Reach
  readonly keyValue: KeyValue
}

/** KeyValue of several places. `begun`: what the first place was asked before the others were there. */
export interface Places extends KeyValue {
  get(key: string, begun?: Promise<unknown>): Promise<unknown>
  update(key: string, change: (stored: unknown) => unknown, begun?: Promise<void>): Promise<void>
}

export interface PlaceWithFallback extends Places {
  /** Of the place that is used. */
  readonly reach: Reach
  /** Reports once that another place had to be taken. */
  onDegraded(report: (message: string) => void): void
}

/** Whether what is written can be read back: the mere presence of a storage says nothing. */
async function works({ keyValue }: Place): Promise<boolean> {
  const key = 'latchkey probe'
  const mark = Math.random()
  try {
    await keyValue.update(key, () => mark)
    const found = await keyValue.get(key)
    await keyValue.update(key, () => undefined)
    return found === mark
  } catch {
    return false
  }
}

/**
 * The first place, where it holds something for this page or a session for anybody; else the next one that works, for the
 * page's life. A place that holds something and fails is not left, and not taken for an empty one: the failure is the
 * caller's to see. Only a new sign-in goes elsewhere then, and the tab goes on with it.
 */
export function withFallback(marks: Marks, first: Place, ...others: readonly Place[]): PlaceWithFallback {
  let place = first
  let isProven = false
  let moving: Promise<void> | undefined
  let degraded: string | undefined
  let report: ((message: string) => void) | undefined

  const take = (other: Place) => {
    if (place === other) return
    place = other
    degraded = `${first.name} does not work here. latchkey keeps tokens in ${other.name}, which only this tab sees.`
    report?.(degraded)
  }
  const move = async () => {
    for (const other of others) if (await works(other)) return take(other)
  }
  const attempt = async <T>(
    work: (keyValue: KeyValue) => Promise<T>,
    proves: (result: T) => boolean,
    begun?: Promise<T>,
  ): Promise<T> => {
    const tried = begun ? first : place
    try {
      const result = await (begun ?? work(tried.keyValue))
      isProven ||= proves(result)
      return result
    } catch (error) {
      if (place === tried) {
        if (tried !== first || isProven || marks.any()) throw error
        moving ??= move()
        await moving
        if (place === tried) throw error
      }
      return work(place.keyValue)
    }
  }
  /** What an earlier page of this tab had to keep elsewhere. */
  const left = async (key: string): Promise<unknown> => {
    for (const other of others) {
      const found = await other.keyValue.get(key).catch(() => undefined)
      if (!isLive(found) && (isSession(key) || found === undefined)) continue
      if (isSession(key)) take(other)
      return found
    }
    return undefined
  }

  return {
    get reach() {
      return place.reach
    },
    onDegraded(listener) {
      report = listener
      if (degraded) listener(degraded)
    },
    async get(key, begun) {
      const own = isSession(key) && place === first ? await left(key) : undefined
      if (own !== undefined) return own
      // a place that is empty has shown nothing by being read: it may be full, or not writable
      const found = await attempt(
        keyValue => keyValue.get(key),
        value => value !== undefined,
        begun,
      )
      return found ?? (place === first ? left(key) : undefined)
    },
    async update(key, change, begun) {
      let next: unknown
      try {
        next = await attempt(
          keyValue => updateAndGet(keyValue, key, change),
          () => true,
          begun,
        )
      } catch (error) {
        if (place !== first || !isSession(key)) throw error
        // a session that needs nothing of what is there is a new sign-in
        const signIn = (stored: unknown) => {
          const session = change(stored)
          return isLive(session) ? session : stored
        }
        for (const other of others) {
          const kept = await updateAndGet(other.keyValue, key, signIn).catch(() => undefined)
          if (isLive(kept)) return take(other)
        }
        throw error
      }
      // who signs out here does so for all; a session of this tab that ends by itself ends alone
      if (!isLive(next) && place !== first && isSession(key) && marks.any())
        await first.keyValue.update(key, change).catch(() => {})
    },
    keys: prefix =>
      attempt(
        keyValue => keyValue.keys(prefix),
        found => found.length > 0,
      ),
  }
}

/**
 * The same places, but records whose keys are `copied` are written to one more: whichever still works after the page has
 * left and come back has them.
 */
export function withCopy(places: Places, second: KeyValue, copied: (key: string) => boolean): Places {
  const nameOf = (key: string) => `copy of ${key}`
  return {
    async get(key, begun) {
      const copy = async () => (copied(key) ? second.get(nameOf(key)).catch(() => undefined) : undefined)
      try {
        return (await places.get(key, begun)) ?? (await copy())
      } catch (error) {
        const found = await copy()
        if (found === undefined) throw error
        return found
      }
    },
    async update(key, change, begun) {
      if (!copied(key)) return places.update(key, change, begun)
      try {
        const next = await updateAndGet(places, key, change)
        await second.update(nameOf(key), () => next).catch(() => {})
      } catch (error) {
        await second.update(nameOf(key), change).catch(() => {
          throw error
        })
      }
    },
    keys: places.keys,
  }
}
