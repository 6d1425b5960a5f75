import type { SessionRecords, WriteCondition } from '../core/authorization.ts'
import type { KeyValue } from '../core/ports.ts'
import {
  type EndedSession,
  epochOf,
  mayBeRestored,
  type SessionRecord,
  type Stored,
  sessionOf,
} from '../core/session.ts'
import type { EndReason } from '../errors.ts'
import { createStoredValue } from './stored-value.ts'

/** The session that an end for this reason removes. A sign-out also ends a session that this client cannot use. */
const removedBy = (reason: EndReason, found: Stored): SessionRecord | undefined =>
  found && 'unusable' in found && reason === 'signed_out' ? found.record : sessionOf(found)

/** A sign-out is stored also if there is no session, but replaces nothing that this client cannot read. */
const mayEndAny =
  (reason: EndReason): WriteCondition =>
  found =>
    removedBy(reason, found) !== undefined || (reason === 'signed_out' && !(found && 'unusable' in found))

/** The record of an end. It names the user only if the session may be restored. */
function toEnded(reason: EndReason, found: Stored, leavingUntil?: number): EndedSession {
  const record = removedBy(reason, found)
  return {
    schema: 1,
    ended: reason,
    // signing out again, in another tab, changes nothing of the session that has ended
    sessionId: record?.sessionId ?? found?.sessionId ?? '',
    ...(mayBeRestored(reason) && { subject: record?.tokens.claims?.sub, parameters: record?.parameters }),
    epoch: epochOf(found) + (reason === 'signed_out' ? 1 : 0),
    leavingUntil,
  }
}

/** @param tokenType the type of this client's access tokens. Default: Bearer. */
export function createTokenStore(keyValue: KeyValue, key: string, tokenType?: 'dpop'): SessionRecords {
  const entry = createStoredValue(keyValue, key, tokenType)
  return {
    get stored() {
      return entry.value
    },
    get inStore() {
      return entry.inStore
    },
    get current() {
      return sessionOf(entry.value)
    },
    get unsaved() {
      return sessionOf(entry.unsaved)
    },
    read: entry.read,
    keep: entry.keep,
    async end(reason, mayEnd = mayEndAny(reason), leavingUntil) {
      let removed: SessionRecord | undefined
      try {
        const isEnded = await entry.write((found, stored) => {
          removed = removedBy(reason, sessionOf(found) ?? stored)
          return mayEnd(found, stored) ? toEnded(reason, found, leavingUntil) : undefined
        })
        return isEnded ? removed : undefined
      } catch (error) {
        const { value } = entry
        const next = toEnded(reason, value, leavingUntil)
        const mayReplace: WriteCondition = (found, stored) =>
          mayEnd(found, stored) && (found === value || sessionOf(found)?.sessionId === next.sessionId)
        // another session may have begun meanwhile
        if (mayEnd(value, value)) entry.keep({ next, mayReplace })
        throw error
      }
    },
    drop({ sessionId, reason }) {
      const dropped = sessionOf(entry.unsaved)
      if (dropped?.sessionId === sessionId)
        entry.keep({ next: toEnded(reason, dropped), mayReplace: found => found === dropped })
    },
    update: entry.write,
  }
}
