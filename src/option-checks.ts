import { isConfidential } from './core/destination.ts'
import { ConfigurationError } from './errors.ts'

export const ONLY_LOOPBACK = ' (http only on loopback)'

export function check(isRight: unknown, option: string, right: string, got: unknown): asserts isRight {
  if (isRight) return
  const shown = typeof got === 'object' && got ? 'an object' : JSON.stringify(got)?.slice(0, 99)
  throw new ConfigurationError(`"${option}" must be ${right}; got ${shown}.`)
}

export const parseUrl = (value: unknown, base?: string): URL | undefined =>
  typeof value === 'string' && URL.canParse(value, base) ? new URL(value, base) : undefined

export function parseRedirectUri(value: string, base: string | undefined, option: string): string {
  // where there is no page yet (server rendering), it is resolved by the time of the sign-in
  if (!base && /^\/(?!\/)/.test(value)) return value
  const url = parseUrl(value, base)
  check(
    // other schemes are an app's own (RFC 8252 section 7.1), but never ones that run code
    value &&
      url &&
      !value.includes('#') &&
      (/^(https?|javascript|data|blob|file):/.test(url.protocol)
        ? isConfidential(url)
        : url.protocol.length > 1),
    option,
    `a URL without fragment, such as "/callback"${ONLY_LOOPBACK}`,
    value,
  )
  return url.href
}

/** One space between, no duplicates, only characters of RFC 6749 section 3.3. */
export function parseScope(scope: string | readonly string[], option = 'scope'): string {
  const names = new Set([scope].flat().join(' ').split(/\s+/).filter(Boolean))
  for (const name of names) check(/^[!#-[\]-~]+$/.test(name), option, 'names such as "openid profile"', name)
  return [...names].join(' ')
}

export function parseOrigins(origins: readonly string[]): ReadonlySet<string> {
  const right = `a list of origins such as "https://api.example.com", without paths${ONLY_LOOPBACK}`
  check(Array.isArray(origins), 'allowedOrigins', right, origins)
  return new Set(
    origins.map(entry => {
      const url = parseUrl(entry)
      check(url && isConfidential(url) && url.href === `${url.origin}/`, 'allowedOrigins', right, entry)
      return url.origin
    }),
  )
}
