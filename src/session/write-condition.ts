import {
  type EndedSession,
  endOf,
  epochOf,
  isSameVersion,
  mayBeRestored,
  type SessionRecord,
  type Stored,
  sessionOf,
} from '../core/session.ts'
import type { EndReason } from '../errors.ts'

/** Whether a write may replace the stored value. The store calls it inside its atomic step, perhaps more than once. */
export type WriteCondition = (found: Stored) => boolean

/** A write that failed. Until a retry succeeds, only this client knows `next`. */
export interface FailedWrite {
  readonly next: SessionRecord | EndedSession
  readonly mayReplace: WriteCondition
}

/** Two records with the same version are the same if their access tokens are: a server never issues one twice. */
const accessTokensOf = ({ tokens, resources = {} }: SessionRecord): string =>
  [tokens, ...Object.values(resources)].map(({ accessToken }) => accessToken).join()

/** Whether `next` is stored already. A client writes twice if the store's confirmation of the first write got lost. */
export const isAlreadyStored = (found: Stored, next: SessionRecord): boolean => {
  const record = sessionOf(found)
  return record !== undefined && isSameVersion(found, next) && accessTokensOf(record) === accessTokensOf(next)
}

/** A record that was never stored cannot be found: its successor replaces what that record was to replace. */
const replacesUnsaved = (
  unchanged: SessionRecord,
  failed: FailedWrite | undefined,
): WriteCondition | undefined =>
  failed && 'tokens' in failed.next && isSameVersion(failed.next, unchanged)
    ? found => failed.mayReplace(found) || isAlreadyStored(found, unchanged)
    : undefined

/** For the next version of a session: the store still holds `unchanged`. */
export const replaces = (unchanged: SessionRecord, failed: FailedWrite | undefined): WriteCondition =>
  replacesUnsaved(unchanged, failed) ?? (found => isSameVersion(found, unchanged))

/**
 * For a sign-in that could not be stored at first: the store holds no newer session, and nobody has signed out since.
 * @param before the session that this client knew when the sign-in finished.
 */
export function beginsLater(
  { sessionId, epoch }: SessionRecord,
  before: string | undefined,
  failed: FailedWrite | undefined,
): WriteCondition {
  const isOlder = (found: Stored) => {
    // the session before may have ended meanwhile
    const ended = endOf(found)
    if (ended && ended.ended !== 'signed_out') return ended.sessionId !== sessionId
    // an unusable record may be this same session, which another client has since bound to a key
    if (found && 'unusable' in found) return false
    return sessionOf(found)?.sessionId === before
  }
  // the session before may never have been stored either
  const replacesBefore = (found: Stored) =>
    failed !== undefined &&
    'tokens' in failed.next &&
    failed.next.sessionId === before &&
    failed.mayReplace(found)
  return found => (isOlder(found) || replacesBefore(found)) && epochOf(found) === (epoch ?? epochOf(found))
}

/** For the end of a session. @param unchanged as for `SessionRecords.end`. */
export function ends(
  reason: EndReason,
  unchanged: SessionRecord | string | undefined,
  failed: FailedWrite | undefined,
): WriteCondition {
  if (typeof unchanged === 'string') return found => sessionOf(found)?.sessionId === unchanged
  if (unchanged) {
    const { refreshToken } = unchanged.tokens
    const isUnsaved = replacesUnsaved(unchanged, failed)
    return found => sessionOf(found)?.tokens.refreshToken === refreshToken || isUnsaved?.(found) === true
  }
  // a sign-out also ends a session that this client cannot use, but nothing that it cannot read
  return reason === 'signed_out'
    ? found => !(found && 'unusable' in found && !found.record)
    : found => sessionOf(found) !== undefined
}

/** The session that an end for this reason removes. */
export const removedBy = (reason: EndReason, found: Stored): SessionRecord | undefined =>
  found && 'unusable' in found && reason === 'signed_out' ? found.record : sessionOf(found)

/** The record of an end. It names the user only if the session may be restored. */
export function toEnded(
  reason: EndReason,
  record: SessionRecord | undefined,
  epoch: number,
  leavingUntil: number | undefined,
): EndedSession {
  const isRestorable = reason !== 'replaced' && mayBeRestored(reason)
  return {
    schema: 1,
    ended: reason,
    sessionId: record?.sessionId ?? '',
    subject: isRestorable ? record?.tokens.claims?.sub : undefined,
    parameters: isRestorable ? record?.parameters : undefined,
    epoch: epoch + (reason === 'signed_out' ? 1 : 0),
    leavingUntil,
  }
}
