import { REPORT } from '../authorization/failure.ts'
import type { Client } from '../core/client.ts'
import type { Grant, GrantContext, GrantScope } from '../core/grant.ts'
import type { Store } from '../core/ports.ts'
import type { TokenResponse } from '../core/token-set.ts'
import { ConfigurationError, ServerError } from '../errors.ts'
import { boundStore } from './bound-store.ts'

type Parameters = Readonly<Record<string, string>>

/** Which access token to request, in addition to the option `scope`. */
export interface TargetParameters {
  /** The API that the access token is for, an absolute URI (RFC 8707 section 2). */
  resource?: string
  /** The name that some servers use instead of `resource`. */
  audience?: string
  /** Further parameters of the token request. Default: none. */
  parameters?: Parameters
}

/**
 * The token of the user for whom latchkey requests tokens: the token itself, the user's latchkey client, or a function that
 * latchkey calls before each token request.
 */
export type Subject =
  | string
  | Pick<Client, 'getAccessToken' | 'events'>
  | ((context: GrantContext) => string | Promise<string>)

export interface TokenExchangeOptions extends TargetParameters {
  /** The token to exchange (RFC 8693 section 2.1). */
  subjectToken: Subject
  /** The type of `subjectToken`. Default `urn:ietf:params:oauth:token-type:access_token`. */
  subjectTokenType?: string
  /** The token of the party that acts for the subject; the new token's `act` claim then names it (RFC 8693 section 4.1). Default: none. */
  actorToken?: Subject
  /** The type of `actorToken`. Default `urn:ietf:params:oauth:token-type:access_token`. */
  actorTokenType?: string
  /** The type of token to request. Default: the server decides. */
  requestedTokenType?: string
}

export interface JwtBearerOptions extends TargetParameters {
  /** The assertion (RFC 7523 section 2.1): a JWT that your program signs, or the access token of the request it received. */
  assertion: Subject
  /** Whether to ask Microsoft Entra for a token on behalf of the user (`requested_token_use`). Default false. */
  onBehalfOf?: boolean
}

/** The functions of the environment that these grants need. */
export interface GrantEnvironment {
  hash(text: string): Promise<string>
  memory(): Store
}

const ACCESS_TOKEN = 'urn:ietf:params:oauth:token-type:access_token'
/** The `issued_token_type` values of tokens that latchkey can send to an API (RFC 8693 section 3). */
const USABLE = [ACCESS_TOKEN, 'urn:ietf:params:oauth:token-type:jwt']
const EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange'
const JWT_BEARER = 'urn:ietf:params:oauth:grant-type:jwt-bearer'
/** Parameters of a token request that latchkey sets itself. */
const RESERVED = /^(grant_type|client_.*)$/

const definedOf = (members: Readonly<Record<string, string | undefined>>): Parameters =>
  Object.fromEntries(Object.entries(members).filter((entry): entry is [string, string] => !!entry[1]))

function checkParameters(parameters: Parameters): Parameters {
  for (const [name, value] of Object.entries(parameters)) {
    if (!RESERVED.test(name) && typeof value === 'string' && value) continue
    throw new ConfigurationError(
      RESERVED.test(name)
        ? `The parameter "${name}" of a grant must be left out: latchkey sets it.`
        : `The parameter "${name}" of a grant must be a text that is not empty.`,
    )
  }
  return parameters
}

const isClient = (subject: Subject): subject is Exclude<Subject, string | ((...args: never) => unknown)> =>
  typeof subject === 'object' && typeof subject?.getAccessToken === 'function'

const tokenOf = async (subject: Subject, context: GrantContext): Promise<string> =>
  typeof subject === 'string' ? subject : isClient(subject) ? subject.getAccessToken() : subject(context)

function checkSubject(subject: Subject, option: string): void {
  if (typeof subject === 'function' || isClient(subject) || (typeof subject === 'string' && subject)) return
  throw new ConfigurationError(`"${option}" must be a token, a function that returns one, or a client.`)
}

/** Chooses a store that keeps one user's tokens apart from those of others. */
function personalStore(
  { hash, memory }: GrantEnvironment,
  subjects: readonly Subject[],
  about: unknown,
): NonNullable<Grant['store']> {
  const isOpen = subjects.some(subject => typeof subject !== 'string')
  return ({ store, scope, session }: GrantScope) => {
    if (store && isOpen && session === undefined) {
      throw new ConfigurationError(
        'This grant acts for a user, and "store" may contain the tokens of other users. Set "session" to a name for this user, or omit "store" to keep the tokens in memory.',
      )
    }
    const fixed = subjects.map(subject => typeof subject === 'string' && subject)
    return boundStore(store ?? memory(), hash, [about, scope, fixed])
  }
}

/** Ends the session when the session of its subject's client ends, because its tokens act for that user. */
const endsWith =
  (subjects: readonly Subject[]): NonNullable<Grant['extension']> =>
  context => {
    const stops = subjects.filter(isClient).map(subject => {
      let isWatching = true
      subject.events.subscribe(event => {
        const session = context.session()
        if (isWatching && event.type === 'session-ended' && session)
          void context.endSession(session.sessionId, event.reason)
      })
      return () => {
        isWatching = false
      }
    })
    return {
      close() {
        for (const stop of stops) stop()
      },
    }
  }

/** RFC 6749 section 4.4 */
export function clientCredentials(
  { hash }: GrantEnvironment,
  { resource, audience, parameters }: TargetParameters,
): Grant {
  const sent = checkParameters({ ...parameters, ...definedOf({ resource, audience }) })
  return {
    type: 'client_credentials',
    parameters: async () => sent,
    store: ({ store, defaultStore, scope }) => boundStore(store ?? defaultStore(), hash, [sent, scope]),
  }
}

const invalidResponse = (what: string) =>
  new ServerError(`The answer to the token exchange ${what}. ${REPORT}`, { error: 'invalid_response' })

/** RFC 8693 */
export function tokenExchange(
  environment: GrantEnvironment,
  {
    subjectToken,
    subjectTokenType = ACCESS_TOKEN,
    actorToken,
    actorTokenType = ACCESS_TOKEN,
    requestedTokenType,
    resource,
    audience,
    parameters,
  }: TokenExchangeOptions,
): Grant {
  checkSubject(subjectToken, 'subjectToken')
  if (actorToken !== undefined) checkSubject(actorToken, 'actorToken')
  const sent = checkParameters({
    ...parameters,
    ...definedOf({ resource, audience, requested_token_type: requestedTokenType }),
    subject_token_type: subjectTokenType,
    ...(actorToken !== undefined && { actor_token_type: actorTokenType }),
  })
  const subjects = [subjectToken, ...(actorToken === undefined ? [] : [actorToken])]
  return {
    type: EXCHANGE,
    usesRefreshToken: true,
    async parameters(context) {
      const [subject, actor] = await Promise.all(subjects.map(one => tokenOf(one, context)))
      const tokens = { subject_token: subject as string, ...(actor !== undefined && { actor_token: actor }) }
      return { ...sent, ...checkParameters(tokens) }
    },
    check({ issued_token_type: issued }: TokenResponse) {
      const expected = requestedTokenType === undefined ? USABLE : [requestedTokenType]
      if (typeof issued !== 'string')
        throw invalidResponse('has no issued_token_type (RFC 8693 section 2.2.1)')
      if (!expected.includes(issued)) throw invalidResponse('has a token of another type than was asked for')
    },
    store: personalStore(environment, subjects, sent),
    extension: endsWith(subjects),
  }
}

/** RFC 7523 section 2.1 */
export function jwtBearer(
  environment: GrantEnvironment,
  { assertion, onBehalfOf, resource, audience, parameters }: JwtBearerOptions,
): Grant {
  checkSubject(assertion, 'assertion')
  const use = onBehalfOf ? 'on_behalf_of' : undefined
  const sent = checkParameters({
    ...parameters,
    ...definedOf({ resource, audience, requested_token_use: use }),
  })
  return {
    type: JWT_BEARER,
    usesRefreshToken: true,
    parameters: async context => ({
      ...sent,
      ...checkParameters({ assertion: await tokenOf(assertion, context) }),
    }),
    store: personalStore(environment, [assertion], sent),
    extension: endsWith([assertion]),
  }
}

const PASSWORD_WARNING =
  'The password grant shows the password of the user to this program, and RFC 9700 section 2.4 forbids it. Use the authorization code flow, or deviceCode().'

/** RFC 6749 section 4.5 */
export function custom(
  { hash, memory }: GrantEnvironment,
  type: string,
  parameters: Parameters | ((context: GrantContext) => Parameters | Promise<Parameters>),
): Grant {
  if (typeof type !== 'string' || !/^[!-~]+$/.test(type) || /^(authorization_code|refresh_token)$/.test(type))
    throw new ConfigurationError(
      `The first argument of custom() must be a "grant_type" such as "urn:example:grant"; got ${JSON.stringify(type)}.`,
    )
  const isFunction = typeof parameters === 'function'
  if (!isFunction) checkParameters(parameters)
  return {
    type,
    usesRefreshToken: true,
    parameters: async context =>
      isFunction ? checkParameters(await parameters(context)) : { ...parameters },
    store: isFunction
      ? personalStore({ hash, memory }, [async () => ''], type)
      : ({ store, scope }) => boundStore(store ?? memory(), hash, [parameters, scope]),
    ...(type === 'password' && {
      extension: ({ warn }) => {
        queueMicrotask(() => warn('password_grant', PASSWORD_WARNING))
        return {}
      },
    }),
  }
}
