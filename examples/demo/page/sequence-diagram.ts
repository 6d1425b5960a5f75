import type { ClientEvent } from 'latchkey'
import { type Arrow, arrowOf } from '../arrows.ts'
import { created, element } from './elements.ts'

export interface SequenceDiagram {
  /** Draws one more arrow at the bottom. */
  draw(event: ClientEvent): void
  clear(): void
}

/** The most rows that stay in the page. */
const MOST_ROWS = 200

/** After a silence of this length, a gap separates the next arrow. */
const PAUSE_MS = 1500

const seconds = (ms: number) =>
  ms < 100_000
    ? (ms / 1000).toFixed(2)
    : `${Math.floor(ms / 60_000)}:${String(Math.floor(ms / 1000) % 60).padStart(2, '0')}`

const laneOf = (arrow: Arrow) => {
  if (arrow.from === arrow.to) return 'note'
  return arrow.from === 'resource server' || arrow.to === 'resource server' ? 'rs' : 'as'
}

/** Measures how long a response took. It assumes that responses arrive in the order of their requests. */
function createStopwatch() {
  const sent = new Map<string, number[]>()
  return (event: ClientEvent): string => {
    const kind = event.type.replace(/-(request|response|error)$/, '')
    const key = 'url' in event && kind === 'api' ? `${kind} ${event.url}` : kind
    if (event.type.endsWith('-request')) {
      sent.set(key, [...(sent.get(key) ?? []), event.at])
      return ''
    }
    const [at, ...rest] = sent.get(key) ?? []
    sent.set(key, rest)
    return at === undefined || kind === 'authorization' ? '' : `${Math.max(0, event.at - at)} ms`
  }
}

/** Draws the exchange: three lifelines, one arrow per event, the newest at the bottom and in view. */
export function createSequenceDiagram(past: readonly ClientEvent[]): SequenceDiagram {
  const list = element<HTMLOListElement>('#arrows')
  const scroll = element('#scroll')
  const empty = element('#empty')
  let began: number | undefined
  let last: number | undefined
  let stopwatch = createStopwatch()

  const append = (event: ClientEvent, isNew: boolean) => {
    const arrow = arrowOf(event)
    const lane = laneOf(arrow)
    const answer = lane !== 'note' && arrow.to === 'client'
    const row = created('li', `arrow ${lane} ${arrow.tone}`, '')
    row.dataset.event = event.type
    row.classList.toggle('answer', answer)
    row.classList.toggle('new', isNew)
    row.classList.toggle('pause', last !== undefined && event.at - last > PAUSE_MS)
    began ??= event.at
    last = event.at

    const way = lane === 'note' ? `${arrow.from}: ` : `${arrow.from} to ${arrow.to}: `
    const label = created('span', 'label', arrow.label)
    label.prepend(created('span', 'hidden', way))
    row.append(created('time', '', seconds(event.at - began)), label, created('span', 'shaft', ''))
    const detail = [arrow.detail, stopwatch(event)].filter(Boolean).join(' · ')
    if (detail && lane === 'as') row.append(created('span', 'detail', detail))
    else if (detail) label.append(' ', created('small', '', detail))

    list.append(row)
    if (list.childElementCount > MOST_ROWS) list.firstElementChild?.remove()
    empty.hidden = true
  }

  for (const event of past) append(event, false)
  scroll.scrollTop = scroll.scrollHeight

  return {
    draw: event => {
      // do not scroll while the user reads further up
      const atEnd = scroll.scrollHeight - scroll.scrollTop - scroll.clientHeight < 120
      append(event, true)
      if (atEnd) scroll.scrollTop = scroll.scrollHeight
    },
    clear: () => {
      list.replaceChildren()
      empty.hidden = false
      began = undefined
      last = undefined
      stopwatch = createStopwatch()
    },
  }
}
