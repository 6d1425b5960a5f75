/**
 * What some authorization servers do against the rules, and latchkey accepts only where the option `quirks` names it. The
 * error that refuses such an answer names the quirk that would have accepted it.
 */
export const QUIRKS = [
  /** Answers whose `Content-Type` is not JSON (RFC 6749 section 5.1). */
  'any_content_type',
] as const

export type Quirk = (typeof QUIRKS)[number]
