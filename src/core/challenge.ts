/** One challenge of a `WWW-Authenticate` header (RFC 9110 section 11.6.1). Scheme and names are in lower case. */
export interface Challenge {
  readonly scheme: string
  readonly parameters: ReadonlyMap<string, string>
  /** `error`, `scope` or `realm` is in it twice. */
  readonly isAmbiguous: boolean
}

/** May stand in a challenge once (RFC 6750 section 3). */
const ONCE = ['error', 'scope', 'realm']

/** More than any server sends; what is longer is not read. */
const MAX_LENGTH = 16_384

/**
 * A word, which is a scheme unless `=` and a value follow; or a quote, so that nothing in it is taken for a word. Linear on
 * any input: no two parts of it can take the same character.
 */
const PIECE =
  /([!#$%&'*+\-.^_`|~\w/]+)(?:[ \t]*(=+)[ \t]*(?:"((?:[^"\\]|\\[\s\S])*)"|([!#$%&'*+\-.^_`|~\w/]*=*)))?|"(?:[^"\\]|\\[\s\S])*"?/g

/**
 * Reads several challenges, commas in quotes, token68 and stray whitespace. A parameter given twice keeps its first
 * value. What does not fit the grammar is passed over; a header without any challenge gives an empty list.
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

/** What an API asks for that no refresh can bring: the user has to be asked (RFC 6750 section 3.1, RFC 9470 section 3). */
export interface StepUp {
  /** Scopes that the access token lacks, joined by spaces. */
  readonly scope?: string
  /** Authentication context classes, in order of preference, joined by spaces. */
  readonly acrValues?: string
  /** How many seconds ago the user may have authenticated at most. */
  readonly maxAgeSeconds?: number
  /** What to ask for in the parameter `claims`, as JSON text (OpenID Connect Core section 5.5). */
  readonly claims?: string | undefined
}

/** What an answer of an API leads to. */
export type Verdict =
  /** It is the caller's. */
  | { readonly do: 'pass'; readonly error?: string }
  /** Another access token may help; `orElse`: what to ask for where it does not. */
  | { readonly do: 'refresh'; readonly error?: string; readonly orElse?: StepUp }
  /** Another sign-in may help. */
  | { readonly do: 'step-up'; readonly error: string; readonly stepUp: StepUp }

const errorOf = (challenge: Challenge | undefined) => challenge?.parameters.get('error')

/**
 * Judges an answer of an API by its challenges (RFC 6750 section 3.1, RFC 9449 section 7.1, RFC 9470 section 3). A 401
 * may be cured by a new access token whatever it says, unless it says why not.
 * @param sent parts of the request: nothing of the texts among them is repeated.
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
  // the app or its platform goes on with these handshakes by itself (RFC 4559)
  const isHandshake = !ours.length && challenges.some(({ scheme }) => /^(negotiate|ntlm)$/.test(scheme))
  const isCurable = status === 401 && isClear && named !== 'use_dpop_nonce' && !isHandshake
  return { do: isCurable ? 'refresh' : 'pass', error: show(named?.slice(0, 64), /^[ !#-[\]-~]+$/) }
}

/**
 * What Microsoft Entra asks for when it takes back an access token before its time: JSON in base64.
 * @returns `undefined` where it is none.
 */
function readClaims(base64 = ''): string | undefined {
  try {
    const text = atob(base64.replaceAll('-', '+').replaceAll('_', '/'))
    return typeof JSON.parse(text) === 'object' ? text : undefined
  } catch {
    return undefined
  }
}

/** So many letters in a row that two texts share are no accident. */
const RUN = 12
/** Shorter texts are words, and no secrets. */
const SHORTEST = 8

/** Whether a text has in it what was sent, or a piece of that, plainly or as in a URL. */
function repeats(text: string, sent: readonly unknown[]): boolean {
  const forms = formsOf(text)
  return sent.flatMap(formsOf).some(secret =>
    forms.some(form => {
      if (secret.length >= SHORTEST && form.includes(secret)) return true
      for (let at = 0; at + RUN <= form.length; at++)
        if (secret.includes(form.slice(at, at + RUN))) return true
      return false
    }),
  )
}

/** A text as it is and decoded, in lower case. What is no text has no forms. */
function formsOf(value: unknown): string[] {
  if (typeof value !== 'string' && !(value instanceof URLSearchParams)) return []
  const forms = [String(value)]
  try {
    forms.push(decodeURIComponent(String(value)))
  } catch {}
  return forms.map(form => form.toLowerCase())
}
