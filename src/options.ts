import { isConfidential } from './core/allowed-origins.ts'
import type { Clock, Fetch, Store, UserAgent } from './core/ports.ts'
import { ConfigurationError } from './errors.ts'

/** Metadata of an authorization server that publishes none (field names of RFC 8414 section 2). */
export interface ServerMetadata {
  readonly issuer: string
  readonly authorization_endpoint: string
  readonly token_endpoint: string
  readonly jwks_uri?: string
  readonly revocation_endpoint?: string
  readonly end_session_endpoint?: string
  readonly [member: string]: unknown
}

interface CommonOptions {
  /** The `client_id` that the authorization server knows this app by. */
  clientId: string
  /** Where the authorization server sends the user back to; relative ones are resolved against the page. */
  redirectUri: string
  /** What to ask for: one string or a list. Default `openid`. Add `offline_access` where refresh tokens need it. */
  scope?: string | readonly string[]
  /** The only origins that access tokens are ever sent to, such as `https://api.example.com`. */
  allowedOrigins: readonly string[]
  /** Where the provider sends the user after sign-out; it has to be registered there. Default: the provider's own page. */
  postLogoutRedirectUri?: string
  /** Extra parameters for every authorization request, such as `audience`. */
  authorizationParameters?: Readonly<Record<string, string>>
  /** Refresh this many seconds before expiry, but never more than a fifth of the lifetime. Default 60. */
  refreshLeewaySeconds?: number
  /** Where tokens live. Default: IndexedDB in browsers, a private file in Node. */
  store?: Store
  /** How the user gets to the authorization server. Default: a redirect in browsers, a loopback listener in Node. */
  userAgent?: UserAgent
  /** What requests are sent with. Default: the global `fetch`. */
  fetch?: Fetch
  /** Default: the device's. */
  clock?: Clock
}

/** Either `issuer`, whose metadata is then discovered, or `server`, which is that metadata. */
export type ClientOptions = CommonOptions &
  ({ issuer: string; server?: undefined } | { server: ServerMetadata; issuer?: undefined })

/** The options after their checks, with defaults in place. */
export interface Settings {
  readonly issuer: string
  readonly metadata: ServerMetadata | undefined
  readonly clientId: string
  readonly redirectUri: string
  readonly postLogoutRedirectUri: string | undefined
  readonly scope: string
  readonly allowedOrigins: ReadonlySet<string>
  readonly authorizationParameters: Readonly<Record<string, string>>
  readonly leewaySeconds: number
}

/**
 * Reads the options once.
 * @param base what relative URLs are resolved against, where there is a page.
 * @throws ConfigurationError that names the option, what it got and what would be right.
 */
export function parseOptions(options: ClientOptions, base: string | undefined): Settings {
  if (typeof options !== 'object' || options === null) {
    throw new ConfigurationError('createClient() takes an object of options; see the start of README.md.')
  }
  const { server, clientId, authorizationParameters = {} } = options
  const issuer: unknown = options.issuer ?? server?.issuer
  if (server && issuer !== server.issuer) throw wrong('issuer', 'left out where "server" is given', issuer)
  if (!isText(clientId)) throw wrong('clientId', 'the client_id that the server knows this app by', clientId)
  const { refreshLeewaySeconds: leewaySeconds = 60 } = options
  if (!Number.isFinite(leewaySeconds) || leewaySeconds < 0) {
    throw wrong('refreshLeewaySeconds', '0 or more; leave it out for the default, 60', leewaySeconds)
  }
  checkAuthorizationParameters(authorizationParameters)
  return {
    issuer: issuerOf(issuer, server ? 'server.issuer' : 'issuer'),
    metadata: server,
    clientId,
    redirectUri: redirectUriOf(options.redirectUri, base, 'redirectUri'),
    postLogoutRedirectUri:
      options.postLogoutRedirectUri === undefined
        ? undefined
        : redirectUriOf(options.postLogoutRedirectUri, base, 'postLogoutRedirectUri'),
    scope: scopeOf(options.scope),
    allowedOrigins: originsOf(options.allowedOrigins),
    authorizationParameters: { ...authorizationParameters },
    leewaySeconds,
  }
}

const isText = (value: unknown): value is string => typeof value === 'string' && value.trim() !== ''

const show = (value: unknown) =>
  typeof value === 'string' ? JSON.stringify(value.slice(0, 100)) : value === null ? 'null' : typeof value

const wrong = (option: string, right: string, got: unknown) =>
  new ConfigurationError(`"${option}" must be ${right}; got ${typeof got === 'number' ? got : show(got)}.`)

function issuerOf(issuer: unknown, option: string): string {
  const right =
    'an https URL without query and fragment, such as "https://id.example.com" (http only on loopback)'
  if (!isText(issuer) || !URL.canParse(issuer)) throw wrong(option, right, issuer)
  const url = new URL(issuer)
  if (!isConfidential(url) || url.search || url.hash || url.username) throw wrong(option, right, issuer)
  return issuer
}

function redirectUriOf(value: unknown, base: string | undefined, option: string): string {
  const right = 'a URL without fragment, such as "/callback" or "https://app.example.com/callback"'
  if (!isText(value) || value.includes('#')) throw wrong(option, right, value)
  if (!URL.canParse(value, base)) {
    // where there is no page yet (server rendering), it is resolved by the time of the sign-in
    if (base === undefined && value.startsWith('/')) return value
    throw wrong(option, right, value)
  }
  const url = new URL(value, base)
  // other schemes are an app's own (RFC 8252 section 7.1), but never ones that run code
  const isWeb = url.protocol === 'http:' || url.protocol === 'https:'
  if ((isWeb && !isConfidential(url)) || /^(javascript|data|blob|file|about):/.test(url.protocol)) {
    throw wrong(option, `${right} (http only on loopback)`, value)
  }
  return url.href
}

/** One space between, no duplicates, only characters of RFC 6749 section 3.3. */
function scopeOf(scope: unknown = 'openid'): string {
  const list: unknown[] = Array.isArray(scope) ? scope : [scope]
  const names = list
    .flatMap(entry => (typeof entry === 'string' ? entry.split(/\s+/) : [entry]))
    .filter(name => name !== '')
  for (const name of names) {
    if (typeof name !== 'string' || !/^[\x21\x23-\x5b\x5d-\x7e]+$/.test(name)) {
      throw wrong('scope', 'a string such as "openid profile" or a list of such names', name)
    }
  }
  return [...new Set(names)].join(' ')
}

function originsOf(origins: unknown): ReadonlySet<string> {
  if (!Array.isArray(origins)) {
    throw wrong(
      'allowedOrigins',
      'a list such as ["https://api.example.com"]; tokens go nowhere else',
      origins,
    )
  }
  return new Set(
    origins.map((entry: unknown) => {
      const right = 'origins such as "https://api.example.com", without a path (http only on loopback)'
      if (!isText(entry) || !URL.canParse(entry)) throw wrong('allowedOrigins', right, entry)
      const url = new URL(entry)
      if (!isConfidential(url) || url.href !== `${url.origin}/`) throw wrong('allowedOrigins', right, entry)
      return url.origin
    }),
  )
}

/** What latchkey itself puts into an authorization request, or must never be in one. */
const RESERVED = new Set(
  (
    'client_id redirect_uri response_type response_mode scope state nonce code_challenge code_challenge_method ' +
    'request request_uri code code_verifier client_secret client_assertion access_token refresh_token id_token'
  ).split(' '),
)

/** @throws ConfigurationError for a parameter that is latchkey's own, or a secret that must not be in a URL. */
export function checkAuthorizationParameters(parameters: unknown): Readonly<Record<string, string>> {
  if (typeof parameters !== 'object' || parameters === null) {
    throw wrong('authorizationParameters', 'an object such as { prompt: "login" }', parameters)
  }
  for (const [name, value] of Object.entries(parameters)) {
    if (RESERVED.has(name)) {
      throw new ConfigurationError(
        `"authorizationParameters" must not have "${name}": latchkey sets it, or it has no place in a URL. Leave it out.`,
      )
    }
    if (typeof value !== 'string') throw wrong(`authorizationParameters.${name}`, 'a string', value)
  }
  return parameters as Readonly<Record<string, string>>
}

/** @throws ConfigurationError unless `returnTo` is on the origin of the redirect URI, which is the app's own. */
export function parseReturnTo(returnTo: string | undefined, redirectUri: string): string | undefined {
  if (returnTo === undefined) return undefined
  const own = new URL(redirectUri)
  const url = URL.canParse(returnTo, own) ? new URL(returnTo, own) : undefined
  if (!url || url.origin !== own.origin || url.origin === 'null') {
    throw wrong('returnTo', `a URL of ${own.origin}, such as location.href`, returnTo)
  }
  return url.href
}
