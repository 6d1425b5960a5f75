import type { SessionRecord } from '../core/session.ts'
import type { AccessToken, TokenSet } from '../core/token-set.ts'

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
const isText = (value: unknown): value is string => typeof value === 'string' && value !== ''
const isNumber = (value: unknown): value is number => typeof value === 'number' && Number.isFinite(value)
const isOptional = (value: unknown, is: (value: unknown) => boolean) => value === undefined || is(value)

const isAccessToken = (value: unknown): value is AccessToken =>
  isObject(value) &&
  isText(value.accessToken) &&
  typeof value.scope === 'string' &&
  isOptional(value.expiresAt, isNumber) &&
  isOptional(value.refreshAt, isNumber)

const isTokenSet = (value: unknown): value is TokenSet =>
  isObject(value) &&
  isAccessToken(value) &&
  isOptional(value.refreshToken, isText) &&
  isOptional(value.idToken, isText) &&
  isOptional(value.claims, claims => isObject(claims) && isText(claims.sub))

/** Those that are whole: one that is damaged is fetched anew. */
const wholeOnes = (resources: unknown): SessionRecord['resources'] =>
  isObject(resources)
    ? Object.fromEntries(
        Object.entries(resources).filter((entry): entry is [string, AccessToken] => isAccessToken(entry[1])),
      )
    : undefined

/**
 * Reads what is stored. Whatever is not a whole record of ours (damaged, foreign, of a version that this one does not
 * know) is `undefined`, which means signed out.
 */
export function parseRecord(stored: unknown): SessionRecord | undefined {
  if (!isObject(stored) || stored.schema !== 1) return undefined
  const { sessionId, version, tokens, resources, requested, by, pending, tokenType } = stored
  if (!isText(sessionId) || !Number.isSafeInteger(version) || !isTokenSet(tokens)) return undefined
  if (tokenType !== undefined && tokenType !== 'dpop') return undefined
  const record: SessionRecord = {
    schema: 1,
    sessionId,
    version: version as number,
    tokens,
    tokenType,
    resources: wholeOnes(resources),
    requested: isText(requested) ? requested : undefined,
    by: isText(by) ? by : undefined,
  }
  return isObject(pending) && isText(pending.tokenHash) && isNumber(pending.sentAt)
    ? { ...record, pending: { tokenHash: pending.tokenHash, sentAt: pending.sentAt } }
    : record
}
