import type { ClientEvent } from '../index.ts'
import { type Arrow, arrowOf } from './arrows.ts'
import { createElement } from './elements.ts'

/** The sequence diagram: three lifelines, one arrow for each event. */
export interface SequenceDiagram {
  readonly element: HTMLElement
  /** Draws one more arrow at the bottom. */
  draw(event: ClientEvent, isNew?: boolean): void
  clear(): void
}

/** The most rows that stay in the page. */
const MOST_ROWS = 200

/** After a silence of this length, a gap separates the next arrow. */
const PAUSE_MS = 1500

/** Seconds up to 100, then minutes and seconds. */
const elapsed = (ms: number) =>
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

/** Draws an event as one row. */
function createRow(event: ClientEvent, took: string): HTMLLIElement {
  const arrow = arrowOf(event)
  const lane = laneOf(arrow)
  const row = createElement('li', `arrow ${lane} ${arrow.tone}`)
  row.dataset.event = event.type
  row.classList.toggle('answer', lane !== 'note' && arrow.to === 'client')
  const way = lane === 'note' ? `${arrow.from}: ` : `${arrow.from} to ${arrow.to}: `
  const label = createElement('span', 'label', arrow.label)
  label.prepend(createElement('span', 'hidden', way))
  const detail = [arrow.detail, took].filter(Boolean).join(' · ')
  row.append(label, createElement('span', 'shaft'))
  if (detail && lane === 'as') row.append(createElement('span', 'detail', detail))
  else if (detail) label.append(' ', createElement('small', '', detail))
  return row
}

/** Creates an empty diagram. The newest arrow is at the bottom and in view. */
export function createSequenceDiagram(): SequenceDiagram {
  const list = createElement('ol', 'arrows')
  list.dataset.testid = 'diagram'
  const empty = createElement('p', 'empty')
  empty.append(createElement('span', '', 'Every request and response appears here as it happens.'))
  const scroll = createElement('section', 'scroll')
  scroll.tabIndex = 0 // a region that scrolls must be reachable by keyboard
  scroll.setAttribute('aria-label', 'Requests and responses')
  scroll.append(empty, list)
  const lanes = createElement('div', 'lanes')
  lanes.setAttribute('aria-hidden', 'true')
  lanes.append(
    createElement('span', 'lane client', 'client'),
    createElement('span', 'lane as', 'authorization server'),
    createElement('span', 'lane rs', 'API'),
  )
  const element = createElement('div', 'diagram')
  element.append(lanes, scroll)

  let began: number | undefined
  let last: number | undefined
  let stopwatch = createStopwatch()
  return {
    element,
    draw(event, isNew = true) {
      // do not scroll while the reader looks further up
      const atEnd = scroll.scrollHeight - scroll.scrollTop - scroll.clientHeight < 120
      began ??= event.at
      const row = createRow(event, stopwatch(event))
      const time = createElement('time', '', elapsed(event.at - began))
      time.title = new Date(event.at).toLocaleTimeString()
      row.prepend(time)
      row.classList.toggle('new', isNew)
      row.classList.toggle('pause', last !== undefined && event.at - last > PAUSE_MS)
      last = event.at
      list.append(row)
      if (list.childElementCount > MOST_ROWS) list.firstElementChild?.remove()
      empty.hidden = true
      if (atEnd) scroll.scrollTop = scroll.scrollHeight
    },
    clear() {
      list.replaceChildren()
      empty.hidden = false
      began = last = undefined
      stopwatch = createStopwatch()
    },
  }
}
