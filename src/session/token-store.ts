import type { SessionRecords } from '../core/authorization.ts'
import type { KeyValue } from '../core/ports.ts'
import { endOf, epochOf, type SessionRecord, sessionOf } from '../core/session.ts'
import { createStoredValue } from './stored-value.ts'
import { beginsLater, ends, isAlreadyStored, removedBy, replaces, toEnded } from './write-condition.ts'

/** @param tokenType the type of this client's access tokens. Default: Bearer. */
export function createTokenStore(keyValue: KeyValue, key: string, tokenType?: 'dpop'): SessionRecords {
  const entry = createStoredValue(keyValue, key, tokenType)
  /** The session that this client could not store. */
  const unsaved = () => (entry.failed && 'tokens' in entry.failed.next ? entry.failed.next : undefined)

  return {
    get stored() {
      return entry.value
    },
    get current() {
      return sessionOf(entry.value)
    },
    get isUnsaved() {
      return unsaved() !== undefined
    },
    read: entry.read,
    begin: next =>
      entry.write(found => {
        // the store may run this write twice: the second run must not undo what was stored after the first
        const record = sessionOf(found)
        if (record?.sessionId === next.sessionId) return record
        const { epoch = epochOf(found) } = next
        return epochOf(found) <= epoch || isAlreadyStored(found, next) ? { ...next, epoch } : undefined
      }),
    replace(next, unchanged) {
      const mayReplace = replaces(unchanged, entry.failed)
      return entry.write(found => (mayReplace(found) || isAlreadyStored(found, next) ? next : undefined))
    },
    keep(next, unchanged) {
      const before = sessionOf(entry.value)?.sessionId
      if (unchanged) entry.keep(next, replaces(unchanged, entry.failed))
      // the sign-in may have been stored although its write failed, and been read since
      else if (before !== next.sessionId) entry.keep(next, beginsLater(next, before, entry.failed))
    },
    async end(reason, unchanged, leavingUntil) {
      const mayEnd = ends(reason, unchanged, entry.failed)
      let removed: SessionRecord | undefined
      try {
        const isEnded = await entry.write(found => {
          removed = removedBy(reason, found)
          return mayEnd(found) ? toEnded(reason, removed, epochOf(found), leavingUntil) : undefined
        })
        return isEnded ? removed : undefined
      } catch (error) {
        const { value } = entry
        const record = sessionOf(value)
        const expected = typeof unchanged === 'string' ? unchanged : unchanged?.sessionId
        if (unchanged && record?.sessionId !== expected) throw error // another session has begun meanwhile
        const ended = toEnded(reason, record, epochOf(value), leavingUntil)
        // an earlier end of the same session may not have been stored either
        const sessionId = ended.sessionId || (endOf(value)?.sessionId ?? '')
        entry.keep(
          { ...ended, sessionId },
          found => mayEnd(found) && sessionOf(found)?.sessionId === sessionId,
        )
        throw error
      }
    },
    drop(sessionId) {
      if (unsaved()?.sessionId === sessionId) entry.discard()
    },
    async amend(change) {
      await entry.write(change)
    },
  }
}
