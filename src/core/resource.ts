import { type LatchkeyError, ServerError } from '../errors.ts'
import type { Emit } from './events.ts'
import { unasked } from './scope.ts'
import type { SessionRecord } from './session.ts'
import { type Granted, type TokenResponse, toTokenSet } from './token-set.ts'

/** An API that has an access token of its own (RFC 8707). */
export interface Resource {
  /** The URL that its requests begin with, without a slash at the end: also the name of its token in the record. */
  readonly url: string
  /** What a token request for it says. */
  readonly parameters: Readonly<Partial<Record<'resource' | 'audience' | 'scope', string>>>
}

/** The API that a request to `url` goes to; of two that fit, the one which stands first. */
export const findResource = (url: URL, resources: readonly Resource[]): Resource | undefined => {
  const path = `${url.origin}${url.pathname}/`
  return resources.find(resource => path.startsWith(`${resource.url}/`))
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
  context: { receivedAt: number; leewaySeconds: number; scope: string; strict: boolean; emit: Emit },
): Renewed {
  const next = toTokenSet(granted, { ...context, previous: tokens })
  const { refreshToken, idToken, claims, ...accessToken } = next
  // the new refresh token is kept whatever else there is: the old one is spent
  const kept = { ...tokens, refreshToken, idToken, claims }
  if (granted.refused) return { tokens: kept, resources, refused: granted.refused }
  const more = resource || !requested ? '' : unasked(granted.response.scope, `${requested} ${tokens.scope}`)
  if (more) {
    const message = `A refresh granted more than the sign-in asked for: ${more}.`
    const refused = new ServerError(message, { error: 'invalid_scope' })
    if (context.strict) return { tokens: kept, resources, refused }
    context.emit({ type: 'warning', about: 'scope', message })
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
  return { tokens: kept, resources: { ...resources, [resource.url]: own } }
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
    `This session was begun without the scope ${more.join(' ')}, which ${url} needs. Call signIn() to ask for it.`,
    { error: 'invalid_scope' },
  )
}
