import type { KeyValue, Reach } from '../core/ports.ts'

/** A place for records, and how long what is in it lasts. */
export interface Place {
  readonly name: string
  readonly reach: Reach
  readonly keyValue: KeyValue
}

/** Remembers, apart from the first place, that a session is in it. It may be wrong. */
export interface Marks {
  /** Whether there may be one. */
  any(): boolean
  note(key: string, isThere: boolean): void
}

export interface PlaceWithFallback extends KeyValue {
  /** Of the place that is used. */
  readonly reach: Reach
  /** Tells once that another place had to be taken. */
  onDegraded(tell: (message: string) => void): void
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

const isSession = (key: string) => key.endsWith(' session')
/** What is left of a session that is over is none. */
const isLive = (value: unknown) => value !== undefined && !('ended' in Object(value))

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
  let tell = (message: string) => {
    degraded = message
  }

  const take = (other: Place) => {
    if (place === other) return
    place = other
    tell(`${first.name} does not work here. Tokens are kept in ${other.name}, which only this tab sees.`)
  }
  const move = async () => {
    for (const other of others) if (await works(other)) return take(other)
  }
  const attempt = async <T>(
    work: (keyValue: KeyValue) => Promise<T>,
    proves: (result: T) => boolean,
  ): Promise<T> => {
    const tried = place
    try {
      const result = await work(tried.keyValue)
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
      if (!(isSession(key) ? isLive(found) : found !== undefined)) continue
      if (isSession(key)) take(other)
      return found
    }
    return undefined
  }
  /** Changes a place; of the first one it is remembered whether it has a session now. @returns whether it has. */
  const change = async (
    keyValue: KeyValue,
    key: string,
    by: (stored: unknown) => unknown,
  ): Promise<boolean> => {
    let next: unknown
    await keyValue.update(key, stored => {
      next = by(stored)
      return next
    })
    const isThere = isLive(next)
    if (keyValue === first.keyValue && isSession(key)) marks.note(key, isThere)
    return isThere
  }

  return {
    get reach() {
      return place.reach
    },
    onDegraded(listener) {
      tell = listener
      if (degraded) listener(degraded)
    },
    async get(key) {
      const isElsewhere = place !== first
      const own = isSession(key) && !isElsewhere ? await left(key) : undefined
      if (own !== undefined) return own
      // a place that is empty has shown nothing by being read: it may be full, or not writable
      const found = await attempt(
        keyValue => keyValue.get(key),
        value => value !== undefined,
      )
      if (place !== first) return found
      if (isSession(key)) marks.note(key, isLive(found))
      return found ?? left(key)
    },
    async update(key, by) {
      let isThere: boolean
      try {
        isThere = await attempt(
          keyValue => change(keyValue, key, by),
          () => true,
        )
      } catch (error) {
        if (place !== first || !isSession(key)) throw error
        // a session that needs nothing of what is there is a new sign-in
        const signIn = (stored: unknown) => {
          const next = by(stored)
          return isLive(next) ? next : stored
        }
        for (const other of others) {
          if (await change(other.keyValue, key, signIn).catch(() => false)) return take(other)
        }
        throw error
      }
      // who signs out here does so for all; a session of this tab that ends by itself ends alone
      if (!isThere && place !== first && isSession(key) && marks.any())
        await change(first.keyValue, key, by).catch(() => {})
    },
    keys: prefix =>
      attempt(
        keyValue => keyValue.keys(prefix),
        found => found.length > 0,
      ),
  }
}
