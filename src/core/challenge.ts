import { fromBase64 } from './base64url.ts'

/** One challenge of a `WWW-Authenticate` header (RFC 9110 section 11.6.1). Scheme and names are in lower case. */
export interface Challenge {
  readonly scheme: string
  readonly parameters: ReadonlyMap<string, string>
  /** Whether `error`, `scope` or `realm` occurs twice. */
  readonly isAmbiguous: boolean
}

/** Parameters that may occur only once in a challenge (RFC 6750 section 3). */
const ONCE = ['error', 'scope', 'realm']

/** No server sends a longer header. latchkey ignores longer ones. */
const MAX_LENGTH = 16_384

/**
 * Matches a word, which is a scheme unless `=` and a value follow, or a quoted string, so that its content is not read as
 * words. Linear on any input, because no two parts of the pattern can match the same character.
 */
const PIECE =
  /([!#$%&'*+\-.^_`|~\w/]+)(?:[ \t]*(=+)[ \t]*(?:"((?:[^"\\]|\\[\s\S])*)"|([!#$%&'*+\-.^_`|~\w/]*=*)))?|"(?:[^"\\]|\\[\s\S])*"?/g

/**
 * Parses a `WWW-Authenticate` header, including several challenges, commas in quotes, token68 and stray whitespace. A
 * repeated parameter keeps its first value. Skips anything that does not fit the grammar.
 */
export function parseChallenges(header: string | null): readonly Challenge[] {
  const challenges: { scheme: string; parameters: Map<string, string>; isAmbiguous: boolean }[] = []
  if (!header || header.length > MAX_LENGTH) return challenges
  for (const [, word, equals, quoted, text] of header.matchAll(PIECE)) {
    if (!word) continue
    const name = word.toLowerCase()
    const challenge = challenges.at(-1)
    const value = quoted?.replace(/\\([\s\S])/g, '$1') ?? (text || undefined)
    if (!equals) challenges.push({ scheme: name, parameters: new Map(), isAmbiguous: false })
    else if (challenge?.parameters.has(name)) challenge.isAmbiguous ||= ONCE.includes(name)
    else if (value !== undefined) challenge?.parameters.set(name, value)
  }
  return challenges
}

/** An API's demand that only a new sign-in can meet, not a refresh (RFC 6750 section 3.1, RFC 9470 section 3). */
export interface StepUp {
  /** Scopes that the access token lacks, joined by spaces. */
  readonly scope?: string
  /** Authentication context classes, in order of preference, joined by spaces. */
  readonly acrValues?: string
  /** The most seconds since the user authenticated. */
  readonly maxAgeSeconds?: number
  /** The value of the parameter `claims`, as JSON text (OpenID Connect Core section 5.5). */
  readonly claims?: string | undefined
}

/** What to do about an API's response. */
export type Verdict =
  /** Return it to the caller. */
  | { readonly do: 'pass'; readonly error?: string }
  /** A new access token may help. `orElse`: the step-up to ask for if it does not. */
  | { readonly do: 'refresh'; readonly error?: string; readonly orElse?: StepUp }
  /** A new sign-in may help. */
  | { readonly do: 'step-up'; readonly error: string; readonly stepUp: StepUp }

const errorOf = (challenge: Challenge | undefined) => challenge?.parameters.get('error')

/**
 * Decides what to do about an API's response, by its challenges (RFC 6750 section 3.1, RFC 9449 section 7.1, RFC 9470
 * section 3). A 401 leads to a refresh unless its challenge shows that a new access token cannot help.
 * @param sent parts of the request. The verdict does not repeat their texts.
 */
export function judgeAnswer(status: number, header: string | null, sent: readonly unknown[] = []): Verdict {
  if (status !== 401 && status !== 403) return { do: 'pass' }
  const challenges = parseChallenges(header)
  const ours = challenges.filter(({ scheme }) => /^(bearer|dpop)$/.test(scheme))
  const challenge = ours.find(errorOf) ?? ours[0]
  const named = errorOf(challenge)
  const show = (text: string | undefined, fits: RegExp) =>
    text !== undefined && fits.test(text) && !repeats(text, sent) ? text : undefined
  // malformed: no automatic action (RFC 6750 section 3)
  const isClear = !challenge?.isAmbiguous
  if (isClear && named && /^insufficient_(scope|user_authentication)$/.test(named)) {
    const parameter = (name: string, fits: RegExp) => show(challenge?.parameters.get(name), fits)
    const maxAge = parameter('max_age', /^\d{1,9}$/)
    const stepUp = {
      scope: parameter('scope', /^(?=.{1,1000}$)[!#-[\]-~]+( [!#-[\]-~]+)*$/),
      acrValues: parameter('acr_values', /^(?=.{1,1000}$)[!-~]+( [!-~]+)*$/),
      maxAgeSeconds: maxAge === undefined ? undefined : Number(maxAge),
    }
    return { do: 'step-up', error: named, stepUp }
  }
  if (isClear && named === 'insufficient_claims') {
    const claims = readClaims(show(challenge?.parameters.get('claims'), /^[\w+/-]{1,8000}=*$/))
    const stepUp = { claims: show(claims, /^/) }
    return status === 401
      ? { do: 'refresh', error: named, orElse: stepUp }
      : { do: 'step-up', error: named, stepUp }
  }
  // the app or its platform continues these handshakes (RFC 4559)
  const isHandshake = !ours.length && challenges.some(({ scheme }) => /^(negotiate|ntlm)$/.test(scheme))
  const isCurable = status === 401 && isClear && named !== 'use_dpop_nonce' && !isHandshake
  return { do: isCurable ? 'refresh' : 'pass', error: show(named?.slice(0, 64), /^[ !#-[\]-~]+$/) }
}

/**
 * Decodes the claims that Microsoft Entra asks for when it revokes an access token before its expiry: JSON in base64.
 * @returns `undefined` if the text is not that.
 */
function readClaims(base64 = ''): string | undefined {
  try {
    const text = new TextDecoder().decode(fromBase64(base64))
    return typeof JSON.parse(text) === 'object' ? text : undefined
  } catch {
    return undefined
  }
}

/** If two texts share this many characters in a row, one was copied from the other. */
const MIN_SHARED_CHARS = 12
/** Shorter texts are ordinary words, not secrets. */
const MIN_SECRET_LENGTH = 8

/** Whether a text contains a sent text or a piece of it, plain or URL-encoded. */
function repeats(text: string, sent: readonly unknown[]): boolean {
  const forms = formsOf(text)
  return sent.flatMap(formsOf).some(secret =>
    forms.some(form => {
      if (secret.length >= MIN_SECRET_LENGTH && form.includes(secret)) return true
      for (let at = 0; at + MIN_SHARED_CHARS <= form.length; at++)
        if (secret.includes(form.slice(at, at + MIN_SHARED_CHARS))) return true
      return false
    }),
  )
}

/** Returns a text as it is and URL-decoded, both in lower case. Returns nothing for other values. */
function formsOf(value: unknown): string[] {
  if (typeof value !== 'string' && !(value instanceof URLSearchParams)) return []
  const forms = [String(value)]
  try {
    forms.push(decodeURIComponent(String(value)))
  } catch {}
  return forms.map(form => form.toLowerCase())
}
