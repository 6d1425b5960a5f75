import type { Granted } from 'latchkey/resource-server'

/** One request, or the answer to one. */
export interface Arrow {
  readonly from: string
  readonly to: string
  readonly what: string
  readonly isAnswer: boolean
}

export const AUTHORIZATION_SERVER = 'authorization server'

/** Records requests and answers in the order in which they happen. */
export interface Trace {
  ask(from: string, to: string, what: string): void
  answer(from: string, to: string, what: string): void
}

export function createTrace(record: (arrow: Arrow) => void): Trace {
  const add = (isAnswer: boolean) => (from: string, to: string, what: string) =>
    record({ from, to, what, isAnswer })
  return { ask: add(false), answer: add(true) }
}

/** Names an access token by whom it is about, whom it is for, and whether it is bound to a key. */
export const tokenName = ({
  subject,
  audience,
  isBound,
}: {
  subject: string
  audience: string
  isBound: boolean
}) => `a token of ${subject}, for ${audience}${isBound ? ', bound to its key' : ''}`

/** Names the access token of a request that a guard has accepted. */
export const tokenOf = ({ claims, subject, clientId, binding }: Granted): string =>
  tokenName({
    subject: subject ?? clientId ?? 'nobody',
    audience: String(claims.aud),
    isBound: binding === 'dpop',
  })

/** One line of text for a terminal. */
export const toLine = ({ from, to, what, isAnswer }: Arrow): string =>
  `${from.padEnd(20)} ${isAnswer ? '⇢' : '→'} ${to.padEnd(20)}  ${what}`

/** A picture in the language of Mermaid. */
export function toMermaid(arrows: readonly Arrow[], people: readonly string[]): string {
  const names = [...new Set(arrows.flatMap(({ from, to }) => [from, to]))]
  const idOf = (name: string) => name.replaceAll(' ', '_')
  return [
    'sequenceDiagram',
    ...names.map(name => {
      const kind = people.includes(name) ? 'actor' : 'participant'
      return `    ${kind} ${idOf(name)}${idOf(name) === name ? '' : ` as ${name}`}`
    }),
    ...arrows.map(
      ({ from, to, what, isAnswer }) => `    ${idOf(from)}${isAnswer ? '-->>' : '->>'}${idOf(to)}: ${what}`,
    ),
  ].join('\n')
}
