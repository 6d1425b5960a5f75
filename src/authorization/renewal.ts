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

/** Ten years: longer than any token lives, and far from what dates and timers cannot hold. */
const LONGEST_LIFETIME_SECONDS = 10 * 365 * 24 * 3600

/** What an answer is read with. */
interface TokenSetContext {
  readonly receivedAt: EpochMs
  readonly leewaySeconds: number
  readonly scope: string
  /** The members of the answer that the app wants to have. Default: none. */
  readonly responseParameters?: readonly string[]
}

/**
 * The tokens after a response. What it leaves out keeps its old value (RFC 6749 section 5.1 and 6); so does an ID Token
 * whose successor is not one, as long as it is of the same user.
 * @param context.leewaySeconds refresh this early, but never more than a fifth of the lifetime: a margin longer than
 * the lifetime would refresh for ever.
 * @param context.scope what was asked for, where neither this answer nor an earlier one says what was granted.
 */
export function toTokenSet(
  { response, claims, isDistrusted }: Granted,
  context: TokenSetContext & { previous?: TokenSet },
): TokenSet {
  const { receivedAt, leewaySeconds, previous, responseParameters = [] } = context
  // no lifetime, or none worth the name: the token is used until a 401
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

/** For how many seconds the refresh token lives, as Keycloak, and GitHub and Microsoft, say it. 0: as long as it is used. */
function refreshLifetimeOf({ refresh_expires_in, refresh_token_expires_in }: TokenResponse): number {
  const seconds = Number(refresh_expires_in ?? refresh_token_expires_in)
  return seconds > 0 ? Math.min(seconds, LONGEST_LIFETIME_SECONDS) : Number.NaN
}

/** What an answer leaves out keeps its old value. */
function withParameters(
  before: TokenSet['parameters'],
  response: TokenResponse,
  names: readonly string[],
): TokenSet['parameters'] {
  const found = names.filter(name => response[name] !== undefined).map(name => [name, response[name]])
  return found.length || before ? { ...before, ...Object.fromEntries(found) } : undefined
}

/** So much of a server's text is told of. */
const MOST = 200

/** The scopes that were granted without being asked for (RFC 6749 section 3.3), joined by spaces, and cut. */
export function unasked(granted: string | undefined, asked: string): string {
  const known = new Set(asked.split(' '))
  const more = granted?.split(' ').filter(name => name && !known.has(name)) ?? []
  return asked ? more.join(' ').slice(0, MOST) : ''
}

/** So many access tokens with a part of the scope are kept in a record. */
const MOST_PARTS = 20

/** The access tokens of single APIs, without those for parts of the scope (`tokenName`) that have expired or are too many. */
function livingOnes(resources: SessionRecord['resources'] = {}, now: EpochMs): SessionRecord['resources'] {
  const parts = Object.entries(resources).filter(([name]) => name.includes(' '))
  const kept = new Set(parts.filter(([, { expiresAt = Infinity }]) => now < expiresAt).slice(1 - MOST_PARTS))
  const gone = new Set(parts.filter(part => !kept.has(part)).map(([name]) => name))
  return Object.fromEntries(Object.entries(resources).filter(([name]) => !gone.has(name)))
}

/** What a session holds after a refresh: for all APIs in general, or for one of them. */
export type Renewed = Pick<SessionRecord, 'tokens' | 'resources'> & {
  /** The answer is for another API, for more or for somebody else: its refresh token is kept, its access token is not. */
  readonly refused?: LatchkeyError
}

/** @param context as for `toTokenSet`, for which the record's own tokens are the previous ones. */
export function renew(
  { tokens, resources, requested }: SessionRecord,
  resource: Resource | undefined,
  granted: Granted,
  context: TokenSetContext & { strict: boolean; warn: Warn },
): Renewed {
  const { receivedAt } = context
  const next = toTokenSet(granted, { ...context, previous: tokens })
  const { refreshToken, refreshExpiresAt, idToken, claims, parameters, ...accessToken } = next
  // the new refresh token is kept whatever else there is: the old one is spent
  const kept = { ...tokens, refreshToken, refreshExpiresAt, idToken, claims }
  if (granted.refused) return { tokens: kept, resources, refused: granted.refused }
  const more = resource || !requested ? '' : unasked(granted.response.scope, `${requested} ${tokens.scope}`)
  if (more) {
    const message = `A refresh granted more than the sign-in asked for: ${more}.`
    const refused = new ServerError(message, { error: 'invalid_scope' })
    if (context.strict) return { tokens: kept, resources, refused }
    context.warn('scope', message)
  }
  if (!resource) return { tokens: next, resources }
  const known = [tokens, ...Object.values(resources ?? {})].map(one => one.accessToken)
  if (known.includes(accessToken.accessToken) || !isFor(granted.response, resource)) {
    const refused = new ServerError(
      `The server gave an access token for another API than ${resource.url}. Check "resources", and what this client may ask for there.`,
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
 * Whether an answer is for the API that was asked for, as far as it says so itself. What an access token says is not for
 * us to read (RFC 9068 section 6).
 */
function isFor(response: TokenResponse, { parameters }: Resource): boolean {
  for (const name of ['resource', 'audience'] as const) {
    const [asked, told] = [parameters[name], response[name]]
    if (asked !== undefined && told !== undefined && ![told].flat().includes(asked)) return false
  }
  const asked = parameters.scope?.split(' ')
  const granted = response.scope?.split(' ')
  // less than was asked for is usual (RFC 6749 section 3.3), something else altogether is not
  return !asked || !granted || asked.some(name => granted.includes(name))
}

/**
 * What a token request for this API says.
 * @throws ServerError where more would be asked for than the user was asked for at the sign-in (RFC 6749 section 6).
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
    `This session was begun without the scope ${more.join(' ')}, which ${url.trim()} needs. Call signIn() to ask for it.`,
    { error: 'invalid_scope' },
  )
}
