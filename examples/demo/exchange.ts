import type { Arrow } from 'latchkey/inspector'

/** A step of the exchange failed. */
export class LifecycleError extends Error {
  override readonly name = 'LifecycleError'
}

/** Records every arrow as it happens, and checks that the expected arrows came. */
export interface Exchange {
  record(arrow: Arrow): void
  /** Prints a text that is not an arrow. */
  say(text: string): void
  /** How many arrows so far had a label that begins with one of these. */
  count(...beginnings: string[]): number
  /**
   * Runs one step. The arrows in `expected` must come in this order, and there must be no other token request.
   * @throws LifecycleError that names the missing arrow or counts the token requests.
   */
  step<T>(title: string, expected: readonly string[], run: () => Promise<T>): Promise<T>
}

export interface ExchangeOptions {
  print: (line: string) => void
  /** Whether to print colours. */
  colour: boolean
}

const isTokenRequest = (name: string) => name.includes(': token request')
const nameOf = (arrow: Arrow) => `${arrow.from} → ${arrow.to}: ${arrow.label}`

export function createExchange({ print, colour }: ExchangeOptions): Exchange {
  const began = performance.now()
  const arrows: Arrow[] = []

  const paint = (code: number, text: string) => (colour && text ? `\u001b[${code}m${text}\u001b[0m` : text)
  const elapsed = () => `${((performance.now() - began) / 1000).toFixed(3)} s`.padStart(9)
  const toneCodes = { plain: 0, good: 32, bad: 31 } as const

  const line = (arrow: Arrow) => {
    const note = arrow.from === arrow.to
    const way = `${arrow.from.padEnd(20)} ${note ? '·' : '→'} ${(note ? '' : arrow.to).padEnd(20)}`
    const label = paint(toneCodes[arrow.tone], arrow.detail ? arrow.label.padEnd(34) : arrow.label)
    return `${paint(2, elapsed())}  ${way}  ${label} ${paint(2, arrow.detail)}`.trimEnd()
  }

  const check = (title: string, expected: readonly string[], seen: readonly string[]) => {
    let from = 0
    for (const name of expected) {
      const at = seen.indexOf(name, from)
      if (at < 0) throw new LifecycleError(`The arrow "${name}" was missing when ${title}.`)
      from = at + 1
    }
    const wanted = expected.filter(isTokenRequest).length
    const sent = seen.filter(isTokenRequest).length
    if (sent > wanted) {
      throw new LifecycleError(`There were ${sent} token requests instead of ${wanted} when ${title}.`)
    }
  }

  return {
    record: arrow => {
      arrows.push(arrow)
      print(line(arrow))
    },
    say: text => print(`${paint(2, elapsed())}  ${paint(2, text)}`),
    count: (...beginnings) =>
      arrows.filter(({ label }) => beginnings.some(beginning => label.startsWith(beginning))).length,
    step: async (title, expected, run) => {
      print(paint(1, `\n${title}`))
      const before = arrows.length
      const result = await run()
      check(title, expected, arrows.slice(before).map(nameOf))
      return result
    },
  }
}
