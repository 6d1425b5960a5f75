import type { KeyValue } from '../core/ports.ts'
import type { SessionRecord } from '../core/session.ts'
import { parseRecord } from './record.ts'

/** The session's record in a store, with the copy of it that this realm works from. */
export interface TokenStore {
  /** What was last read or written here: what calls use while it is fresh. */
  readonly current: SessionRecord | undefined
  /** Reads the store; afterwards `current` is what it holds. */
  read(): Promise<SessionRecord | undefined>
  /**
   * Stores `next` in one atomic step.
   * @param unchanged only if the store still holds this session at this version.
   * @returns whether it was stored.
   */
  replace(next: SessionRecord, unchanged?: SessionRecord): Promise<boolean>
  /** Keeps a record that could not be stored, in memory only; every `read` tries to store it again. */
  keep(next: SessionRecord, unchanged?: SessionRecord): void
  /**
   * Removes the record in one atomic step.
   * @param unchanged only if the store still holds this refresh token.
   * @returns what was removed.
   */
  clear(unchanged?: SessionRecord): Promise<SessionRecord | undefined>
  /** Forgets the copy without touching the store. */
  forget(): void
}

const isSame = (a: SessionRecord | undefined, b: SessionRecord) =>
  a?.sessionId === b.sessionId && a.version === b.version

/** Two records of one version are the same if their access tokens are: those are never given twice. */
const accessTokensOf = ({ tokens, resources = {} }: SessionRecord): string =>
  [tokens, ...Object.values(resources)].map(({ accessToken }) => accessToken).join()

/**
 * A record as a client uses it whose access tokens are of this type. One that is bound to a key is never used as Bearer; a
 * Bearer one is bound to a key by its next refresh (RFC 9449 section 5).
 */
function asType(record: SessionRecord | undefined, tokenType?: 'dpop'): SessionRecord | undefined {
  if (!record || record.tokenType === tokenType) return record
  return tokenType
    ? { ...record, resources: undefined, tokens: { ...record.tokens, expiresAt: 0, refreshAt: 0 } }
    : undefined
}

/** @param tokenType what the access tokens of this client are. Default: Bearer. */
export function createTokenStore(keyValue: KeyValue, key: string, tokenType?: 'dpop'): TokenStore {
  const parse = (stored: unknown) => asType(parseRecord(stored), tokenType)

  let current: SessionRecord | undefined
  let unsaved: { next: SessionRecord; may(stored: SessionRecord | undefined): boolean } | undefined
  // answers may arrive in another order than the store did the work in: the newest work decides what is current
  let steps = 0
  let written = 0
  let settled = 0
  const write = () => {
    written = ++steps
    return written
  }
  const settle = (order: number, record: SessionRecord | undefined) => {
    if (order < settled) return
    settled = order
    current = record
  }

  const put = async (next: SessionRecord, may: (found: SessionRecord | undefined) => boolean) => {
    let done = false
    let order = 0
    await keyValue.update(key, stored => {
      const found = parse(stored)
      // or it is there already: a write may be done twice where the store lost its word that it was done
      const isDone = found && isSame(found, next) && accessTokensOf(found) === accessTokensOf(next)
      done = may(found) || isDone === true
      order = write()
      return done ? next : stored
    })
    if (done) {
      settle(order, next)
      unsaved = undefined
    }
    return done
  }

  return {
    get current() {
      return current
    },
    async read() {
      let began: number
      let stored: unknown
      do {
        const owed = unsaved
        if (owed && !(await put(owed.next, owed.may)) && unsaved === owed) unsaved = undefined
        began = ++steps
        stored = await keyValue.get(key)
      } while (began < written) // overtaken by a write of our own: what came may be from before it
      settle(began, parse(stored))
      return current
    },
    replace: (next, unchanged) => put(next, found => !unchanged || isSame(found, unchanged)),
    keep(next, unchanged) {
      const before = current?.sessionId
      if (!unchanged && before === next.sessionId) return // a sign-in that was stored all the same, and read
      // it may be stored all the same, unread: what others made of it, and whatever came after it, stays
      const may = (found: SessionRecord | undefined) =>
        unchanged ? isSame(found, unchanged) : found?.sessionId === before
      unsaved = { next, may }
      settle(write(), next)
    },
    async clear(unchanged) {
      let removed: SessionRecord | undefined
      let order = 0
      unsaved = undefined
      await keyValue.update(key, stored => {
        const found = parse(stored)
        const leave = unchanged && found?.tokens.refreshToken !== unchanged.tokens.refreshToken
        if (found) removed = leave ? undefined : found
        order = write()
        return leave ? stored : undefined
      })
      if (!unchanged || removed) settle(order, undefined)
      return removed
    },
    forget() {
      unsaved = undefined
      settle(write(), undefined)
    },
  }
}
