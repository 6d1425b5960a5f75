import type { FailedWrite } from '../core/authorization.ts'
import type { KeyValue } from '../core/ports.ts'
import type { EndedSession, SessionRecord, Stored } from '../core/session.ts'
import { parseStored } from './record.ts'

/** The value under one key: reads it, replaces it in one atomic step, and keeps in memory what could not be stored. */
export function createStoredValue(keyValue: KeyValue, key: string, tokenType: 'dpop' | undefined) {
  let value: Stored
  let failed: FailedWrite | undefined
  // the store's responses may arrive in another order than it did the work in: the latest step decides what is newest
  let steps = 0
  let written = 0
  let settled = 0
  const settle = (step: number, stored: Stored) => {
    if (step < settled) return
    settled = step
    value = stored
  }

  /** @param change `undefined` leaves the stored value as it is. @returns whether it was replaced. */
  const write = async (
    change: (found: Stored) => SessionRecord | EndedSession | undefined,
  ): Promise<boolean> => {
    let next: SessionRecord | EndedSession | undefined
    let step = 0
    await keyValue.update(key, stored => {
      next = change(parseStored(stored, tokenType))
      step = written = ++steps
      return next ?? stored
    })
    if (!next) return false
    settle(step, next)
    failed = undefined
    return true
  }

  const discard = (hasEnded?: boolean) => {
    const discarded = failed
    failed = undefined
    discarded?.dropped?.(hasEnded)
  }
  const retry = async (retried: FailedWrite) => {
    try {
      await write(found => (failed === retried && retried.mayReplace(found) ? retried.next : undefined))
      if (failed === retried) discard() // another client has changed the value that it was to replace
    } catch {} // the store may still be readable
  }

  return {
    /** The newest value that this client has read or written. */
    get value() {
      return value
    },
    get failed() {
      return failed
    },
    write,
    /** First retries a failed write. */
    async read(): Promise<Stored> {
      let step: number
      let stored: unknown
      do {
        if (failed) await retry(failed)
        step = ++steps
        stored = await keyValue.get(key)
      } while (step < written) // this client has begun a write since: the value may be older than that
      const found = parseStored(stored, tokenType)
      if (failed && !failed.mayReplace(found)) discard()
      settle(step, failed?.next ?? found)
      return value
    },
    /** Keeps in memory what could not be stored. Every read retries, for as long as `mayReplace` allows it. */
    keep(write: FailedWrite) {
      failed = write
      written = ++steps
      settle(written, write.next)
    },
    /** Stops retrying. @param hasEnded whether the session has ended elsewhere. */
    discard,
  }
}
