/** One challenge of a `WWW-Authenticate` header (RFC 9110 section 11.6.1). Scheme and names are in lower case. */
export interface Challenge {
  readonly scheme: string
  readonly parameters: ReadonlyMap<string, string>
}

/** More than any server sends; what is longer is not read. */
const MAX_LENGTH = 16_384

// each alternative begins with another character and takes all it can: linear on any input
const PIECE = /([!#$%&'*+\-.^_`|~\w/]+=*)|"((?:[^"\\]|\\[\s\S])*)("?)|([,=])|[ \t]+|[\s\S]/y

/**
 * Reads several challenges, commas in quotes, token68 and stray whitespace. A parameter given twice keeps its first
 * value. What does not fit the grammar is passed over; a header without any challenge gives an empty list.
 */
export function parseChallenges(header: string | null): readonly Challenge[] {
  const challenges: { scheme: string; parameters: Map<string, string> }[] = []
  if (!header || header.length > MAX_LENGTH) return challenges
  PIECE.lastIndex = 0
  let name: string | undefined // a word that may become a scheme or a parameter's name
  let equals = false
  const settle = () => {
    if (name !== undefined && !equals) challenges.push({ scheme: name.toLowerCase(), parameters: new Map() })
    name = undefined
    equals = false
  }
  const assign = (value: string) => {
    const parameters = challenges.at(-1)?.parameters
    const key = (name as string).toLowerCase()
    if (parameters && !parameters.has(key)) parameters.set(key, value)
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

/** The challenge for an access token (RFC 6750 section 3, RFC 9449 section 7.1), if there is one. */
export const tokenChallenge = (challenges: readonly Challenge[]): Challenge | undefined =>
  challenges.find(({ scheme }) => scheme === 'bearer' || scheme === 'dpop')
