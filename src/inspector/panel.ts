import type { Client, ClientEvent, Session } from '../index.ts'
import { type Finding, findingsOf } from './diagnosis.ts'
import { createSequenceDiagram } from './diagram.ts'
import { button, createElement, keyPicture, picture } from './elements.ts'
import { createForce, type DebugActions } from './force.ts'
import { createEventHistory } from './history.ts'

/** The inspector's panel for one client. */
export interface Panel {
  readonly element: HTMLElement
  stop(): void
}

const TICK_MS = 250
/** How long the button shows whether the copy succeeded. */
const COPIED_MS = 2000

const nameOf = (session: Session): string => {
  const claims = session.status === 'signed-in' ? session.claims : undefined
  return String(claims?.name ?? claims?.preferred_username ?? claims?.sub ?? '')
}

const lasting = (ms: number): string => {
  const seconds = Math.ceil(ms / 1000)
  if (seconds < 100) return String(seconds)
  return seconds < 6000 ? `${Math.ceil(seconds / 60)} min` : `${Math.round(seconds / 3600)} h`
}

/** Shows the remaining lifetime of the access token as a ring. */
function createLife() {
  const circle = 'M40 6a34 34 0 1 1 0 68a34 34 0 1 1 0-68'
  const ring = picture('0 0 80 80', 'ring', [circle, circle])
  const [, left] = ring.children
  const seconds = createElement('p', 'seconds')
  const text = createElement('p', 'soft')
  const words = createElement('div', 'words')
  words.append(createElement('p', 'title', 'Access token'), text)
  const element = createElement('section', 'life')
  element.append(ring, seconds, words)
  let expiresAt: number | undefined
  let forced: number | undefined
  let lifetimeMs = 1
  const show = (ms: number | undefined, said: string) => {
    const part = ms === undefined ? 0 : Math.min(1, ms / lifetimeMs)
    left?.setAttribute('stroke-dashoffset', String(100 - part * 100))
    seconds.textContent = ms === undefined ? '–' : lasting(ms)
    text.textContent = said
    element.classList.toggle('over', ms === 0)
  }
  return {
    element,
    /** From now on, shows the current access token as expired. */
    force: () => {
      forced = expiresAt
    },
    show(session: Session) {
      if (session.status !== 'signed-in') return show(undefined, 'There is none.')
      const { accessTokenExpiresAt } = session
      if (accessTokenExpiresAt !== expiresAt && accessTokenExpiresAt !== undefined) {
        lifetimeMs = Math.max(1, accessTokenExpiresAt - Date.now())
      }
      expiresAt = accessTokenExpiresAt
      if (expiresAt === undefined) return show(undefined, 'The server did not say when it expires.')
      const leftMs = forced === expiresAt ? 0 : Math.max(0, expiresAt - Date.now())
      const said = leftMs ? 'left, then latchkey refreshes it' : 'Expired: the next call refreshes it.'
      show(leftMs, leftMs && leftMs < 100_000 ? `seconds ${said}` : said)
    },
  }
}

/** A table of names and values. */
function createFacts() {
  const element = createElement('dl', 'facts')
  return {
    element,
    show(facts: Readonly<Record<string, string>>) {
      const rows = Object.entries(facts).filter(([, value]) => value)
      element.replaceChildren(
        ...rows.flatMap(([name, value]) => [createElement('dt', '', name), createElement('dd', '', value)]),
      )
    },
  }
}

const showFindings = (list: HTMLElement, findings: readonly Finding[]) => {
  const texts = JSON.stringify(findings)
  if (list.dataset.shown === texts) return
  list.dataset.shown = texts
  list.replaceChildren(
    ...findings.map(({ tone, title, advice }) => {
      const item = createElement('li', tone)
      item.append(createElement('p', 'title', title), createElement('p', 'soft', advice))
      return item
    }),
  )
}

/** The buttons that force events. */
function createForceButtons(
  force: DebugActions | undefined,
  lastGet: () => string | undefined,
  expired: () => void,
) {
  const element = createElement('div', 'force')
  const problem = createElement('p', 'problem')
  problem.setAttribute('role', 'alert')
  const attempt = async (work: () => Promise<void>) => {
    problem.textContent = ''
    try {
      await work()
    } catch (error) {
      problem.textContent = error instanceof Error ? error.message : String(error)
    }
  }
  const expire = button('Expire', 'Takes the access token for expired: the next call refreshes it', () =>
    attempt(async () => {
      await force?.expire()
      expired()
    }),
  )
  const refresh = button('Refresh', 'Refreshes now', () => attempt(async () => force?.refresh()))
  const challenge = button(
    'Get a 401',
    'Repeats the last GET, and answers it with a 401 first: one refresh, one replay',
    () => attempt(async () => force?.challenge(lastGet() ?? '')),
  )
  const buttons = createElement('div', 'buttons')
  buttons.append(expire, refresh, challenge)
  element.append(createElement('p', 'title', 'Make it happen'), buttons, problem)
  return {
    element,
    show(session: Session) {
      const isPossible = force !== undefined && session.status === 'signed-in'
      expire.disabled = refresh.disabled = !isPossible
      challenge.disabled = !isPossible || lastGet() === undefined
    },
  }
}

/** Creates a button that copies the client's report. */
function createCopyButton(client: Client): HTMLButtonElement {
  const say = (text: string) => {
    copy.textContent = text
    setTimeout(() => {
      copy.textContent = 'Copy report'
    }, COPIED_MS)
  }
  const copy = button('Copy report', 'Copies explain(): the newest events, without secrets', () =>
    Promise.resolve()
      .then(() => navigator.clipboard.writeText(JSON.stringify(client.explain(), null, 2)))
      .then(
        () => say('Copied'),
        () => say('The browser refused'),
      ),
  )
  copy.className = 'quiet'
  return copy
}

/** The bar at the top: who is signed in, and the tools. */
function createBar(tools: readonly HTMLElement[]) {
  const mark = createElement('p', 'mark', 'latchkey')
  mark.prepend(keyPicture())
  const status = createElement('p', 'status')
  status.setAttribute('role', 'status')
  const group = createElement('div', 'tools')
  group.append(...tools)
  const element = createElement('div', 'bar')
  element.append(mark, status, group)
  return {
    element,
    show(session: Session) {
      const text = [session.status.replace('-', ' '), nameOf(session)].filter(Boolean).join(' · ')
      if (status.textContent === text) return
      const lamp = createElement('span', 'lamp')
      lamp.setAttribute('aria-hidden', 'true')
      status.replaceChildren(lamp, text)
    },
  }
}

/**
 * Creates the whole panel. It follows the client until `stop()` is called.
 * @param close the button that closes a docked panel.
 */
export function createPanel(client: Client, close: HTMLElement): Panel {
  const history = createEventHistory(client.explain().events)
  const diagram = createSequenceDiagram()
  const life = createLife()
  const facts = createFacts()
  const findings = createElement('ul', 'findings')
  findings.setAttribute('aria-label', 'What is wrong now')
  const own = client.explain().context
  const force = createForce(client)
  const lastGet = () => {
    const found = history.events.findLast(one => one.type === 'api-request' && one.method === 'GET')
    return found?.type === 'api-request' ? found.url : undefined
  }
  const buttons = createForceButtons(force, lastGet, () => {
    life.force()
    show()
  })
  const clear = button('Clear', 'Removes all arrows', () => {
    history.clear()
    diagram.clear()
    show()
  })
  clear.className = 'quiet'
  const bar = createBar([createCopyButton(client), clear, close])
  const side = createElement('div', 'side')
  side.append(life.element, facts.element, buttons.element, findings)
  const body = createElement('div', 'body')
  body.append(side, diagram.element)
  const element = createElement('section', 'panel')
  element.setAttribute('aria-label', 'latchkey inspector')
  element.append(bar.element, body)

  const show = () => {
    const { session } = client
    element.dataset.status = session.status
    element.classList.toggle('troubled', session.status === 'signed-in' && session.trouble !== undefined)
    bar.show(session)
    life.show(session)
    buttons.show(session)
    const by = session.status === 'signed-in' ? force?.storedBy() : undefined
    facts.show({
      subject: (session.status === 'signed-in' && session.claims?.sub) || '',
      scope: session.status === 'signed-in' ? session.scope.join(' ') : '',
      'tokens from': by === own ? 'this tab' : by ? `tab ${by}` : '',
      'this tab': own,
    })
    showFindings(findings, findingsOf(session, history.events))
  }
  for (const event of history.events) diagram.draw(event, false)
  const add = (event: ClientEvent) => {
    history.add(event)
    diagram.draw(event)
    show()
  }
  const stops = [client.events.subscribe(add), client.subscribe(show)]
  const timer = setInterval(() => {
    life.show(client.session)
    buttons.show(client.session)
  }, TICK_MS)
  show()
  return {
    element,
    stop() {
      clearInterval(timer)
      for (const stop of stops) stop()
    },
  }
}
