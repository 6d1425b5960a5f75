/** What may come at one place of a text. */
type Node =
  | { readonly type: 'one'; fits(code: number): boolean }
  | { readonly type: 'start' | 'end' }
  | { readonly type: 'any'; readonly of: readonly Node[][] }
  | { readonly type: 'times'; readonly node: Node; readonly least: number; readonly most: number }

const SETS: Readonly<Record<string, (code: number) => boolean>> = {
  d: code => code >= 48 && code <= 57,
  w: code => /\w/.test(String.fromCharCode(code)),
  s: code => /\s/.test(String.fromCharCode(code)),
}
const CODES: Readonly<Record<string, number>> = { n: 10, r: 13, t: 9, '0': 0 }

/** Reads the grammar that latchkey's own regular expressions keep to. @throws Error for anything else. */
function parse(source: string, ignoresCase: boolean): Node[][] {
  let at = 0
  const fail = (): never => {
    throw new Error(`The steps of /${source}/ cannot be counted: ${source.slice(at)}`)
  }
  const exactly = (own: number) => (code: number) => code === own
  /** One character, or a set of them, as it stands in a list or outside. */
  const sign = (): number | ((code: number) => boolean) => {
    const first = source[at++] ?? fail()
    if (first !== '\\') return first.charCodeAt(0)
    const escaped = source[at++] ?? fail()
    const set = SETS[escaped.toLowerCase()]
    if (set) return escaped === escaped.toLowerCase() ? set : code => !set(code)
    if (escaped === 'u' || escaped === 'x') {
      const digits = source.slice(at, at + (escaped === 'u' ? 4 : 2))
      at += digits.length
      return Number.parseInt(digits, 16)
    }
    return CODES[escaped] ?? (/\w/.test(escaped) ? fail() : escaped.charCodeAt(0))
  }
  const one = (): ((code: number) => boolean) => {
    const own = sign()
    return typeof own === 'number' ? exactly(own) : own
  }
  const cased = (fits: (code: number) => boolean) => (code: number) => {
    const text = String.fromCharCode(code)
    return ignoresCase
      ? fits(text.toLowerCase().charCodeAt(0)) || fits(text.toUpperCase().charCodeAt(0))
      : fits(code)
  }
  const list = (): ((code: number) => boolean) => {
    const isOther = source[at] === '^'
    if (isOther) at++
    const parts: ((code: number) => boolean)[] = []
    while (source[at] !== ']') {
      const low = sign()
      if (typeof low !== 'number') parts.push(low)
      else if (source[at] !== '-' || source[at + 1] === ']') parts.push(exactly(low))
      else {
        at++
        const high = sign()
        if (typeof high !== 'number') return fail()
        parts.push(code => code >= low && code <= high)
      }
    }
    at++
    return code => parts.some(fits => fits(code)) !== isOther
  }
  const atom = (): Node => {
    const next = source[at] ?? fail()
    if (!'([^$.*+?{'.includes(next)) return { type: 'one', fits: cased(one()) }
    at++
    if (next === '(') {
      if (source.startsWith('?:', at)) at += 2
      else if (source[at] === '?') fail()
      const of = either()
      if (source[at++] !== ')') fail()
      return { type: 'any', of }
    }
    if (next === '[') return { type: 'one', fits: cased(list()) }
    if (next === '^') return { type: 'start' }
    if (next === '$') return { type: 'end' }
    return next === '.' ? { type: 'one', fits: code => code !== 10 && code !== 13 } : fail()
  }
  const timed = (node: Node): Node => {
    const braces = /^\{(\d+)(,?)(\d*)\}/.exec(source.slice(at))
    const sign = source[at]
    let [least, most] = [1, 1]
    if (braces) {
      least = Number(braces[1])
      most = braces[3] ? Number(braces[3]) : braces[2] ? Number.POSITIVE_INFINITY : least
      at += braces[0].length
    } else if (sign === '*' || sign === '+' || sign === '?') {
      least = sign === '+' ? 1 : 0
      most = sign === '?' ? 1 : Number.POSITIVE_INFINITY
      at++
    } else return node
    if (source[at] === '?') fail()
    return { type: 'times', node, least, most }
  }
  const either = (): Node[][] => {
    const all: Node[][] = [[]]
    while (at < source.length && source[at] !== ')') {
      if (source[at] === '|') {
        at++
        all.push([])
      } else all.at(-1)?.push(timed(atom()))
    }
    return all
  }
  const whole = either()
  return at === source.length ? whole : fail()
}

const parsed = new Map<string, Node[][]>()

/**
 * How often a character is looked at until the expression fits or cannot fit: what an engine does that goes back to the
 * last choice where it gets no further. An upper bound for one that does better.
 */
export function stepsOf(source: string, flags: string, text: string, lastIndex: number): number {
  const key = `${flags.includes('i') ? 'i' : ''} ${source}`
  const whole = parsed.get(key) ?? parse(source, flags.includes('i'))
  parsed.set(key, whole)
  let steps = 0
  type Go = (at: number) => boolean
  const matchAll = (nodes: readonly Node[], from: number, at: number, go: Go): boolean => {
    const node = nodes[from]
    return node ? match(node, at, next => matchAll(nodes, from + 1, next, go)) : go(at)
  }
  const match = (node: Node, at: number, go: Go): boolean => {
    switch (node.type) {
      case 'start':
        return at === 0 && go(at)
      case 'end':
        return at === text.length && go(at)
      case 'one':
        steps++
        return at < text.length && node.fits(text.charCodeAt(at)) && go(at + 1)
      case 'any':
        return node.of.some(nodes => matchAll(nodes, 0, at, go))
      case 'times':
        return node.node.type === 'one' ? many(node, node.node.fits, at, go) : repeat(node, 0, at, go)
    }
  }
  type Times = Extract<Node, { type: 'times' }>
  const many = ({ least, most }: Times, fits: (code: number) => boolean, at: number, go: Go): boolean => {
    let end = at
    while (end - at < most && end < text.length && fits(text.charCodeAt(end))) end++
    steps += end - at + 1
    for (; end - at >= least; end--) {
      steps++
      if (go(end)) return true
    }
    return false
  }
  const repeat = (times: Times, done: number, at: number, go: Go): boolean =>
    (done < times.most && match(times.node, at, next => next > at && repeat(times, done + 1, next, go))) ||
    (done >= times.least && go(at))

  const isSearch = flags.includes('g') || flags.includes('y')
  for (let at = isSearch ? lastIndex : 0; at <= text.length; at++) {
    steps++
    if (whole.some(nodes => matchAll(nodes, 0, at, () => true)) || flags.includes('y')) break
  }
  return steps
}
