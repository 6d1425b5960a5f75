import type { LatchkeyError } from '../errors.ts'

/** The claims of an access token (RFC 9068 section 2.2, RFC 7662 section 2.2) that passed its checks. */
export interface AccessTokenClaims {
  readonly iss?: string
  readonly sub?: string
  readonly aud?: string | readonly string[]
  readonly exp?: number
  readonly iat?: number
  readonly jti?: string
  readonly client_id?: string
  readonly acr?: string
  readonly auth_time?: number
  readonly [claim: string]: unknown
}

/** Why a request was refused. The list is complete. */
export type RefusalReason =
  /** There is no access token in the `Authorization` header. */
  | 'no_token'
  /** The header is malformed, or the request has two tokens. */
  | 'malformed_request'
  /** The token is not a signed JWT, and no issuer has introspection configured. */
  | 'not_a_token'
  /** The token is of another kind, such as an ID Token (RFC 9068 section 4). */
  | 'wrong_type'
  /** `alg` is not one of `algorithms`. */
  | 'wrong_algorithm'
  /** `iss` is not one of the configured issuers. */
  | 'unknown_issuer'
  /** The issuer has no key with this `kid` or for this `alg`. */
  | 'unknown_key'
  | 'bad_signature'
  | 'expired'
  /** `nbf` or `iat` is in the future. */
  | 'not_yet_valid'
  | 'wrong_audience'
  /** A required claim is missing, or a claim has the wrong type. */
  | 'bad_claims'
  /** The introspection endpoint reports that the token is not active: it has expired, was revoked or is unknown. */
  | 'inactive'
  /** The token is bound to a key and the request has no DPoP proof, or this API accepts only bound tokens. */
  | 'proof_missing'
  /** The DPoP proof does not match the request, the token or the key. */
  | 'proof_invalid'
  /** The DPoP proof was used before. */
  | 'proof_replayed'
  /** The DPoP proof has no current nonce. */
  | 'nonce_needed'
  /** The token is not bound to this request's key or certificate, or is bound in a way that this API does not accept. */
  | 'wrong_binding'
  | 'insufficient_scope'
  /** The user has to authenticate in another way, or again (RFC 9470). */
  | 'insufficient_user_authentication'
  /** latchkey could not get the issuer's keys or introspection response. The token may be valid. */
  | 'unavailable'

/** The request may pass. */
export interface Granted {
  readonly valid: true
  readonly claims: AccessTokenClaims
  readonly issuer: string
  /** The claim `sub`: the user, or the client itself if there is no user. */
  readonly subject: string | undefined
  readonly clientId: string | undefined
  readonly scope: readonly string[]
  /** How the token is bound: to a DPoP key, to a client certificate, or not at all. */
  readonly binding: 'none' | 'dpop' | 'certificate'
  /** Headers to add to the response, such as a fresh `DPoP-Nonce`. */
  readonly headers: Readonly<Record<string, string>>
}

/** The request may not pass. */
export interface Refused {
  readonly valid: false
  readonly reason: RefusalReason
  /** The status of the response: 401, 403, 400 for a malformed request, or 503 with the reason `unavailable`. */
  readonly status: 400 | 401 | 403 | 503
  /** The headers of the response: the challenge (RFC 6750 section 3), and a CORS header that lets pages read it. */
  readonly headers: Readonly<Record<string, string>>
  /** The JSON body of the response. */
  readonly body: { readonly error?: string; readonly error_description: string }
  /** With the reason `unavailable`: the error, if it is a LatchkeyError. */
  readonly cause?: LatchkeyError
  /** Creates the whole response, to return from a handler. */
  response(): Response
}

/** The decision about a request. It never contains the token. */
export type Verdict = Granted | Refused

/** The requirements of a route beyond a valid token. */
export interface Requirements {
  /** All of these scopes, as one string or a list. */
  readonly scope?: string | readonly string[]
  /** One of these authentication context classes (RFC 9470). */
  readonly acrValues?: readonly string[]
  /** The most seconds since the user authenticated (RFC 9470). */
  readonly maxAgeSeconds?: number
  /**
   * The client's certificate of this connection, for tokens that are bound to one (RFC 8705): DER bytes, or PEM or base64
   * text as a proxy forwards it. Take it from a header only if the proxy removes such a header from the client's request.
   */
  readonly certificate?: Uint8Array | string
}

/** The first three come from RFC 6750 section 3.1, the others from RFC 9449 section 7.1 and RFC 9470 section 3. */
type ErrorName =
  | 'invalid_request'
  | 'invalid_token'
  | 'insufficient_scope'
  | 'invalid_dpop_proof'
  | 'use_dpop_nonce'
  | 'insufficient_user_authentication'

const REFUSALS: Readonly<
  Record<
    RefusalReason,
    readonly [status: Refused['status'], error: ErrorName | undefined, description: string]
  >
> = {
  no_token: [401, undefined, 'An access token is needed.'],
  malformed_request: [400, 'invalid_request', 'Send one access token, in the Authorization header.'],
  not_a_token: [401, 'invalid_token', 'The access token is malformed.'],
  wrong_type: [401, 'invalid_token', 'The token is not an access token.'],
  wrong_algorithm: [401, 'invalid_token', 'The signature algorithm of the access token is not accepted.'],
  unknown_issuer: [401, 'invalid_token', 'The issuer of the access token is not trusted here.'],
  unknown_key: [401, 'invalid_token', 'The access token is signed with an unknown key.'],
  bad_signature: [401, 'invalid_token', 'The signature of the access token is wrong.'],
  expired: [401, 'invalid_token', 'The access token has expired.'],
  not_yet_valid: [401, 'invalid_token', 'The access token is not valid yet.'],
  wrong_audience: [401, 'invalid_token', 'The access token is for another API.'],
  bad_claims: [401, 'invalid_token', 'The access token lacks a claim that it must have.'],
  inactive: [401, 'invalid_token', 'The access token is not active.'],
  proof_missing: [401, 'invalid_token', 'The access token must come with a DPoP proof.'],
  proof_invalid: [401, 'invalid_dpop_proof', 'The DPoP proof does not fit the request.'],
  proof_replayed: [401, 'invalid_dpop_proof', 'The DPoP proof was used before.'],
  nonce_needed: [401, 'use_dpop_nonce', 'The DPoP proof needs the nonce of this answer.'],
  wrong_binding: [401, 'invalid_token', 'The access token is bound to another key.'],
  insufficient_scope: [403, 'insufficient_scope', 'The access token lacks a scope.'],
  insufficient_user_authentication: [
    401,
    'insufficient_user_authentication',
    'The user must authenticate in another way, or again.',
  ],
  unavailable: [503, undefined, 'The access token cannot be checked right now.'],
}

/** The settings that all challenges of one API share. */
export interface ChallengeSettings {
  readonly realm: string | undefined
  /** The URL of the protected-resource metadata (RFC 9728 section 5.1). */
  readonly metadataUrl: string | undefined
  readonly dpop: 'off' | 'accepted' | 'required'
  readonly proofAlgorithms: readonly string[]
}

/** The details of one refusal. */
export interface RefusalDetails {
  /** Whether the request used the DPoP scheme, or must use it. */
  readonly isDpop?: boolean
  readonly requirements?: Requirements
  readonly nonce?: string | undefined
  readonly cause?: LatchkeyError
  readonly retryAfterSeconds?: number
}

/** A quoted string (RFC 9110 section 5.6.4), without the characters that would need an escape. */
const quote = (text: string): string => `"${text.replace(/[^ !#-[\]-~]/g, '')}"`

export const scopesOf = (scope: Requirements['scope']): string[] =>
  [scope ?? []].flat().join(' ').split(' ').filter(Boolean)

/**
 * The challenges for a refusal: one for each accepted scheme. Only the challenge of the scheme that the request used
 * contains the error. Without a token in the request there is no error (RFC 6750 section 3.1).
 */
function challenge(
  { realm, metadataUrl, dpop, proofAlgorithms }: ChallengeSettings,
  error: ErrorName | undefined,
  description: string,
  { isDpop = false, requirements = {} }: RefusalDetails,
): string {
  const scope = scopesOf(requirements.scope).join(' ')
  const isStepUp = error === 'insufficient_user_authentication'
  const common = { realm, resource_metadata: metadataUrl }
  const failed = {
    ...(error && { error, error_description: description }),
    scope: (!error || error === 'insufficient_scope') && scope ? scope : undefined,
    acr_values: isStepUp ? requirements.acrValues?.join(' ') : undefined,
  }
  const write = (scheme: string, parameters: Readonly<Record<string, string | undefined>>, more = '') => {
    const written = Object.entries(parameters).flatMap(([name, value]) =>
      value === undefined ? [] : [`${name}=${quote(value)}`],
    )
    return [scheme, [...written, ...(more ? [more] : [])].join(', ')].filter(Boolean).join(' ')
  }
  // max_age is a number, without quotes in RFC 9470 section 3
  const maxAge =
    isStepUp && requirements.maxAgeSeconds !== undefined ? `max_age=${requirements.maxAgeSeconds}` : ''
  const challengeOf = (scheme: 'Bearer' | 'DPoP') => {
    const isUsed = !error || (scheme === 'DPoP') === isDpop
    const own = { ...common, ...(isUsed && failed) }
    return scheme === 'DPoP'
      ? write(scheme, { ...own, algs: proofAlgorithms.join(' ') }, isUsed ? maxAge : '')
      : write(scheme, own, isUsed ? maxAge : '')
  }
  const schemes = { off: ['Bearer'], accepted: ['Bearer', 'DPoP'], required: ['DPoP'] } as const
  const order = [...schemes[dpop]].sort(scheme => ((scheme === 'DPoP') === isDpop ? -1 : 1))
  return order.map(challengeOf).join(', ')
}

/** The headers that a page may read only if the response exposes them (CORS). */
const EXPOSED = 'WWW-Authenticate, DPoP-Nonce'

export const nonceHeaders = (nonce: string | undefined): Readonly<Record<string, string>> =>
  nonce === undefined ? {} : { 'dpop-nonce': nonce, 'access-control-expose-headers': EXPOSED }

export function refuse(
  settings: ChallengeSettings,
  reason: RefusalReason,
  details: RefusalDetails = {},
): Refused {
  const [status, error, description] = REFUSALS[reason]
  const { nonce, cause, retryAfterSeconds = 1 } = details
  const headers = {
    'content-type': 'application/json',
    'cache-control': 'no-store',
    'access-control-expose-headers': EXPOSED,
    ...(status === 503
      ? { 'retry-after': String(retryAfterSeconds) }
      : { 'www-authenticate': challenge(settings, error, description, details) }),
    ...nonceHeaders(nonce),
  }
  const body = { ...(error && { error }), error_description: description }
  return {
    ...{ valid: false, reason, status, headers, body },
    ...(cause && { cause }),
    response: () => new Response(JSON.stringify(body), { status, headers }),
  }
}
