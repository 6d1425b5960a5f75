/**
 * Deviations from the specifications that latchkey accepts only if the option `quirks` names them. The error for such a
 * response names the quirk that would accept it.
 */
export const QUIRKS = [
  /** Responses whose `Content-Type` is not JSON (RFC 6749 section 5.1). */
  'any_content_type',
  /** Token responses as a form instead of JSON (RFC 6749 section 5.1; GitHub and others by default). */
  'form_encoded',
  /** Metadata that lists PKCE methods without S256 (RFC 8414 section 2). latchkey uses S256 anyway. */
  'pkce_not_announced',
  /** Status 200 instead of 201 for a pushed authorization request (RFC 9126 section 2.2). */
  'par_status_200',
  /** Token responses without `token_type` (RFC 6749 section 5.1). latchkey assumes `Bearer`. */
  'missing_token_type',
  /** Token responses with status 201 instead of 200 (RFC 6749 section 5.1). */
  'token_status_201',
  /** Metadata whose issuer contains `{tenantid}`, which latchkey replaces with the ID Token's `tid` (Entra's `common`). */
  'issuer_template',
  /** ID Tokens whose `iss` lacks the `https://` of the issuer (OpenID Connect Core section 2; Google's older clients). */
  'issuer_without_scheme',
  /** ID Tokens without the `nonce` of the request (OpenID Connect Core section 3.1.3.7). PKCE still binds the code to it. */
  'missing_nonce',
  /** ID Tokens for this client and others, without the authorized party, `azp` (OpenID Connect Core section 3.1.3.7). */
  'several_audiences',
  /** ID Tokens whose `sub` is not ASCII (OpenID Connect Core section 2). */
  'any_subject',
  /** Device authorization responses with `verification_url` instead of `verification_uri` (RFC 8628 section 3.2; Google). */
  'verification_url',
] as const

export type Quirk = (typeof QUIRKS)[number]
