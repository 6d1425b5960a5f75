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

/** What each `error` of a challenge leads to; whatever is not here is the caller's. */
const LEADS_TO: Readonly<Record<string, 'refresh' | 'step-up'>> = {
  invalid_token: 'refresh',
  insufficient_scope: 'step-up',
  insufficient_user_authentication: 'step-up',
}

/**
 * Judges an answer of an API by its challenges (RFC 6750 section 3.1, RFC 9449 section 7.1, RFC 9470 section 3). A 401
 * that says nothing, or nothing about access tokens but that one is needed, is taken for `invalid_token`.
 */
export function judgeAnswer(status: number, header: string | null): Verdict {
  if (status !== 401 && status !== 403) return { do: 'pass' }
  const challenges = parseChallenges(header)
  const challenge = challenges.find(({ scheme }) => scheme === 'bearer' || scheme === 'dpop')
  const error = challenge?.parameters.get('error')
  if (challenge?.isAmbiguous) return { do: 'pass', error }
  const next =
    error === undefined ? (!challenges.length || challenge ? 'refresh' : undefined) : LEADS_TO[error]
  if (next === 'step-up')
    return { do: next, error: error as string, stepUp: stepUpOf(challenge as Challenge) }
  return { do: next === 'refresh' && status === 401 ? next : 'pass', error }
}

/** What fits is copied; it ends in a URL. */
function stepUpOf({ parameters }: Challenge): StepUp {
  const text = (name: string, fits: RegExp) => {
    const value = parameters.get(name)
    return value && value.length <= 1000 && fits.test(value) ? value : undefined
  }
  const maxAge = text('max_age', /^\d{1,9}$/)
  return {
    scope: text('scope', /^[!#-[\]-~]+( [!#-[\]-~]+)*$/),
    acrValues: text('acr_values', /^[!-~]+( [!-~]+)*$/),
    maxAgeSeconds: maxAge === undefined ? undefined : Number(maxAge),
  }
}
