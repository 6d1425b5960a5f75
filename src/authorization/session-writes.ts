import type { SessionRecords, SessionWrites, WriteCondition } from '../core/authorization.ts'
import { endedSessionOf, epochOf, type SessionRecord, type Stored, sessionOf } from '../core/session.ts'

/** Whether the stored value is this session at this version. */
export const isSameVersion = (stored: Stored, { sessionId, version }: SessionRecord): boolean => {
  const record = sessionOf(stored)
  return record?.sessionId === sessionId && record.version === version
}

/** Two records with the same version are the same if their access tokens are: a server never issues one twice. */
const accessTokensOf = ({ tokens, resources = {} }: SessionRecord): string =>
  [tokens, ...Object.values(resources)].map(({ accessToken }) => accessToken).join()

/** Whether the stored value is this session at this version, with these access tokens. */
const isSameRecord = (found: Stored, record: SessionRecord): boolean => {
  const stored = sessionOf(found)
  return (
    stored !== undefined && isSameVersion(found, record) && accessTokensOf(stored) === accessTokensOf(record)
  )
}

/** Of several clients that read the same version and mark it, only the first succeeds, even if they hold no lock any more. */
const isMarkedSince = (found: Stored, next: SessionRecord, unchanged: SessionRecord): boolean => {
  const sentAt = sessionOf(found)?.pending?.sentAt
  const isOwn = [next, unchanged].some(({ pending }) => pending?.sentAt === sentAt)
  return sentAt !== undefined && isSameVersion(found, next) && !isOwn
}

/**
 * For a sign-in that could not be stored at first: the store holds no newer session, and nobody has signed out since.
 * @param before the session that this client knew when it began to store the sign-in.
 */
function beginsLater({ sessionId, epoch }: SessionRecord, before: string | undefined): WriteCondition {
  const isOlder = (found: Stored) => {
    // it was stored although its write failed, and may have ended since
    if (found?.sessionId === sessionId) return false
    // the session before may have ended meanwhile
    const ended = endedSessionOf(found)
    // without an epoch, nobody knows whether a sign-out was earlier
    if (ended && (ended.ended !== 'signed_out' || epoch === undefined)) return true
    // an unusable record may be this same session, which another client has since bound to a key
    if (found && 'unusable' in found) return false
    return sessionOf(found)?.sessionId === before
  }
  return (found, stored) => isOlder(found) && epochOf(stored) <= (epoch ?? Infinity)
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
  const keep = (next: SessionRecord, mayReplace: WriteCondition) =>
    records.keep({
      next,
      mayReplace,
      dropped(found) {
        const isKnown = (found && 'unusable' in found) || sessionOf(found)?.sessionId === next.sessionId
        if (next.tokens.refreshToken && !isKnown) revoke(next.tokens.refreshToken)
      },
    })

  return {
    begin: next =>
      records.update((found, stored) => {
        // the store may run this write twice: the second run must not undo what was stored after the first
        const record = sessionOf(found)
        if (record?.sessionId === next.sessionId) return record
        const { epoch = epochOf(stored) } = next
        return epochOf(stored) <= epoch ? { ...next, epoch } : undefined
      }),
    replace: (next, unchanged) =>
      records.update(found => {
        // a client writes `next` twice if the store's confirmation of the first write got lost
        const isExpected = [unchanged, next].some(record => isSameRecord(found, record))
        return isExpected && !isMarkedSince(found, next, unchanged) ? next : undefined
      }),
    keep: (next, unchanged) => keep(next, found => isSameRecord(found, unchanged)),
    keepSignIn(next, before) {
      // it may have been stored although its write failed, and been read since
      if (records.current?.sessionId === next.sessionId) return true
      const mayReplace = beginsLater(next, before)
      if (!mayReplace(records.stored, records.inStore)) return false
      keep(next, mayReplace)
      return true
    },
    async end(reason, { sessionId, tokens }) {
      const removed = await records.end(
        reason,
        (found, stored) =>
          sessionOf(found)?.tokens.refreshToken === tokens.refreshToken && stored?.sessionId === sessionId,
      )
      // a sign-in that was never stored ends here only: the store may hold another session, which goes on
      if (!removed && records.unsaved?.sessionId === sessionId)
        records.keep({ next: { schema: 1, ended: reason, sessionId }, mayReplace: () => false })
      return removed
    },
  }
}
