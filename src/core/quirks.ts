/**
 * Deviations from the specifications that latchkey accepts only where the option `quirks` names them. The error that
 * refuses such an answer names the quirk that would accept it.
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
  /** Device authorization answers that spell `verification_uri` as `verification_url` (RFC 8628 section 3.2; Google). */
  'verification_url',
] as const

export type Quirk = (typeof QUIRKS)[number]
