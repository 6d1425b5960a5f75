import type { ServerSettings } from './core/authorization.ts'
import { baseOf, isConfidential, isOrigin, parseUrl, type Resource } from './core/destination.ts'
import type { ClientAuthentication, Extension } from './core/extension.ts'
import type { Grant } from './core/grant.ts'
import {
  check,
  checkAuthorizationParameters,
  checkIndicator,
  checkNames,
  checkParameters,
  definedOf,
  isFunction,
  ONLY_LOOPBACK,
  parseRedirectUri,
  parseScope,
  RESERVED_AT_SIGN_OUT,
} from './core/option-checks.ts'
import type { Clock, ConnectHost, Fetch, Logger, Store, UserAgent } from './core/ports.ts'
import { QUIRKS, type Quirk } from './core/quirks.ts'
import { ConfigurationError } from './errors.ts'

/** The metadata of an authorization server that publishes none (names of RFC 8414 section 2). */
export interface ServerMetadata {
  readonly issuer: string
  readonly authorization_endpoint: string
  readonly token_endpoint: string
  readonly jwks_uri?: string
  readonly revocation_endpoint?: string
  readonly end_session_endpoint?: string
  readonly [member: string]: unknown
}

/** The parameters to ask for one API's access token with. Set at least one. */
export interface ResourceParameters {
  /** The resource indicator, an absolute URI (RFC 8707 section 2). */
  readonly resource?: string
  /** The name that some servers use instead of `resource`, such as Auth0. */
  readonly audience?: string
  /** Asks for only this part of the scope that the sign-in was granted. Default: everything for this API. */
  readonly scope?: string | readonly string[]
}

interface CommonOptions {
  /** This app's `client_id` at the authorization server. */
  clientId: string
  /** The scopes to ask for: one string or a list. Default `openid`. Add `offline_access` if your server needs it for refresh tokens. */
  scope?: string | readonly string[]
  /** The origins of your APIs, such as `https://api.example.com`. latchkey sends access tokens only there and to `resources`. */
  allowedOrigins: readonly string[]
  /**
   * APIs that need their own access token, named by the URL that their requests begin with: an origin, or an origin and a
   * path. latchkey fetches these tokens one after the other with the one refresh token (RFC 8707). Default: none.
   */
  resources?: Readonly<Record<string, ResourceParameters>>
  /**
   * The URL that the provider sends the user to after sign-out. Register it there. If it is set, `signOut()` opens the
   * provider's sign-out page. Default: not set, and the page stays.
   */
  postLogoutRedirectUri?: string
  /**
   * Extra parameters for every request to the provider's sign-out page, such as Cognito's `logout_uri`. If they are set,
   * `signOut()` opens that page. Default: none.
   */
  logoutParameters?: Readonly<Record<string, string>>
  /** Extra parameters for every authorization request, such as `audience`. */
  authorizationParameters?: Readonly<Record<string, string>>
  /**
   * Members of the token response to keep, such as `patient` (SMART on FHIR) or `instance_url` (Salesforce). They are in
   * `session.responseParameters`. Default: none.
   */
  responseParameters?: readonly string[]
  /** How many seconds before expiry to refresh, 0 or more. latchkey uses at most a fifth of the token's lifetime. Default 60. */
  refreshLeewaySeconds?: number
  /** What a hosted system does differently, from `latchkey/providers`: its functions set it. Default: nothing. */
  provider?: Extension
  /** Extensions of the protocol, each from its own entry, such as `dpop()` and `par()`. Default: none. */
  extensions?: readonly Extension[]
  /** How a client with credentials authenticates, from `latchkey/client-authentication`. Default: a public client without credentials. */
  clientAuthentication?: ClientAuthentication
  /**
   * Refuses in cases that otherwise cause only an event `warning`: for example, if the server's metadata drops a protection,
   * or if a page contains a client secret. Default false.
   */
  strict?: boolean
  /** Deviations from the specifications to accept from this server. Default: none. */
  quirks?: readonly Quirk[]
  /**
   * Origins that may be plain http although they are not loopback, such as `http://keycloak:8080` in a container. Anyone on
   * that network can read the tokens, so this is for tests only: a page that is served over https refuses it. Default: none.
   */
  allowPlainHttpForTests?: readonly string[]
  /**
   * Names this client's session among those of other users in the same store: a user id, or the id of your own session. Default:
   * one session per client ID.
   */
  session?: string
  /** Where to store tokens. Default: IndexedDB in browsers, a private file in Node. */
  store?: Store
  /** How to send the user to the authorization server. Default: a redirect in browsers, a loopback listener in Node. */
  userAgent?: UserAgent
  /**
   * Shows a page of your app after a sign-in, such as `path => router.navigate(path)`. It gets the path of `returnTo` with its
   * query and fragment. Default: latchkey changes the address, and loads nothing.
   */
  navigate?: (path: string) => unknown
  /** Where to write warnings for developers, the first of each topic. `false`: nowhere. Default: the console. */
  logger?: Logger | false
  /** A worker that finishes a refresh when the page is closed meanwhile: `worker(…)` of `latchkey/worker`. Default: the page itself. */
  host?: ConnectHost
  /** The function that sends all requests. Default: the global `fetch` at the time you create the client. */
  fetch?: Fetch
  /** The source of time. Default: the device's clock. */
  clock?: Clock
}

/** How tokens are obtained: by the authorization code flow, which needs a `redirectUri`, or by a grant. */
export type GrantChoice =
  | {
      /** The URL that the authorization server sends the user back to. A relative URL is resolved against the page. */
      redirectUri: string
      grant?: undefined
    }
  | {
      /** Another way to tokens than the authorization code flow, from `latchkey/grants`. Default: the authorization code flow. */
      grant: Grant
      redirectUri?: string
    }

/** Either `issuer`, whose metadata latchkey then discovers, or `server`, the metadata itself. */
export type ServerChoice =
  | {
      issuer: string
      /** Members that the discovered metadata lacks, such as `end_session_endpoint`. They replace those that it has. */
      server?: (Partial<ServerMetadata> & { readonly issuer?: undefined }) | undefined
    }
  | { server: ServerMetadata; issuer?: undefined }

/** The options of `createClient()`. Set either `issuer`, whose metadata latchkey then discovers, or `server`, the metadata itself. */
export type ClientOptions = CommonOptions & ServerChoice & GrantChoice

/** Every option of `createClient()`, with names that other libraries have for it. */
const OPTIONS = {
  issuer: 'authority domain',
  server: 'metadata',
  clientId: '',
  redirectUri: 'callbackUrl',
  scope: '',
  allowedOrigins: 'apiUrl baseUrl',
  resources: '',
  postLogoutRedirectUri: 'logoutUri',
  logoutParameters: 'logoutParams extraLogoutParams',
  authorizationParameters: 'authorizationParams extraQueryParams audience prompt acrValues loginHint',
  responseParameters: '',
  refreshLeewaySeconds: 'leeway',
  provider: '',
  extensions: 'dpop useDpop',
  clientAuthentication: 'clientSecret tokenEndpointAuthMethod',
  strict: '',
  quirks: '',
  allowPlainHttpForTests: 'allowInsecureRequests requireHttps sslRequired insecure',
  store: 'storage userStore cacheLocation',
  userAgent: 'popup',
  navigate: 'onRedirectCallback router',
  logger: 'logLevel debug',
  host: 'worker',
  grant: 'flow',
  session: '',
  fetch: '',
  clock: '',
} satisfies Record<keyof ClientOptions, string>

/** Parses the URL of an issuer or API: https, or http on loopback, without query, fragment and user name. */
function parseBase(value: unknown, option: string, right: string, plainHttp?: ReadonlySet<string>): URL {
  const url = parseUrl(value)
  const isFit = url && isConfidential(url, plainHttp) && !url.search && !url.hash && !url.username
  check(isFit, option, right + ONLY_LOOPBACK, value)
  return url
}

/** @throws ConfigurationError unless there is exactly one issuer. It must be https, or http on loopback. */
export function parseIssuer(
  { server, issuer: named }: ServerChoice,
  plainHttp?: ReadonlySet<string>,
): string {
  check(server === undefined || Object(server) === server, 'server', 'an object', server)
  const issuer = named ?? server?.issuer
  const option = named === undefined && server ? 'server.issuer' : 'issuer'
  parseBase(issuer, option, 'an https URL such as "https://id.example.com"', plainHttp)
  const isDocument = String(issuer).includes('/.well-known/')
  check(!isDocument, option, 'the address in front of "/.well-known/"', issuer)
  check(!server?.issuer || !named, 'issuer', 'left out where "server" names it', named)
  return issuer as string
}

/** @throws ConfigurationError for what is no plain http origin, and in a page that is served over https. */
function parsePlainHttp(origins: readonly string[], base: string | undefined): ReadonlySet<string> {
  const option = 'allowPlainHttpForTests'
  const right = 'a list of origins such as "http://keycloak:8080"'
  check(Array.isArray(origins), option, right, origins)
  for (const entry of origins)
    check(/^http:/.test(entry) && parseUrl(entry)?.origin === entry, option, right, entry)
  const isDeployed = origins.length && base?.startsWith('https:')
  check(!isDeployed, option, 'left out where the page is served over https', origins)
  return new Set(origins)
}

function checkOrigins(origins: readonly string[], plainHttp: ReadonlySet<string>): void {
  const option = 'allowedOrigins'
  const right = `a list of origins such as "https://api.example.com", without paths${ONLY_LOOPBACK}`
  check(Array.isArray(origins), option, right, origins)
  for (const entry of origins) check(isOrigin(entry, plainHttp), option, right, entry)
}

/** @throws ConfigurationError for a member that contains a token or secret, or that latchkey reads itself. */
function checkResponseParameters(names: readonly string[]): readonly string[] {
  const option = 'responseParameters'
  for (const name of names) {
    check(typeof name === 'string' && name, option, 'a list of names such as "patient"', name)
    const isOwn = /(^|_)token$|secret|^(token_type|expires_in|scope|__proto__)$/.test(name)
    check(!isOwn, option, 'without tokens, and without what the session has already', name)
  }
  return names
}

/** RFC 10017 section 6.3.3.1 */
const EXPOSED = {
  about: 'client_secret',
  message:
    '"clientAuthentication" has a client secret, which everybody can read in this app. Leave it out, and register a public client.',
} as const

const PLAIN = {
  about: 'plain_http',
  message:
    '"allowPlainHttpForTests" is set: anyone on that network can read the tokens. Leave it out outside of tests.',
} as const

/**
 * Checks and reads all options.
 * @param base the page's URL, against which relative URLs are resolved, if there is a page.
 * @param isReadable whether anybody can read the app's code and data, as in a browser.
 * @throws ConfigurationError for a wrong option. Its message names the option, the value and a correct one.
 */
export function parseOptions(
  options: ClientOptions,
  base: string | undefined,
  isReadable = false,
): ServerSettings {
  checkNames(options, OPTIONS, 'createClient()')
  const { server, clientId, clientAuthentication, postLogoutRedirectUri } = options
  const { refreshLeewaySeconds = 60, strict = false, quirks = [], extensions = [] } = options
  const { grant, session } = options
  const plainHttp = parsePlainHttp(options.allowPlainHttpForTests ?? [], base)
  const issuer = parseIssuer(options, plainHttp)
  const isGrant = !grant || (typeof grant.type === 'string' && Boolean(grant.parameters ?? grant.userAgent))
  check(isGrant, 'grant', 'one of latchkey/grants, such as clientCredentials()', grant)
  check(session === undefined || (typeof session === 'string' && session), 'session', 'a name', session)
  check(typeof clientId === 'string' && clientId.trim(), 'clientId', 'the client_id of this app', clientId)
  const isLeeway = Number.isFinite(refreshLeewaySeconds) && refreshLeewaySeconds >= 0
  check(isLeeway, 'refreshLeewaySeconds', '0 or more (default 60)', refreshLeewaySeconds)
  const resources = parseResources(options.resources, plainHttp)
  check(Array.isArray(extensions), 'extensions', 'a list such as [dpop()]', extensions)
  for (const one of extensions) check(isFunction(one), 'extensions', 'a list such as [dpop()]', one)
  const { provider } = options
  check(!provider || isFunction(provider), 'provider', 'set by latchkey/providers', provider)
  const isMeans = !clientAuthentication || isFunction(clientAuthentication.authenticate)
  check(isMeans, 'clientAuthentication', 'such as clientSecretPost(…)', clientAuthentication)
  check(typeof strict === 'boolean', 'strict', 'true or false (default false)', strict)
  const isExposed = isReadable && clientAuthentication?.isShared
  if (strict && isExposed) throw new ConfigurationError(EXPOSED.message)
  checkOrigins(options.allowedOrigins, plainHttp)
  checkPorts(options)
  check(Array.isArray(quirks), 'quirks', `a list of ${QUIRKS.join(', ')}`, quirks)
  for (const quirk of quirks) check(QUIRKS.includes(quirk), 'quirks', `a list of ${QUIRKS.join(', ')}`, quirk)
  return {
    ...{ issuer, metadata: server, clientId, clientAuthentication, resources, strict, grant, session },
    redirectUri:
      grant && options.redirectUri === undefined
        ? ''
        : parseRedirectUri(options.redirectUri as string, base, 'redirectUri', plainHttp),
    postLogoutRedirectUri:
      postLogoutRedirectUri === undefined
        ? undefined
        : parseRedirectUri(postLogoutRedirectUri, base, 'postLogoutRedirectUri', plainHttp),
    // the sign-in must request every scope of the APIs; a grant without a user requests tokens for each API separately
    scope: parseScope(
      grant?.parameters
        ? (options.scope ?? '')
        : [options.scope ?? 'openid', ...resources.map(known => known.parameters.scope ?? '')].flat(),
    ),
    authorizationParameters: checkAuthorizationParameters({ ...options.authorizationParameters }),
    logoutParameters: checkParameters(
      { ...options.logoutParameters },
      'logoutParameters',
      RESERVED_AT_SIGN_OUT,
    ),
    leewaySeconds: refreshLeewaySeconds,
    responseParameters: checkResponseParameters([...(options.responseParameters ?? [])]),
    quirks: new Set(quirks),
    plainHttp,
    warnings: [...(isExposed ? [EXPOSED] : []), ...(plainHttp.size ? [PLAIN] : [])],
  }
}

/** Checks the objects and functions that the app supplies. All are optional. */
function checkPorts({ store, userAgent, fetch, clock, navigate, logger, host }: ClientOptions): void {
  check(host === undefined || isFunction(host), 'host', 'worker(…) of latchkey/worker', host)
  check(navigate === undefined || isFunction(navigate), 'navigate', 'a function', navigate)
  check(!logger || isFunction(logger.warn), 'logger', 'false, or an object with warn()', logger)
  const isStore = store === undefined || isFunction(Object(store).keyValue?.update)
  check(isStore, 'store', 'a store such as memory() or indexedDb()', store)
  const isAgent = userAgent === undefined || isFunction(Object(userAgent).begin)
  check(isAgent, 'userAgent', 'a user agent such as popup() or redirect()', userAgent)
  check(fetch === undefined || isFunction(fetch), 'fetch', 'a function', fetch)
  const isClock = clock === undefined || (isFunction(Object(clock).now) && isFunction(Object(clock).after))
  check(isClock, 'clock', 'an object with now() and after()', clock)
}

function parseResources(
  resources: ClientOptions['resources'] = {},
  plainHttp: ReadonlySet<string>,
): readonly Resource[] {
  check(typeof resources === 'object' && resources, 'resources', 'an object', resources)
  const parsed = Object.entries(resources).map(([name, { resource, audience, scope }]) => {
    const option = `resources["${name}"]`
    const url = parseBase(name, option, 'named by the URL that requests to it begin with', plainHttp)
    check(resource || audience || scope, option, 'an object with "resource", "audience" or "scope"', {})
    checkIndicator(resource, `${option}.resource`)
    const parameters = { resource, audience, scope: scope && parseScope(scope, `${option}.scope`) }
    return { url: baseOf(url.href), parameters: definedOf(parameters) }
  })
  return parsed.sort((a, b) => b.url.length - a.url.length)
}
