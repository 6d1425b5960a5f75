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

export function createTokenStore(keyValue: KeyValue, key: string): TokenStore {
  let current: SessionRecord | undefined
  let unsaved: { next: SessionRecord; unchanged: SessionRecord | undefined } | undefined

  const store: TokenStore = {
    get current() {
      return current
    },
    async read() {
      const owed = unsaved
      if (owed && !(await store.replace(owed.next, owed.unchanged))) unsaved = undefined
      current = parseRecord(await keyValue.get(key))
      return current
    },
    async replace(next, unchanged) {
      let done = false
      await keyValue.update(key, stored => {
        done = !unchanged || isSame(parseRecord(stored), unchanged)
        return done ? next : stored
      })
      if (done) {
        current = next
        unsaved = undefined
      }
      return done
    },
    keep(next, unchanged) {
      current = next
      unsaved = { next, unchanged }
    },
    async clear(unchanged) {
      let removed: SessionRecord | undefined
      unsaved = undefined
      await keyValue.update(key, stored => {
        const found = parseRecord(stored)
        const leave = unchanged && found?.tokens.refreshToken !== unchanged.tokens.refreshToken
        removed = leave ? undefined : found
        return leave ? stored : undefined
      })
      if (!unchanged || removed) current = undefined
      return removed
    },
    forget() {
      current = undefined
    },
  }
  return store
}
