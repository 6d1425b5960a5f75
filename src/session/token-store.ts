import type { SessionRecords, WriteCondition } from '../core/authorization.ts'
import type { KeyValue } from '../core/ports.ts'
import {
  type EndedSession,
  endedSessionOf,
  epochOf,
  mayBeRestored,
  type SessionRecord,
  type Stored,
  sessionOf,
} from '../core/session.ts'
import type { EndReason } from '../errors.ts'
import { createStoredValue } from './stored-value.ts'

/** A sign-out also ends a session that this client cannot use, but nothing that it cannot read. */
const mayEndAny = (reason: EndReason): WriteCondition =>
  reason === 'signed_out'
    ? found => !(found && 'unusable' in found && !found.record)
    : found => sessionOf(found) !== undefined

/** The session that an end for this reason removes. */
const removedBy = (reason: EndReason, found: Stored): SessionRecord | undefined =>
  found && 'unusable' in found && reason === 'signed_out' ? found.record : sessionOf(found)

/** The record of an end. It names the user only if the session may be restored. */
function toEnded(reason: EndReason, found: Stored, leavingUntil: number | undefined): EndedSession {
  const record = removedBy(reason, found)
  const isRestorable = reason !== 'replaced' && mayBeRestored(reason)
  return {
    schema: 1,
    ended: reason,
    // signing out again, in another tab, changes nothing of the session that has ended
    sessionId: record?.sessionId ?? endedSessionOf(found)?.sessionId ?? '',
    subject: isRestorable ? record?.tokens.claims?.sub : undefined,
    parameters: isRestorable ? record?.parameters : undefined,
    epoch: epochOf(found) + (reason === 'signed_out' ? 1 : 0),
    leavingUntil,
  }
}

/** @param tokenType the type of this client's access tokens. Default: Bearer. */
export function createTokenStore(keyValue: KeyValue, key: string, tokenType?: 'dpop'): SessionRecords {
  const entry = createStoredValue(keyValue, key, tokenType)
  /** The session that this client could not store. */
  const unsaved = () => (entry.failed && 'tokens' in entry.failed.next ? entry.failed : undefined)

  return {
    get stored() {
      return entry.value
    },
    get current() {
      return sessionOf(entry.value)
    },
    get unsaved() {
      return unsaved()
    },
    read: entry.read,
    keep: entry.keep,
    async end(reason, only, leavingUntil) {
      const { mayEnd } = only ?? { mayEnd: mayEndAny(reason) }
      let removed: SessionRecord | undefined
      try {
        const isEnded = await entry.write(found => {
          removed = removedBy(reason, found)
          return mayEnd(found) ? toEnded(reason, found, leavingUntil) : undefined
        })
        return isEnded ? removed : undefined
      } catch (error) {
        const { value } = entry
        const record = sessionOf(value)
        if (only && record?.sessionId !== only.sessionId) throw error // another session has begun meanwhile
        const ended = toEnded(reason, value, leavingUntil)
        const mayReplace = (found: Stored) => mayEnd(found) && sessionOf(found)?.sessionId === ended.sessionId
        entry.keep({ next: ended, mayReplace })
        throw error
      }
    },
    drop(sessionId) {
      if (unsaved()?.next.sessionId === sessionId) entry.discard(true)
    },
    update: entry.write,
  }
}
