import { isMembers, type Members } from '../core/members.ts'
import type { EndedSession, SessionRecord, Stored } from '../core/session.ts'
import type { AccessToken, TokenSet } from '../core/token-set.ts'
import type { EndReason } from '../errors.ts'

const isText = (value: unknown): value is string => typeof value === 'string' && value !== ''
const isNumber = (value: unknown): value is number => typeof value === 'number' && Number.isFinite(value)
const isOptional = (value: unknown, is: (value: unknown) => boolean) => value === undefined || is(value)

const isAccessToken = (value: unknown): value is AccessToken =>
  isMembers(value) &&
  (isText(value.accessToken) || (value.accessToken === '' && value.expiresAt === 0)) &&
  typeof value.scope === 'string' &&
  isOptional(value.expiresAt, isNumber) &&
  isOptional(value.refreshAt, isNumber)

const isTokenSet = (value: unknown): value is TokenSet =>
  isMembers(value) &&
  isAccessToken(value) &&
  isOptional(value.refreshToken, isText) &&
  isOptional(value.idToken, isText) &&
  isOptional(value.refreshExpiresAt, isNumber) &&
  isOptional(value.parameters, isMembers) &&
  isOptional(value.claims, claims => isMembers(claims) && isText(claims.sub))

const isParameters = (value: unknown) => isMembers(value) && Object.values(value).every(isText)

/** Only the intact access tokens: latchkey requests a damaged one again. */
const wholeOnes = (resources: unknown): SessionRecord['resources'] =>
  isMembers(resources)
    ? Object.fromEntries(
        Object.entries(resources).filter((entry): entry is [string, AccessToken] => isAccessToken(entry[1])),
      )
    : undefined

const isTrouble = (value: unknown) =>
  isMembers(value) &&
  [value.since, value.at, value.until, value.askedUntil, value.failures, value.refusals].every(isNumber) &&
  [value.code, value.message].every(isText)

const isPending = (value: unknown) => isMembers(value) && isText(value.tokenHash) && isNumber(value.sentAt)

/** The members that a record works without: latchkey ignores damaged ones. */
const OPTIONAL = {
  requested: isText,
  parameters: isParameters,
  by: isText,
  pending: isPending,
  trouble: isTrouble,
  epoch: isNumber,
  grant: isText,
  subject: isText,
  tried: value => value === true,
  leavingUntil: isNumber,
} satisfies Partial<Record<keyof SessionRecord | keyof EndedSession, (value: unknown) => boolean>>

const optionalOf = (stored: Members): object =>
  Object.fromEntries(
    Object.entries(OPTIONAL)
      .filter(([name, isWhole]) => isWhole(stored[name]))
      .map(([name]) => [name, stored[name]]),
  )

function parseEnd(stored: Members): EndedSession | undefined {
  const { ended, sessionId } = stored
  if (!isText(ended) || typeof sessionId !== 'string') return undefined
  return { ...optionalOf(stored), schema: 1, ended: ended as EndReason, sessionId }
}

function parseRecord(stored: Members): SessionRecord | undefined {
  const { sessionId, version, tokens, tokenType, resources } = stored
  if (!isText(sessionId) || !Number.isSafeInteger(version) || !isTokenSet(tokens)) return undefined
  if (tokenType !== undefined && tokenType !== 'dpop') return undefined
  return {
    ...optionalOf(stored),
    ...{ schema: 1, sessionId, version: version as number, tokens, tokenType },
    resources: wholeOnes(resources),
  }
}

/**
 * Reads a stored value for a client with access tokens of this type. Returns `undefined` for damaged and foreign values.
 * latchkey never uses a session that is bound to a key as Bearer. A Bearer session is bound to a key by its next refresh
 * (RFC 9449 section 5).
 * @param tokenType default: Bearer.
 */
export function parseStored(stored: unknown, tokenType?: 'dpop'): Stored {
  if (!isMembers(stored)) return undefined
  const epoch = isNumber(stored.epoch) ? stored.epoch : undefined
  if (isNumber(stored.schema) && stored.schema > 1) return { unusable: 'newer', epoch }
  if (stored.schema !== 1) return undefined
  const record = parseRecord(stored)
  if (!record) return parseEnd(stored)
  if (record.tokenType === tokenType) return record
  return tokenType
    ? { ...record, resources: undefined, tokens: { ...record.tokens, expiresAt: 0, refreshAt: 0 } }
    : { unusable: 'bound', record, epoch }
}
