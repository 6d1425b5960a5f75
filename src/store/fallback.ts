import type { KeyValue, Reach } from '../core/ports.ts'

/** A place for records, and how long what is in it lasts. */
export interface Place {
  readonly name: string
  readonly reach: Reach
  readonly keyValue: KeyValue
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

/**
 * The first place, where it has ever held something for this page; else the next one that works, for the page's life. A
 * place that held something and then fails is not left: the session is in it, and the failure is the caller's to see.
 */
export function withFallback(first: Place, ...others: readonly Place[]): PlaceWithFallback {
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
    isProven = true
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
      if (isProven && place === tried) throw error
      moving ??= move()
      await moving
      if (place === tried) throw error
      return work(place.keyValue)
    }
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
      // a place that is empty has shown nothing by being read: it may be full, or not writable
      const found = await attempt(
        keyValue => keyValue.get(key),
        value => value !== undefined,
      )
      if (found !== undefined || isProven) return found
      // the page before this one may have had to take another place
      for (const other of others) {
        const left = await other.keyValue.get(key).catch(() => undefined)
        if (left === undefined) continue
        take(other)
        return left
      }
      return undefined
    },
    update: (key, change) =>
      attempt(
        keyValue => keyValue.update(key, change),
        () => true,
      ),
    keys: prefix =>
      attempt(
        keyValue => keyValue.keys(prefix),
        found => found.length > 0,
      ),
  }
}
