import type { SessionRecord } from '../core/session.ts'
import type { TokenSet } from '../core/token-set.ts'

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
const isText = (value: unknown): value is string => typeof value === 'string' && value !== ''
const isNumber = (value: unknown): value is number => typeof value === 'number' && Number.isFinite(value)
const isOptional = (value: unknown, is: (value: unknown) => boolean) => value === undefined || is(value)

const isTokenSet = (value: unknown): value is TokenSet =>
  isObject(value) &&
  isText(value.accessToken) &&
  isOptional(value.refreshToken, isText) &&
  isOptional(value.idToken, isText) &&
  isOptional(value.claims, claims => isObject(claims) && isText(claims.sub)) &&
  typeof value.scope === 'string' &&
  isOptional(value.expiresAt, isNumber) &&
  isOptional(value.refreshAt, isNumber)

/**
 * Reads what is stored. Whatever is not a whole record of ours (damaged, foreign, of a version that this one does not
 * know) is `undefined`, which means signed out.
 */
export function parseRecord(stored: unknown): SessionRecord | undefined {
  if (!isObject(stored) || stored.schema !== 1) return undefined
  const { sessionId, version, tokens, by, pending } = stored
  if (!isText(sessionId) || !Number.isSafeInteger(version) || !isTokenSet(tokens)) return undefined
  const record: SessionRecord = {
    schema: 1,
    sessionId,
    version: version as number,
    tokens,
    by: isText(by) ? by : undefined,
  }
  return isObject(pending) && isText(pending.tokenHash) && isNumber(pending.sentAt)
    ? { ...record, pending: { tokenHash: pending.tokenHash, sentAt: pending.sentAt } }
    : record
}
