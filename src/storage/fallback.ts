import { isSession } from '../core/keys.ts'
import { type KeyValue, type Reach, updateAndGet } from '../core/ports.ts'
import { isLive, type Marks } from './marks.ts'

/** A place for records. Its `reach` says who sees them and how long they last. */
export interface Place {
  readonly name: string
  readonly reach: Reach
  readonly keyValue: KeyValue
}

/** A KeyValue over several places. `begun` is a request to the first place that started before the others were loaded. */
export interface Places extends KeyValue {
  get(key: string, begun?: Promise<unknown>): Promise<unknown>
  update(key: string, change: (stored: unknown) => unknown, begun?: Promise<void>): Promise<void>
}

export interface PlaceWithFallback extends Places {
  /** The reach of the place in use. */
  readonly reach: Reach
  /** Calls `report` once when it switches to another place. */
  onDegraded(report: (message: string) => void): void
}

/** Whether a written value can be read back: a storage that exists may still not work. */
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
 * Uses the first place. If that fails and holds neither a record of this page nor any session, it switches to the next
 * place that works, until the page is gone. It never switches away from a place that holds something, and never treats a
 * failing place as empty: the caller gets the error. Only a new sign-in is then stored elsewhere, and this tab continues
 * there.
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
  /** Reads a value that an earlier page of this tab stored in one of the other places. */
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
      // a read from an empty place does not prove that the place works: it may be full or read-only
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
        // if the change makes a session out of nothing, it is a new sign-in
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
      // a sign-out also applies to the first place; the end of this tab's own session changes nothing there
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
 * Also writes the records whose keys are `copied` to a second place. After the page has left and come back, whichever place
 * still works has them.
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
