import type { KeyValue } from '../../src/core/ports.ts'
import type { Stored } from '../../src/core/session.ts'
import { parseStored } from '../../src/session/record.ts'

/** What a client understands: the records of a later release too, or those that are bound to keys. */
export interface Abilities {
  readonly isLater?: boolean
  readonly tokenType?: 'dpop'
}

const withSchema = (value: unknown, schema: 1 | 2): unknown =>
  typeof value === 'object' && value !== null && 'schema' in value ? { ...value, schema } : value

/** What a client with these abilities finds in a stored value. */
const readBy = ({ isLater, tokenType }: Abilities, stored: unknown): Stored =>
  parseStored(isLater ? withSchema(stored, 1) : stored, tokenType)

/** What the client finds that understands most. */
export const readByMost = (stored: unknown): Stored => readBy({ isLater: true, tokenType: 'dpop' }, stored)

export const isUsable = (abilities: Abilities, stored: unknown): boolean => {
  const found = readBy(abilities, stored)
  return !found || !('unusable' in found)
}

/** A store that changes values on their way: `read` on the way to the client, `write` on the way back. */
const translated = (
  keyValue: KeyValue,
  read: (stored: unknown) => unknown,
  write: (next: unknown) => unknown = next => next,
): KeyValue => ({
  ...keyValue,
  get: async key => read(await keyValue.get(key)),
  update: (key, change) =>
    keyValue.update(key, stored => {
      const found = read(stored)
      const next = change(found)
      return next === found ? stored : write(next)
    }),
})

/** The store as a later release uses it: it writes another schema, and reads that of today too. */
export const ofLaterRelease = (keyValue: KeyValue): KeyValue =>
  translated(
    keyValue,
    stored => withSchema(stored, 1),
    next => withSchema(next, 2),
  )

/** The store as a client uses it that takes what it cannot use for nothing. */
export const withoutUnusable = (keyValue: KeyValue, abilities: Abilities): KeyValue =>
  translated(keyValue, stored => (isUsable(abilities, stored) ? stored : undefined))
