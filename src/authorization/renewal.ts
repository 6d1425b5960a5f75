import type { Resource } from '../core/destination.ts'
import type { Warn } from '../core/events.ts'
import type { EpochMs } from '../core/ports.ts'
import type { SessionRecord } from '../core/session.ts'
import type { Granted, IdTokenClaims, TokenResponse, TokenSet } from '../core/token-set.ts'
import { type LatchkeyError, ServerError } from '../errors.ts'

/** Whether a refreshed ID Token is of the same sign-in as the one before (OpenID Connect Core section 12.2). */
const isContinued = (before: IdTokenClaims, after: IdTokenClaims): boolean =>
  [before.aud].flat().every(audience => [after.aud].flat().includes(audience)) &&
  ['iss', 'azp', 'auth_time', 'nonce'].every(
    name => (after[name] ?? before[name]) === (before[name] ?? after[name]),
  )

/** Ten years: longer than any token lives, and small enough for dates and timers. */
const LONGEST_LIFETIME_SECONDS = 10 * 365 * 24 * 3600

/** The circumstances of a token response. */
interface TokenSetContext {
  readonly receivedAt: EpochMs
  readonly leewaySeconds: number
  readonly scope: string
  /** The members of the response to keep for the app. Default: none. */
  readonly responseParameters?: readonly string[]
}

/**
 * The tokens after a response. A value that the response leaves out stays (RFC 6749 sections 5.1 and 6). The old ID Token
 * also stays if the new one does not continue it, as long as both are of the same user.
 * @param context.leewaySeconds how early to refresh, but never more than a fifth of the lifetime: with a leeway longer than
 * the lifetime, each new access token would be refreshed immediately.
 * @param context.scope the requested scope, used if neither this response nor an earlier one contains the granted scope.
 */
export function toTokenSet(
  { response, claims, isDistrusted }: Granted,
  context: TokenSetContext & { previous?: TokenSet },
): TokenSet {
  const { receivedAt, leewaySeconds, previous, responseParameters = [] } = context
  // without a positive lifetime, the access token is used until a 401
  const seconds = Math.min(response.expires_in || Number.NaN, LONGEST_LIFETIME_SECONDS)
  const after = (wait: number) => (Number.isNaN(wait) ? undefined : receivedAt + wait * 1000)
  const old = previous?.claims
  const isRefused =
    claims && (old ? old.sub === claims.sub && (isDistrusted || !isContinued(old, claims)) : isDistrusted)
  return {
    accessToken: response.access_token,
    refreshToken: response.refresh_token ?? previous?.refreshToken,
    idToken: (isRefused ? undefined : response.id_token) ?? previous?.idToken,
    claims: (isRefused ? undefined : claims) ?? old,
    scope: response.scope ?? previous?.scope ?? context.scope,
    authorizationDetails: response.authorization_details ?? previous?.authorizationDetails,
    expiresAt: after(seconds),
    refreshAt: after(seconds - Math.min(leewaySeconds, seconds * 0.2)),
    refreshExpiresAt:
      after(refreshLifetimeOf(response)) ?? (response.refresh_token ? undefined : previous?.refreshExpiresAt),
    parameters: withParameters(previous?.parameters, response, responseParameters),
  }
}

/** The seconds that the refresh token lives, by the members of Keycloak, GitHub and Microsoft. NaN if unknown or 0. */
function refreshLifetimeOf({ refresh_expires_in, refresh_token_expires_in }: TokenResponse): number {
  const seconds = Number(refresh_expires_in ?? refresh_token_expires_in)
  return seconds > 0 ? Math.min(seconds, LONGEST_LIFETIME_SECONDS) : Number.NaN
}

/** A member that the response leaves out keeps its old value. */
function withParameters(
  before: TokenSet['parameters'],
  response: TokenResponse,
  names: readonly string[],
): TokenSet['parameters'] {
  const found = names.filter(name => response[name] !== undefined).map(name => [name, response[name]])
  return found.length || before ? { ...before, ...Object.fromEntries(found) } : undefined
}

/** The most characters of a server's text in a message. */
const MOST = 200

/** The granted scopes that were not requested (RFC 6749 section 3.3), joined by spaces and truncated. */
export function unasked(granted: string | undefined, asked: string): string {
  const known = new Set(asked.split(' '))
  const more = granted?.split(' ').filter(name => name && !known.has(name)) ?? []
  return asked ? more.join(' ').slice(0, MOST) : ''
}

/** The most access tokens for parts of the scope in a record. */
const MOST_PARTS = 20

/** Removes access tokens for parts of the scope (`tokenName`) that have expired, and the oldest if there are too many. */
function livingOnes(resources: SessionRecord['resources'] = {}, now: EpochMs): SessionRecord['resources'] {
  const parts = Object.entries(resources).filter(([name]) => name.includes(' '))
  const kept = new Set(parts.filter(([, { expiresAt = Infinity }]) => now < expiresAt).slice(1 - MOST_PARTS))
  const removed = new Set(parts.filter(part => !kept.has(part)).map(([name]) => name))
  return Object.fromEntries(Object.entries(resources).filter(([name]) => !removed.has(name)))
}

/** The tokens of a session after a refresh. */
export type Renewed = Pick<SessionRecord, 'tokens' | 'resources'> & {
  /** Why latchkey keeps only the refresh token of the response: it is for another API, another user or more scopes. */
  readonly refused?: LatchkeyError
}

/**
 * Applies a token response to a record.
 * @param resource the API in `resources`, if the request was for one.
 * @param context as for `toTokenSet`.
 */
export function renew(
  { tokens, resources, requested }: SessionRecord,
  resource: Resource | undefined,
  granted: Granted,
  context: TokenSetContext & { strict: boolean; warn: Warn },
): Renewed {
  const { receivedAt } = context
  const next = toTokenSet(granted, { ...context, previous: tokens })
  const { refreshToken, refreshExpiresAt, idToken, claims, parameters, ...accessToken } = next
  // the new refresh token is kept in any case: the old one has been used up
  const kept = { ...tokens, refreshToken, refreshExpiresAt, idToken, claims }
  if (granted.refused) return { tokens: kept, resources, refused: granted.refused }
  const more = resource || !requested ? '' : unasked(granted.response.scope, `${requested} ${tokens.scope}`)
  if (more) {
    const message = `The refresh response contains scopes that the sign-in did not request: ${more}. Add them to "scope".`
    const refused = new ServerError(message, { error: 'invalid_scope' })
    if (context.strict) return { tokens: kept, resources, refused }
    context.warn('scope', message)
  }
  if (!resource) return { tokens: next, resources }
  const known = [tokens, ...Object.values(resources ?? {})].map(one => one.accessToken)
  if (known.includes(accessToken.accessToken) || !isFor(granted.response, resource)) {
    const refused = new ServerError(
      `The server returned an access token that is not for ${resource.url}. Check "resources" and the APIs that this client may use.`,
      { error: 'invalid_target' },
    )
    return { tokens: kept, resources, refused }
  }
  const scope = granted.response.scope ?? resource.parameters.scope ?? ''
  const { authorization_details: authorizationDetails } = granted.response
  const own = { ...accessToken, scope, authorizationDetails }
  return { tokens: kept, resources: { ...livingOnes(resources, receivedAt), [resource.url]: own } }
}

/**
 * Whether a response is for the requested API, as far as its members tell. A client must not read the access token
 * (RFC 9068 section 6).
 */
function isFor(response: TokenResponse, { parameters }: Resource): boolean {
  for (const name of ['resource', 'audience'] as const) {
    const [asked, granted] = [parameters[name], response[name]]
    if (asked !== undefined && granted !== undefined && ![granted].flat().includes(asked)) return false
  }
  const asked = parameters.scope?.split(' ')
  const granted = response.scope?.split(' ')
  // servers often grant less than the requested scope (RFC 6749 section 3.3), but not only other scopes
  return !asked || !granted || asked.some(name => granted.includes(name))
}

/**
 * The parameters of a token request for this API.
 * @throws ServerError if they include a scope that the sign-in did not request (RFC 6749 section 6).
 */
export function requestFor(
  { url, parameters }: Resource,
  { requested }: SessionRecord,
): Resource['parameters'] {
  const asked = parameters.scope?.split(' ') ?? []
  const granted = requested?.split(' ')
  const more = asked.filter(name => granted?.includes(name) === false)
  if (!more.length) return parameters
  throw new ServerError(
    `${url.trim()} requires the scope ${more.join(' ')}, which this session did not request. Call signIn() to request it.`,
    { error: 'invalid_scope' },
  )
}
