import type { FailedWrite } from '../core/authorization.ts'
import type { KeyValue } from '../core/ports.ts'
import type { EndedSession, SessionRecord, Stored } from '../core/session.ts'
import { parseStored } from './record.ts'

/** What a client goes by: its own failed write, while that may still replace the stored value. */
const newest = (failed: FailedWrite | undefined, found: Stored): Stored =>
  failed?.mayReplace(found) ? failed.next : found

/** The value under one key: reads it, replaces it in one atomic step, and keeps in memory what could not be stored. */
export function createStoredValue(keyValue: KeyValue, key: string, tokenType: 'dpop' | undefined) {
  let value: Stored
  let inStore: Stored
  let failed: FailedWrite | undefined
  // the store's responses may arrive in another order than it did the work in: the latest step decides what is newest
  let steps = 0
  let written = 0
  let settled = 0
  /** When a value was last found. A read that began before that does not know which of the two values is newer. */
  let lastFind = 0
  const settle = (step: number, stored: Stored, known: Stored) => {
    if (step < settled) return
    settled = step
    lastFind = ++steps
    inStore = stored
    value = known
  }

  /**
   * @param change gets the failed write instead of the value that it may replace, and that `stored` value. `undefined` leaves
   * the stored value as it is.
   * @returns whether it was replaced.
   */
  const write = async (
    change: (found: Stored, stored: Stored) => SessionRecord | EndedSession | undefined,
  ): Promise<boolean> => {
    let next: SessionRecord | EndedSession | undefined
    let found: Stored
    let stored: Stored
    let step = 0
    let known: FailedWrite | undefined
    await keyValue.update(key, raw => {
      stored = parseStored(raw, tokenType)
      known = failed
      found = newest(known, stored)
      next = change(found, stored)
      step = ++steps
      // a retry of a failed write, which this client goes by already, makes no read outdated
      if (next && next !== value) written = step
      else lastFind = step
      return next ?? raw
    })
    settle(step, next ?? stored, next ?? found)
    if (!next) return false
    if (failed === known) failed = undefined
    return true
  }

  /** First retries a failed write. */
  const read = async (): Promise<Stored> => {
    const kept = failed?.next
    // the store may still be readable
    if (kept) await write(found => (found === kept ? kept : undefined)).catch(() => {})
    const step = ++steps
    const found = parseStored(await keyValue.get(key), tokenType)
    const known = newest(failed, found)
    // the value may be older than a write that this client has begun since, or than what it has found otherwise
    if (step < written || (step < lastFind && JSON.stringify(known) !== JSON.stringify(value))) return read()
    settle(step, found, known)
    if (known === found) {
      failed?.dropped?.(found) // another client has changed the value that it was to replace
      failed = undefined
    }
    return value
  }

  return {
    /** The newest value that this client has read or written. */
    get value() {
      return value
    },
    /** What the store held then, without what this client could not store. */
    get inStore() {
      return inStore
    },
    /** What this client could not store. */
    get unsaved() {
      return failed?.next
    },
    write,
    read,
    /** Keeps in memory what could not be stored. Every read retries, for as long as `mayReplace` allows it. */
    keep(write: FailedWrite) {
      const before = failed
      failed = { ...write, mayReplace: found => write.mayReplace(newest(before, found), found) }
      if ('ended' in write.next) before?.dropped?.()
      settled = written = ++steps
      value = write.next
    },
  }
}
