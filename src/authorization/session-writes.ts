import type { FailedWrite, SessionRecords, SessionWrites, WriteCondition } from '../core/authorization.ts'
import { endedSessionOf, epochOf, type SessionRecord, type Stored, sessionOf } from '../core/session.ts'

/** Whether the stored value is this session at this version. */
export const isSameVersion = (stored: Stored, { sessionId, version }: SessionRecord): boolean => {
  const record = sessionOf(stored)
  return record?.sessionId === sessionId && record.version === version
}

/** Two records with the same version are the same if their access tokens are: a server never issues one twice. */
const accessTokensOf = ({ tokens, resources = {} }: SessionRecord): string =>
  [tokens, ...Object.values(resources)].map(({ accessToken }) => accessToken).join()

/** Whether `next` is stored already. A client writes twice if the store's confirmation of the first write got lost. */
const isAlreadyStored = (found: Stored, next: SessionRecord): boolean => {
  const record = sessionOf(found)
  return record !== undefined && isSameVersion(found, next) && accessTokensOf(record) === accessTokensOf(next)
}

/** Of several clients that read the same version and mark it, only the first succeeds, even if they hold no lock any more. */
const isMarkedSince = (found: Stored, next: SessionRecord, unchanged: SessionRecord): boolean => {
  const sentAt = sessionOf(found)?.pending?.sentAt
  return isSameVersion(found, next) && [next, unchanged].every(({ pending }) => pending?.sentAt !== sentAt)
}

/** A record that was never stored cannot be found: its successor replaces what that record was to replace. */
const replacesUnsaved = (
  unchanged: SessionRecord,
  failed: FailedWrite | undefined,
): WriteCondition | undefined =>
  failed && isSameVersion(sessionOf(failed.next), unchanged)
    ? found => failed.mayReplace(found) || isAlreadyStored(found, unchanged)
    : undefined

/** For the next version of a session: the store still holds `unchanged`. */
const replaces = (unchanged: SessionRecord, failed: FailedWrite | undefined): WriteCondition =>
  replacesUnsaved(unchanged, failed) ?? (found => isSameVersion(found, unchanged))

/**
 * For a sign-in that could not be stored at first: the store holds no newer session, and nobody has signed out since.
 * @param before the session that this client knew when the sign-in finished.
 */
function beginsLater(
  { sessionId, epoch }: SessionRecord,
  before: string | undefined,
  failed: FailedWrite | undefined,
): WriteCondition {
  const isOlder = (found: Stored) => {
    // the session before may have ended meanwhile
    const ended = endedSessionOf(found)
    if (ended && ended.ended !== 'signed_out') return ended.sessionId !== sessionId
    // an unusable record may be this same session, which another client has since bound to a key
    if (found && 'unusable' in found) return false
    return sessionOf(found)?.sessionId === before
  }
  // the session before may never have been stored either
  const replacesBefore = (found: Stored) =>
    failed !== undefined && failed.next.sessionId === before && failed.mayReplace(found)
  return found => (isOlder(found) || replacesBefore(found)) && epochOf(found) === (epoch ?? epochOf(found))
}

/**
 * Each of these is one atomic step, which changes nothing if another client was first.
 * @param revoke revokes a refresh token that nobody will use.
 */
export function createSessionWrites(
  records: SessionRecords,
  revoke: (refreshToken: string) => void,
): SessionWrites {
  /** Keeps it in memory. If it cannot be stored because its session ends or is replaced elsewhere, nobody else knows its token. */
  const keep = (next: SessionRecord, mayReplace: WriteCondition) => {
    let isKept = false
    records.keep({
      next,
      mayReplace(found) {
        isKept = Boolean(found && 'unusable' in found) || sessionOf(found)?.sessionId === next.sessionId
        return mayReplace(found)
      },
      dropped(hasEnded) {
        const { refreshToken } = next.tokens
        if (refreshToken && (hasEnded || !isKept)) revoke(refreshToken)
      },
    })
  }

  return {
    begin: next =>
      records.update(found => {
        // the store may run this write twice: the second run must not undo what was stored after the first
        const record = sessionOf(found)
        if (record?.sessionId === next.sessionId) return record
        const { epoch = epochOf(found) } = next
        return epochOf(found) <= epoch || isAlreadyStored(found, next) ? { ...next, epoch } : undefined
      }),
    replace(next, unchanged) {
      const mayReplace = replaces(unchanged, records.unsaved)
      return records.update(found =>
        (mayReplace(found) || isAlreadyStored(found, next)) && !isMarkedSince(found, next, unchanged)
          ? next
          : undefined,
      )
    },
    keep(next, unchanged) {
      const before = records.current?.sessionId
      if (unchanged) keep(next, replaces(unchanged, records.unsaved))
      // the sign-in may have been stored although its write failed, and been read since
      else if (before !== next.sessionId) keep(next, beginsLater(next, before, records.unsaved))
    },
    end(reason, unchanged) {
      const { sessionId, tokens } = unchanged
      const isUnsaved = replacesUnsaved(unchanged, records.unsaved)
      const mayEnd = (found: Stored) =>
        sessionOf(found)?.tokens.refreshToken === tokens.refreshToken || isUnsaved?.(found) === true
      return records.end(reason, { sessionId, mayEnd })
    },
  }
}
