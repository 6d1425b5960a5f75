import type { EndedSession, SessionRecord, Stored } from '../core/session.ts'
import type { AccessToken, TokenSet } from '../core/token-set.ts'
import type { StoredTrouble } from '../core/trouble.ts'
import type { EndReason } from '../errors.ts'

type Members = Record<string, unknown>

const isObject = (value: unknown): value is Members =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
const isText = (value: unknown): value is string => typeof value === 'string' && value !== ''
const isNumber = (value: unknown): value is number => typeof value === 'number' && Number.isFinite(value)
const isOptional = (value: unknown, is: (value: unknown) => boolean) => value === undefined || is(value)

const isAccessToken = (value: unknown): value is AccessToken =>
  isObject(value) &&
  (isText(value.accessToken) || (value.accessToken === '' && value.expiresAt === 0)) &&
  typeof value.scope === 'string' &&
  isOptional(value.expiresAt, isNumber) &&
  isOptional(value.refreshAt, isNumber)

const isTokenSet = (value: unknown): value is TokenSet =>
  isObject(value) &&
  isAccessToken(value) &&
  isOptional(value.refreshToken, isText) &&
  isOptional(value.idToken, isText) &&
  isOptional(value.refreshExpiresAt, isNumber) &&
  isOptional(value.parameters, isObject) &&
  isOptional(value.claims, claims => isObject(claims) && isText(claims.sub))

/** The parameters of an authorization request. Damaged ones are ignored. */
const parametersOf = (value: unknown): Readonly<Record<string, string>> | undefined =>
  isObject(value) && Object.values(value).every(isText) ? (value as Record<string, string>) : undefined

/** Only the intact access tokens: latchkey requests a damaged one again. */
const wholeOnes = (resources: unknown): SessionRecord['resources'] =>
  isObject(resources)
    ? Object.fromEntries(
        Object.entries(resources).filter((entry): entry is [string, AccessToken] => isAccessToken(entry[1])),
      )
    : undefined

const isTrouble = (value: unknown): value is StoredTrouble =>
  isObject(value) &&
  [value.since, value.at, value.until, value.askedUntil, value.failures, value.refusals].every(isNumber) &&
  [value.code, value.message].every(isText)

const isPending = (value: unknown): value is NonNullable<SessionRecord['pending']> =>
  isObject(value) && isText(value.tokenHash) && isNumber(value.sentAt)

function parseEnd({
  ended,
  sessionId,
  subject,
  tried,
  epoch,
  leavingUntil,
  parameters,
}: Members): EndedSession | undefined {
  if (!isText(ended) || typeof sessionId !== 'string') return undefined
  return {
    schema: 1,
    ended: ended as EndReason,
    sessionId,
    subject: isText(subject) ? subject : undefined,
    parameters: parametersOf(parameters),
    tried: tried === true ? tried : undefined,
    epoch: isNumber(epoch) ? epoch : undefined,
    leavingUntil: isNumber(leavingUntil) ? leavingUntil : undefined,
  }
}

function parseRecord(stored: Members): SessionRecord | undefined {
  const { sessionId, version, tokens, resources, requested, by, pending, tokenType, trouble, epoch } = stored
  if (!isText(sessionId) || !Number.isSafeInteger(version) || !isTokenSet(tokens)) return undefined
  if (tokenType !== undefined && tokenType !== 'dpop') return undefined
  return {
    schema: 1,
    sessionId,
    version: version as number,
    tokens,
    tokenType,
    resources: wholeOnes(resources),
    requested: isText(requested) ? requested : undefined,
    parameters: parametersOf(stored.parameters),
    by: isText(by) ? by : undefined,
    pending: isPending(pending) ? { tokenHash: pending.tokenHash, sentAt: pending.sentAt } : undefined,
    trouble: isTrouble(trouble) ? trouble : undefined,
    epoch: isNumber(epoch) ? epoch : undefined,
    grant: isText(stored.grant) ? stored.grant : undefined,
  }
}

/**
 * Reads a stored value for a client with access tokens of this type. Returns `undefined` for damaged and foreign values.
 * latchkey never uses a session that is bound to a key as Bearer. A Bearer session is bound to a key by its next refresh
 * (RFC 9449 section 5).
 * @param tokenType default: Bearer.
 */
export function parseStored(stored: unknown, tokenType?: 'dpop'): Stored {
  if (!isObject(stored)) return undefined
  if (isNumber(stored.schema) && stored.schema > 1) return { unusable: 'newer' }
  if (stored.schema !== 1) return undefined
  const record = parseRecord(stored)
  if (!record) return parseEnd(stored)
  if (record.tokenType === tokenType) return record
  return tokenType
    ? { ...record, resources: undefined, tokens: { ...record.tokens, expiresAt: 0, refreshAt: 0 } }
    : { unusable: 'bound', record }
}
