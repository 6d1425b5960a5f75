import { ServerError } from '../errors.ts'
import type { Emit } from './events.ts'

/**
 * What some authorization servers do against the rules, and latchkey accepts only where the option `quirks` names it. The
 * error that refuses such an answer names the quirk that would have accepted it.
 */
export const QUIRKS = [
  /** Answers whose `Content-Type` is not JSON (RFC 6749 section 5.1). */
  'any_content_type',
  /** Metadata that lists PKCE methods without S256 (RFC 8414 section 2): S256 is sent all the same. */
  'pkce_not_announced',
  /** A pushed authorization request answered with 200 in place of 201 (RFC 9126 section 2.2). */
  'par_status_200',
  /** Token answers without `token_type` (RFC 6749 section 5.1): taken for `Bearer`. */
  'missing_token_type',
  /** Token answers with status 201 in place of 200 (RFC 6749 section 5.1). */
  'token_status_201',
  /** Metadata whose issuer has `{tenantid}` in it; the ID Token's `tid` takes its place (Microsoft Entra `common`). */
  'issuer_template',
  /** ID Tokens whose `iss` lacks the `https://` of the issuer (OpenID Connect Core section 2; Google's older clients). */
  'issuer_without_scheme',
] as const

export type Quirk = (typeof QUIRKS)[number]

/**
 * Lets what bends a rule pass where the app has named that quirk.
 * @throws ServerError that names the quirk, where it has not.
 */
export type Bend = (quirk: Quirk, what: string) => void

/** Every quirk that is made use of is told of once by an event `warning`. */
export function createBend(allowed: ReadonlySet<Quirk>, emit: Emit): Bend {
  const told = new Set<Quirk>()
  return (quirk, what) => {
    if (!allowed.has(quirk)) {
      throw new ServerError(
        `The authorization server's answer ${what}. The option "quirks" with "${quirk}" accepts it.`,
        { error: 'invalid_response', quirk },
      )
    }
    if (!told.has(quirk))
      emit({ type: 'warning', about: 'quirk', message: `The authorization server's answer ${what}.` })
    told.add(quirk)
  }
}
