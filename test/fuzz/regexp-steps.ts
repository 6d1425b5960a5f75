/** What may match at one position of a text. */
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

/** Parses the grammar that latchkey's own regular expressions follow. @throws Error for anything else. */
function parse(source: string, ignoresCase: boolean): Node[][] {
  let at = 0
  const fail = (): never => {
    throw new Error(`The steps of /${source}/ cannot be counted: ${source.slice(at)}`)
  }
  const exactly = (own: number) => (code: number) => code === own
  /** One character, or a character class, inside or outside a list. */
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

/** The next step at one position of a text. */
type Step =
  | { readonly do: 'one'; fits(code: number): boolean }
  | { readonly do: 'many'; readonly least: number; readonly most: number; fits(code: number): boolean }
  | { readonly do: 'start' }
  | { readonly do: 'end' }
  /** Continues with the first branch, and with the second if that fails. */
  | { readonly do: 'split'; here: number; there: number }
  | { readonly do: 'jump'; to: number }

function compile(whole: readonly Node[][]): readonly Step[] {
  const steps: Step[] = []
  const either = ([first = [], ...rest]: readonly Node[][]): void => {
    if (!rest.length) {
      first.forEach(add)
      return
    }
    const split = { do: 'split' as const, here: steps.length + 1, there: 0 }
    steps.push(split)
    first.forEach(add)
    const jump = { do: 'jump' as const, to: 0 }
    steps.push(jump)
    split.there = steps.length
    either(rest)
    jump.to = steps.length
  }
  const add = (node: Node): void => {
    if (node.type === 'one') steps.push({ do: 'one', fits: node.fits })
    else if (node.type === 'any') either(node.of)
    else if (node.type !== 'times') steps.push({ do: node.type })
    else if (node.node.type === 'one') steps.push({ do: 'many', ...node, fits: node.node.fits })
    else {
      for (let time = 0; time < node.least; time++) add(node.node)
      const isEndless = node.most === Number.POSITIVE_INFINITY
      for (let time = node.least; time < (isEndless ? node.least + 1 : node.most); time++) {
        const split = { do: 'split' as const, here: steps.length + 1, there: 0 }
        const from = steps.push(split) - 1
        add(node.node)
        if (isEndless) steps.push({ do: 'jump', to: from })
        split.there = steps.length
      }
    }
  }
  either(whole)
  return steps
}

const compiled = new Map<string, readonly Step[]>()

/**
 * How often a character is read until the expression matches or fails, in an engine that backtracks to its last choice. An
 * upper bound for better engines.
 */
export function stepsOf(source: string, flags: string, text: string, lastIndex: number): number {
  const ignoresCase = flags.includes('i')
  const key = `${ignoresCase} ${source}`
  const program = compiled.get(key) ?? compile(parse(source, ignoresCase))
  compiled.set(key, program)
  let steps = 0
  const isFit = (from: number): boolean => {
    /** `floor`: how far back a repetition may be undone. */
    const choices: { pc: number; at: number; floor: number }[] = []
    let [pc, at, isStuck] = [0, from, false]
    for (;;) {
      const step = isStuck ? undefined : program[pc]
      steps++
      if (isStuck) {
        const choice = choices.at(-1)
        if (!choice) return false
        pc = choice.pc
        at = choice.at
        if (--choice.at < choice.floor) choices.pop()
        isStuck = false
      } else if (!step) return true
      else if (step.do === 'start' || step.do === 'end') {
        isStuck = at !== (step.do === 'start' ? 0 : text.length)
        pc++
      } else if (step.do === 'one') {
        isStuck = at >= text.length || !step.fits(text.charCodeAt(at))
        at++
        pc++
      } else if (step.do === 'many') {
        let end = at
        while (end - at < step.most && end < text.length && step.fits(text.charCodeAt(end))) end++
        steps += end - at
        isStuck = end - at < step.least
        if (end - at > step.least) choices.push({ pc: pc + 1, at: end - 1, floor: at + step.least })
        at = end
        pc++
      } else if (step.do === 'split') {
        choices.push({ pc: step.there, at, floor: at })
        pc = step.here
      } else pc = step.to
    }
  }
  const isSearch = flags.includes('g') || flags.includes('y')
  for (let at = isSearch ? lastIndex : 0; at <= text.length; at++) if (isFit(at) || flags.includes('y')) break
  return steps
}
