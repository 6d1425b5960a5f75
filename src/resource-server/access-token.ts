import { fromBase64 } from '../core/base64url.ts'
import { isMembers } from '../core/members.ts'
import { digestOf, type JwtContent } from './jwt.ts'
import type { ProtectSettings } from './options.ts'
import type { AccessTokenClaims, RefusalReason, Requirements } from './verdict.ts'

type Claims = Readonly<Record<string, unknown>>

/** The claims that RFC 9068 section 2.2 requires in addition to `iss`, `exp` and `aud`, which are always checked. */
const REQUIRED = ['sub', 'client_id', 'jti'] as const
/** The types of other JWTs, in lower case. None of them is an access token, whoever signed it. */
const OTHER_TYPES =
  /^(id|logout|dpop|refresh|secevent|oauth-authz-req|token-introspection|client-authentication|entity-statement)(\+jwt|token)?$/
/** Claims that only ID Tokens have (OpenID Connect Core sections 3.1.3.6 and 3.3.2.11). */
const ID_TOKEN_CLAIMS = ['at_hash', 'c_hash', 'nonce'] as const

/** Whether the JWT is an access token by its `typ` (RFC 9068 section 4), or, with `acceptAnyJwt`, no other kind of token. */
export function isAccessToken({ header, claims }: JwtContent, acceptAnyJwt: boolean): boolean {
  const typ =
    typeof header.typ === 'string' ? header.typ.toLowerCase().replace(/^application\//, '') : undefined
  if (typ === 'at+jwt') return true
  if (!acceptAnyJwt || (header.typ !== undefined && typ === undefined)) return false
  // Keycloak and Cognito name the kind of token in a claim
  const { typ: kind, token_use: use } = claims
  const isOther = /^(id|refresh|offline|logout)$/i.test(String(kind ?? use ?? ''))
  return !isOther && !OTHER_TYPES.test(typ ?? '') && ID_TOKEN_CLAIMS.every(name => !(name in claims))
}

/**
 * Checks times, audience and `cnf`, which a JWT and an introspection response have in common.
 * @param needsExpiry whether `exp` is required. It is optional in an introspection response.
 */
export function checkClaims(
  claims: Claims,
  { audience, audienceClaim, toleranceSeconds }: ProtectSettings,
  now: number,
  { needsExpiry, needsAudience }: { readonly needsExpiry: boolean; readonly needsAudience: boolean },
): RefusalReason | undefined {
  const { exp, nbf, iat, cnf } = claims
  for (const time of [exp, nbf, iat])
    if (time !== undefined && (typeof time !== 'number' || !Number.isFinite(time))) return 'bad_claims'
  if (needsExpiry && exp === undefined) return 'bad_claims'
  if (typeof exp === 'number' && exp + toleranceSeconds <= now) return 'expired'
  for (const time of [nbf, iat])
    if (typeof time === 'number' && time - toleranceSeconds > now) return 'not_yet_valid'
  const named = claims[audienceClaim]
  if (named === undefined && !needsAudience)
    return cnf === undefined || isMembers(cnf) ? undefined : 'bad_claims'
  const names: unknown[] = [named].flat()
  if (!names.length || !names.every(name => typeof name === 'string')) return 'wrong_audience'
  if (!names.some(name => audience.includes(name as string))) return 'wrong_audience'
  return cnf === undefined || isMembers(cnf) ? undefined : 'bad_claims'
}

/** Whether the JWT has the claims that RFC 9068 section 2.2 requires. With `acceptAnyJwt`, they may be missing. */
export function hasRequiredClaims(claims: Claims, acceptAnyJwt: boolean): boolean {
  const isText = (name: string) => typeof claims[name] === 'string' && claims[name] !== ''
  const areTexts = REQUIRED.every(name => isText(name) || (acceptAnyJwt && claims[name] === undefined))
  return areTexts && (acceptAnyJwt || typeof claims.iat === 'number')
}

/** The granted scopes: from `scope` (RFC 9068 section 2.2.3), or from `scp` as Entra and Okta call it. */
export function grantedScopes({ scope, scp }: AccessTokenClaims): readonly string[] {
  const texts = [scope ?? scp ?? []].flat().filter(one => typeof one === 'string')
  return [...new Set(texts.join(' ').split(' ').filter(Boolean))]
}

/** Checks the requirements of a route beyond a valid token (RFC 6750 section 3.1, RFC 9470 section 3). */
export function checkRequirements(
  claims: AccessTokenClaims,
  { acrValues, maxAgeSeconds }: Requirements,
  required: readonly string[],
  now: number,
  toleranceSeconds: number,
): RefusalReason | undefined {
  const granted = grantedScopes(claims)
  if (!required.every(name => granted.includes(name))) return 'insufficient_scope'
  const { acr, auth_time: authTime } = claims
  const isMet = !acrValues?.length || (typeof acr === 'string' && acrValues.includes(acr))
  const isRecent =
    maxAgeSeconds === undefined ||
    (typeof authTime === 'number' && now - authTime <= maxAgeSeconds + toleranceSeconds)
  return isMet && isRecent ? undefined : 'insufficient_user_authentication'
}

/** Decodes PEM, URL-encoded PEM (nginx), an RFC 9440 byte sequence, or plain base64. */
function toDer(certificate: string): Uint8Array<ArrayBuffer> | undefined {
  try {
    const text = certificate.includes('%') ? decodeURIComponent(certificate) : certificate
    const [, framed = text] = /-----BEGIN CERTIFICATE-----([^-]+)-----END CERTIFICATE-----/.exec(text) ?? []
    const base64 = framed.replace(/\s/g, '').replace(/^:(.*):$/, '$1')
    return fromBase64(base64)
  } catch {
    return undefined
  }
}

/**
 * Whether a certificate is the one that a token is bound to (RFC 8705 section 3.1).
 * @param thumbprint the token's `x5t#S256`.
 * @param certificate the client's certificate of the connection, if there is one.
 */
export async function isBoundToCertificate(
  thumbprint: unknown,
  certificate: Uint8Array | string | undefined,
): Promise<boolean> {
  if (certificate === undefined) return false
  const der = typeof certificate === 'string' ? toDer(certificate) : Uint8Array.from(certificate)
  return der !== undefined && der.length > 0 && (await digestOf(der)) === thumbprint
}
