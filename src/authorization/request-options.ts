import type { ServerSettings } from '../core/authorization.ts'
import type { StepUp } from '../core/challenge.ts'
import type { SignInOptions, SignOutOptions } from '../core/client.ts'
import { parseUrl } from '../core/destination.ts'
import {
  check,
  checkAuthorizationParameters,
  checkNames,
  checkParameters,
  definedOf,
  parseRedirectUri,
  parseScope,
  RESERVED_AT_SIGN_OUT,
} from '../core/option-checks.ts'

/** Every option of `signIn()`, with names that other libraries have for it. `leaves` and `subject` are internal. */
const SIGN_IN_OPTIONS = {
  returnTo: 'redirectTo redirectUri appState state',
  authorizationParameters: 'extraQueryParams prompt loginHint acrValues',
  stepUp: 'scope maxAge',
  silentFirst: 'silent promptNone',
  userAgent: '',
  signal: '',
  leaves: '',
  subject: '',
} satisfies Record<keyof SignInOptions | 'leaves' | 'subject', string>

/**
 * Checks the options of `signOut()` and adds the client's defaults.
 * @param base the page's URL, against which relative URLs are resolved, if there is a page.
 * @throws ConfigurationError for a wrong option.
 */
export function parseSignOut(
  { postLogoutRedirectUri: own, parameters: more = {}, endProviderSession }: SignOutOptions,
  settings: ServerSettings,
  base: string | undefined,
) {
  const postLogoutRedirectUri =
    own === undefined
      ? settings.postLogoutRedirectUri
      : parseRedirectUri(own, base, 'signOut.postLogoutRedirectUri', settings.plainHttp)
  const checked = checkParameters(more, 'signOut.parameters', RESERVED_AT_SIGN_OUT)
  const parameters = { ...settings.logoutParameters, ...checked }
  const isAsked = postLogoutRedirectUri !== undefined || Object.keys(parameters).length > 0
  return { postLogoutRedirectUri, parameters, endsProviderSession: endProviderSession ?? isAsked }
}

/**
 * Resolves `returnTo`.
 * @param own a URL of the app: its redirect URI, or the webview's address.
 * @throws ConfigurationError if `returnTo` is not at the app's origin, or contains a user name or password.
 */
export function parseReturnTo(returnTo: string | undefined, own: string): string | undefined {
  if (returnTo === undefined) return undefined
  const home = parseUrl(own)
  const url = parseUrl(returnTo, own)
  check(
    // `origin` is "null" for a webview's own scheme (capacitor://localhost)
    url?.host && url.protocol === home?.protocol && url.host === home.host && !url.username && !url.password,
    'returnTo',
    home?.host ? `a URL of ${home.protocol}//${home.host}` : "left out: there is no page of the app's own",
    returnTo,
  )
  return url.href
}

/** Returns the scope and parameters of an authorization request for a step-up (RFC 6750 section 3, RFC 9470 section 4). */
export function parseStepUp(
  { scope, acrValues, maxAgeSeconds, claims }: StepUp,
  configured: string,
  granted = '',
): { scope: string; parameters: Readonly<Record<string, string>> } {
  const isAge = maxAgeSeconds === undefined || (Number.isSafeInteger(maxAgeSeconds) && maxAgeSeconds >= 0)
  check(isAge, 'stepUp.maxAgeSeconds', 'a whole number, 0 or more', maxAgeSeconds)
  check(claims === undefined || parseClaims(claims), 'stepUp.claims', 'an object as JSON text', claims)
  return {
    // the union, so that the new scope does not replace the scopes that are already granted
    scope: parseScope(scope ? [configured, granted, scope] : configured, 'stepUp.scope'),
    parameters: definedOf({
      acr_values: acrValues ?? '',
      max_age: String(maxAgeSeconds ?? ''),
      claims: claims ?? '',
    }),
  }
}

type Claims = Readonly<Record<string, object>>

function parseClaims(text: string): Claims | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? (value as Claims) : undefined
  } catch {
    return undefined
  }
}

/** Merges two `claims` parameters (OpenID Connect Core section 5.5): for each target, the members of both. */
function joinClaims(one: string | undefined, other: string | undefined): string | undefined {
  const [before, after] = [parseClaims(one ?? ''), parseClaims(other ?? '')]
  if (!before || !after) return other ?? one
  const joined = Object.entries(after).map(([target, members]) => [target, { ...before[target], ...members }])
  return JSON.stringify({ ...before, ...Object.fromEntries(joined) })
}

/** Parameters that apply to one sign-in only. A recovery does not repeat them. */
const ONCE = /^(prompt|max_age|acr_values|claims|id_token_hint)$/

/**
 * Checks the options of `signIn()` and adds the client's defaults.
 * @param own a URL of the app: its redirect URI, or the webview's address.
 * @param granted the scopes that the session already has.
 * @throws ConfigurationError for a wrong option.
 */
export function parseSignIn(
  options: Omit<SignInOptions, 'userAgent'> & { readonly leaves?: boolean },
  settings: ServerSettings,
  own: string,
  granted: string | undefined,
) {
  checkNames(options, SIGN_IN_OPTIONS, 'signIn()')
  const { returnTo, authorizationParameters = {}, stepUp = {}, silentFirst = false, leaves } = options
  const more = parseStepUp(stepUp, settings.scope, granted)
  const asked = checkAuthorizationParameters(authorizationParameters)
  const parameters = { ...settings.authorizationParameters, ...asked }
  const claims = joinClaims(parameters.claims, more.parameters.claims)
  check(typeof silentFirst === 'boolean', 'silentFirst', 'true or false (default false)', silentFirst)
  const isAlone = !silentFirst || asked.prompt === undefined
  check(isAlone, 'silentFirst', 'left out where "authorizationParameters" has a "prompt"', silentFirst)
  const demanded = { ...parameters, ...more.parameters, ...(claims && { claims }) }
  // a popup would have to open twice, and browsers open a window only during a click
  const isSilent = silentFirst && leaves
  return {
    scope: more.scope,
    parameters: isSilent ? { ...demanded, prompt: 'none' } : demanded,
    /** The parameters of the request that follows if the server needs the user. */
    otherwise: isSilent ? demanded : undefined,
    /** The parameters that a recovery of this session repeats. */
    kept: Object.fromEntries(Object.entries(asked).filter(([name]) => !ONCE.test(name))),
    returnTo: parseReturnTo(returnTo, own),
    acrValues: stepUp.acrValues,
  }
}
