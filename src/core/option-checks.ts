import { ConfigurationError } from '../errors.ts'
import { isConfidential, parseUrl } from './destination.ts'

/** The length of the common prefix of two names, without `_` and `-` and ignoring case. */
function sharedLetters(...names: [string, string]): number {
  const [one = '', other = ''] = names.map(name => name.replace(/[_-]/g, '').toLowerCase())
  let count = 0
  while (count < one.length && one[count] === other[count]) count++
  return count
}

/** @throws ConfigurationError for an unknown option. Its message suggests the most similar one. */
export function checkNames(options: object, known: Readonly<Record<string, string>>, call: string): void {
  for (const [name, value] of Object.entries(options)) {
    if (value === undefined || Object.hasOwn(known, name)) continue
    let meant = `${Object.keys(known).join(', ')}.`
    let most = 3
    for (const [option, others] of Object.entries(known)) {
      const shared = Math.max(...[option, ...others.split(' ')].map(other => sharedLetters(name, other)))
      if (shared > most) [most, meant] = [shared, `"${option}"?`]
    }
    const advice = most > 3 ? 'Did you mean' : 'The options are'
    throw new ConfigurationError(`"${name.slice(0, 50)}" is not an option of ${call}. ${advice} ${meant}`)
  }
}

export const isFunction = (value: unknown) => typeof value === 'function'

export const ONLY_LOOPBACK = ' (http only on loopback)'

/** @throws ConfigurationError unless `isRight`. Its message names the option, the value and a correct one. */
export function check(isRight: unknown, option: string, right: string, got: unknown): asserts isRight {
  if (isRight) return
  const shown = typeof got === 'object' && got ? 'an object' : JSON.stringify(got)?.slice(0, 99)
  throw new ConfigurationError(`"${option}" must be ${right}; got ${shown}.`)
}

export function parseRedirectUri(
  value: string,
  base: string | undefined,
  option: string,
  plainHttp: ReadonlySet<string>,
): string {
  // without a page, for example while a server renders, there is nothing to resolve it against
  if (!base && /^\/(?!\/)/.test(value)) return value
  const url = parseUrl(value, base)
  // a native app may use its own scheme (RFC 8252 section 7.1), but not one that runs code
  const isOwn = url && !/^(https?|javascript|data|blob|file):/.test(url.protocol) && url.protocol.length > 1
  const isFit = value && url && !value.includes('#') && (isOwn || isConfidential(url, plainHttp))
  check(isFit, option, `a URL without fragment, such as "/callback"${ONLY_LOOPBACK}`, value)
  return url.href
}

/** Returns the scopes separated by one space, without duplicates. Only characters of RFC 6749 section 3.3 are allowed. */
export function parseScope(scope: string | readonly string[], option = 'scope'): string {
  const isText = [scope].flat().every(one => typeof one === 'string')
  check(isText, option, 'a string or a list of strings such as "openid profile"', scope)
  const names = new Set([scope].flat().join(' ').split(/\s+/).filter(Boolean))
  for (const name of names) check(/^[!#-[\]-~]+$/.test(name), option, 'names such as "openid profile"', name)
  return [...names].join(' ')
}

/** RFC 8707 section 2 */
export const checkIndicator = (resource: string | undefined, option: string) =>
  check(
    resource === undefined || (parseUrl(resource) && !resource.includes('#')),
    option,
    'an absolute URI without fragment',
    resource,
  )

/** Removes undefined and empty members. */
export const definedOf = <T extends object>(whole: T): Partial<T> =>
  Object.fromEntries(Object.entries(whole).filter(([, value]) => value)) as Partial<T>

/** Parameters of an authorization request that latchkey sets itself, or that must not be in a URL. */
const RESERVED = /^(client_.*|redirect_uri|response_.*|scope|state|nonce|request.*|code.*|.*_token)$/

export function checkParameters(
  parameters: Readonly<Record<string, string>>,
  option: string,
  reserved: RegExp,
): Readonly<Record<string, string>> {
  for (const [name, value] of Object.entries(parameters)) {
    const right = 'left out: latchkey sets it, or it has no place in a URL'
    check(!reserved.test(name), `${option}.${name}`, right, name)
    check(typeof value === 'string', `${option}.${name}`, 'a string', value)
  }
  return parameters
}

/** @throws ConfigurationError for a parameter that latchkey sets itself, or a secret that must not be in a URL. */
export function checkAuthorizationParameters(
  parameters: Readonly<Record<string, string>>,
): Readonly<Record<string, string>> {
  const option = 'authorizationParameters'
  checkParameters(parameters, option, RESERVED)
  checkIndicator(parameters.resource, `${option}.resource`)
  return parameters
}

/** Parameters of a request to the provider's sign-out page that latchkey sets itself, or that must not be in a URL. */
export const RESERVED_AT_SIGN_OUT =
  /^(client_id|client_secret|post_logout_redirect_uri|state|.*_token|id_token_hint)$/
