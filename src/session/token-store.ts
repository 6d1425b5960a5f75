import type { SessionRecords } from '../core/authorization.ts'
import type { KeyValue } from '../core/ports.ts'
import {
  type EndedSession,
  endOf,
  epochOf,
  mayBeRestored,
  type SessionRecord,
  type Stored,
  sessionOf,
} from '../core/session.ts'
import type { EndReason } from '../errors.ts'
import { parseStored } from './record.ts'

/** Two records of one version are the same if their access tokens are: those are never given twice. */
const accessTokensOf = ({ tokens, resources = {} }: SessionRecord): string =>
  [tokens, ...Object.values(resources)].map(({ accessToken }) => accessToken).join()

const isAt = (found: Stored, { sessionId, version }: SessionRecord): boolean => {
  const record = sessionOf(found)
  return record?.sessionId === sessionId && record.version === version
}

/** Or it is there already: a write may be done twice where the store lost its word that it was done. */
const isDone = (found: Stored, next: SessionRecord): boolean => {
  const record = sessionOf(found)
  return record !== undefined && isAt(found, next) && accessTokensOf(record) === accessTokensOf(next)
}

/** Users who left by themselves, or for others, are not to be known any more. */
const isRestorable = (reason: EndReason) => reason !== 'replaced' && mayBeRestored(reason)

/** What the next reads have to write first. */
interface Owed {
  readonly next: SessionRecord | EndedSession
  may(found: Stored): boolean
}

/** @param tokenType what the access tokens of this client are. Default: Bearer. */
export function createTokenStore(keyValue: KeyValue, key: string, tokenType?: 'dpop'): SessionRecords {
  let current: Stored
  let owed: Owed | undefined
  // answers may arrive in another order than the store did the work in: the newest work decides what is current
  let steps = 0
  let written = 0
  let settled = 0
  const settle = (order: number, stored: Stored) => {
    if (order < settled) return
    settled = order
    current = stored
  }

  /** @param change `undefined` leaves what is there. @returns what was there. */
  const write = async (change: (found: Stored) => SessionRecord | EndedSession | undefined) => {
    let found: Stored
    let next: SessionRecord | EndedSession | undefined
    let order = 0
    await keyValue.update(key, stored => {
      found = parseStored(stored, tokenType)
      next = change(found)
      order = written = ++steps
      return next ?? stored
    })
    if (next) {
      settle(order, next)
      owed = undefined
    }
    return { found, isWritten: next !== undefined }
  }
  const put = async (next: SessionRecord, may: (found: Stored) => boolean) =>
    (await write(found => (may(found) || isDone(found, next) ? next : undefined))).isWritten

  /** What follows on a record that could not be stored takes the place of the same record as that. */
  const inPlaceOfOwed = (unchanged: SessionRecord): Owed['may'] | undefined => {
    const debt = owed
    return debt && 'tokens' in debt.next && isAt(debt.next, unchanged)
      ? found => debt.may(found) || isDone(found, unchanged)
      : undefined
  }
  const inPlaceOf = (unchanged: SessionRecord): Owed['may'] =>
    inPlaceOfOwed(unchanged) ?? (found => isAt(found, unchanged))

  return {
    get stored() {
      return current
    },
    get current() {
      return sessionOf(current)
    },
    get isUnsaved() {
      return owed !== undefined && 'tokens' in owed.next
    },
    async read() {
      let began: number
      let stored: unknown
      do {
        const debt = owed
        const pay = (found: Stored) => (owed === debt && debt?.may(found) ? debt.next : undefined)
        // what still cannot be written does not keep anybody from reading
        const isPaid =
          debt &&
          (await write(pay).then(
            () => true,
            () => false,
          ))
        if (isPaid && owed === debt) owed = undefined // somebody has changed what it was to take the place of
        began = ++steps
        stored = await keyValue.get(key)
      } while (began < written) // overtaken by a write of our own: what came may be from before it
      const found = parseStored(stored, tokenType)
      if (!owed?.may(found)) owed = undefined
      settle(began, owed?.next ?? found)
      return current
    },
    async begin(next) {
      const { isWritten } = await write(found => {
        // a write that a store does twice must not undo what came after it
        const there = sessionOf(found)
        if (there?.sessionId === next.sessionId) return there
        const { epoch = epochOf(found) } = next
        return epochOf(found) <= epoch || isDone(found, next) ? { ...next, epoch } : undefined
      })
      return isWritten
    },
    replace: (next, unchanged) => put(next, inPlaceOf(unchanged)),
    keep(next, unchanged) {
      const before = sessionOf(current)?.sessionId
      if (!unchanged && before === next.sessionId) return // a sign-in that was stored all the same, and read
      // it may be stored all the same, unread: what others made of it, and whatever came after it, stays
      const debt = owed
      // nor could the session before it be stored
      const isDebtOf = (sessionId: string | undefined, found: Stored) =>
        debt !== undefined && 'tokens' in debt.next && debt.next.sessionId === sessionId && debt.may(found)
      // the end of the session before it by anything but a sign-out is not its end
      const isBefore = (found: Stored) => {
        const ended = endOf(found)
        if (ended && ended.ended !== 'signed_out') return ended.sessionId !== next.sessionId
        // what this client cannot use is of somebody else: it may be this very session, bound to a key since
        if (found && 'unusable' in found) return false
        return sessionOf(found)?.sessionId === before
      }
      const may: Owed['may'] = unchanged
        ? inPlaceOf(unchanged)
        : (found: Stored) =>
            (isBefore(found) || isDebtOf(before, found)) && epochOf(found) === (next.epoch ?? epochOf(found))
      owed = { next, may }
      written = ++steps
      settle(written, next)
    },
    async end(reason, unchanged, leavingUntil) {
      const isOut = reason === 'signed_out'
      const recordOf = (found: Stored) =>
        found && 'unusable' in found && isOut ? found.record : sessionOf(found)
      // nothing ends what nobody here can read
      const isOpaque = (found: Stored) => found && 'unusable' in found && !recordOf(found)
      const endFor = (record: SessionRecord | undefined, epoch: number): EndedSession => ({
        schema: 1,
        ended: reason,
        sessionId: record?.sessionId ?? '',
        subject: isRestorable(reason) ? record?.tokens.claims?.sub : undefined,
        parameters: isRestorable(reason) ? record?.parameters : undefined,
        epoch: epoch + (isOut ? 1 : 0),
        leavingUntil,
      })
      const isId = typeof unchanged === 'string'
      const inPlace = unchanged && !isId ? inPlaceOfOwed(unchanged) : undefined
      const may = (found: Stored) =>
        isId
          ? sessionOf(found)?.sessionId === unchanged
          : unchanged
            ? sessionOf(found)?.tokens.refreshToken === unchanged.tokens.refreshToken || !!inPlace?.(found)
            : !isOpaque(found) && (isOut || sessionOf(found) !== undefined)
      try {
        const { found, isWritten } = await write(stored =>
          may(stored) ? endFor(recordOf(stored), epochOf(stored)) : undefined,
        )
        return isWritten ? recordOf(found) : undefined
      } catch (error) {
        const isOther =
          unchanged && sessionOf(current)?.sessionId !== (isId ? unchanged : unchanged.sessionId)
        if (isOther) throw error // it has begun meanwhile
        const ended = endFor(sessionOf(current), epochOf(current))
        // an end that could not be stored before: this one is of the same session
        const sessionId = ended.sessionId || (endOf(current)?.sessionId ?? '')
        const next = { ...ended, sessionId }
        owed = {
          next,
          may: found => may(found) && sessionOf(found)?.sessionId === sessionId,
        }
        written = ++steps
        settle(written, next)
        throw error
      }
    },
    drop(sessionId) {
      if (owed && 'tokens' in owed.next && owed.next.sessionId === sessionId) owed = undefined
    },
    async amend(change) {
      await write(change)
    },
  }
}
