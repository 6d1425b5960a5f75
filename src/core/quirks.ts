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
] as const

export type Quirk = (typeof QUIRKS)[number]
