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

// each alternative begins with another character and takes all it can: linear on any input
const PIECE = /([!#$%&'*+\-.^_`|~\w/]+=*)|"((?:[^"\\]|\\[\s\S])*)("?)|([,=])|[ \t]+|[\s\S]/y

/**
 * Reads several challenges, commas in quotes, token68 and stray whitespace. A parameter given twice keeps its first
 * value. What does not fit the grammar is passed over; a header without any challenge gives an empty list.
 */
export function parseChallenges(header: string | null): readonly Challenge[] {
  const challenges: { scheme: string; parameters: Map<string, string>; isAmbiguous: boolean }[] = []
  if (!header || header.length > MAX_LENGTH) return challenges
  PIECE.lastIndex = 0
  let name: string | undefined // a word that may become a scheme or a parameter's name
  let equals = false
  const settle = () => {
    if (name !== undefined && !equals) {
      challenges.push({ scheme: name.toLowerCase(), parameters: new Map(), isAmbiguous: false })
    }
    name = undefined
    equals = false
  }
  const assign = (value: string) => {
    const challenge = challenges.at(-1)
    const key = (name as string).toLowerCase()
    if (!challenge?.parameters.has(key)) challenge?.parameters.set(key, value)
    else if (ONCE.includes(key)) challenge.isAmbiguous = true
    name = undefined
    equals = false
  }
  for (let piece = PIECE.exec(header); piece; piece = PIECE.exec(header)) {
    const [, word, quoted, closed, mark] = piece
    if (quoted !== undefined) {
      if (equals && closed) assign(quoted.replace(/\\([\s\S])/g, '$1'))
    } else if (word !== undefined) {
      if (equals) assign(word)
      else {
        settle()
        name = word.replace(/=+$/, '')
        equals = word.endsWith('=')
      }
    } else if (mark === '=') equals = name !== undefined
    else if (mark === ',') settle()
  }
  settle()
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
}

/** What an answer of an API leads to. */
export type Verdict =
  /** It is the caller's. */
  | { readonly do: 'pass'; readonly error?: string }
  /** Another access token may help. */
  | { readonly do: 'refresh'; readonly error?: string }
  /** Another sign-in may help. */
  | { readonly do: 'step-up'; readonly error: string; readonly stepUp: StepUp }

/** Errors that no new access token cures, and what each leads to. */
const LEADS_TO: ReadonlyMap<string | undefined, 'pass' | 'step-up'> = new Map([
  ['insufficient_scope', 'step-up'],
  ['insufficient_user_authentication', 'step-up'],
  ['use_dpop_nonce', 'pass'],
])

/** Handshakes that the app or its platform goes on with by itself (RFC 4559). */
const isHandshake = ({ scheme }: Challenge) => scheme === 'negotiate' || scheme === 'ntlm'
const isOurs = ({ scheme }: Challenge) => scheme === 'bearer' || scheme === 'dpop'

/**
 * Judges an answer of an API by its challenges (RFC 6750 section 3.1, RFC 9449 section 7.1, RFC 9470 section 3). A 401
 * may be cured by a new access token whatever it says, unless it says why not.
 * @param sent texts of the request: nothing of them is repeated.
 */
export function judgeAnswer(status: number, header: string | null, sent: readonly string[] = []): Verdict {
  if (status !== 401 && status !== 403) return { do: 'pass' }
  const challenges = parseChallenges(header)
  const ours = challenges.filter(isOurs)
  const errorOf = (challenge: Challenge | undefined) => challenge?.parameters.get('error')
  const challenge = ours.find(errorOf) ?? ours[0]
  const named = errorOf(challenge)
  const next = challenge?.isAmbiguous ? 'pass' : LEADS_TO.get(named)
  const show = (text: string | undefined, fits: RegExp) =>
    text !== undefined && fits.test(text) && !repeats(text, sent) ? text : undefined
  if (next === 'step-up') {
    return { do: next, error: named as string, stepUp: stepUpOf(challenge as Challenge, show) }
  }
  const error = LEADS_TO.has(named) ? named : show(named?.slice(0, 64), /^[ !#-[\]-~]+$/)
  const isCurable = status === 401 && !next && (ours.length > 0 || !challenges.some(isHandshake))
  return { do: isCurable ? 'refresh' : 'pass', error }
}

/** What fits is copied; it ends in a URL. */
function stepUpOf(
  { parameters }: Challenge,
  show: (text: string | undefined, fits: RegExp) => string | undefined,
): StepUp {
  const maxAge = show(parameters.get('max_age'), /^\d{1,9}$/)
  return {
    scope: show(parameters.get('scope'), /^(?=.{1,1000}$)[!#-[\]-~]+( [!#-[\]-~]+)*$/),
    acrValues: show(parameters.get('acr_values'), /^(?=.{1,1000}$)[!-~]+( [!-~]+)*$/),
    maxAgeSeconds: maxAge === undefined ? undefined : Number(maxAge),
  }
}

/** So many letters in a row that two texts share are no accident. */
const RUN = 12
/** Shorter texts are words, and no secrets. */
const SHORTEST = 8

/** Whether a text has in it what was sent, or a piece of that, plainly or as in a URL. */
function repeats(text: string, sent: readonly string[]): boolean {
  const forms = [text, decode(text)].map(form => form.toLowerCase())
  const secrets = sent.flatMap(secret => [secret, decode(secret)]).map(secret => secret.toLowerCase())
  return forms.some(form =>
    secrets.some(secret => {
      if (secret.length >= SHORTEST && form.includes(secret)) return true
      for (let at = 0; at + RUN <= form.length; at++)
        if (secret.includes(form.slice(at, at + RUN))) return true
      return false
    }),
  )
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}
