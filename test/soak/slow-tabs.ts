import { setTimeout as wait } from 'node:timers/promises'
import type { Stage } from '../support/e2e.ts'
import { signedInTab, statusOf, untilStatus } from '../support/e2e.ts'
import { startE2ePages } from '../support/e2e-pages.ts'
import { startTraffic } from '../support/e2e-storms.ts'
import type { EngineTab, FoundEngine } from '../support/engines/engine.ts'
import { slowServer } from './slow-server.ts'

export interface SlowTabsOptions {
  readonly engine: FoundEngine
  readonly tabs: number
  readonly minutes: number
  readonly webLocks: boolean
  readonly random: () => number
}

/** One row of the table. */
export interface SlowTabsRow {
  readonly engine: string
  readonly 'Web Locks': string
  readonly tabs: number
  readonly calls: number
  readonly 'not 200': string
  readonly 'refresh tokens sent': number
  readonly 'at once': number
  readonly 'after its answer': number
  readonly 'after giving up': number
  readonly 'on the edge': number
  readonly refused: number
  readonly 'sessions lost': string
  readonly seconds: number
}

const LIFETIME_SECONDS = 15
const CALL_EVERY_MS = 1000
/** All tabs need a refresh at the same time after this interval. */
const REVOKE_MS = { first: 5000, last: 25_000 }

const tallyOf = (tally: Readonly<Record<string, number>>) =>
  Object.entries(tally)
    .map(([what, times]) => `${times} × ${what}`)
    .join(', ')

/** One user with many tabs, and a server that takes between a tenth of a second and twelve seconds for a refresh. */
export async function slowTabs(options: SlowTabsOptions): Promise<{ row: SlowTabsRow; isClean: boolean }> {
  const { engine, tabs: count, minutes, webLocks, random } = options
  const pages = await startE2ePages()
  const stage: Stage = { servers: pages.servers, pages }
  const browser = await engine.launch()
  try {
    pages.setMode(webLocks ? 'start' : 'no-locks')
    const profile = await browser.newProfile()
    const tabs: EngineTab[] = [await signedInTab(stage, profile, 60)]
    while (tabs.length < count) {
      // one after the other: opening many at once exceeds the time limit for a tab
      const tab = await profile.newTab(pages.appUrl)
      await untilStatus(tab, 'signed-in')
      tabs.push(tab)
    }
    const server = slowServer(random)
    pages.servers.answerRefreshes(server.answerRefreshes)
    pages.servers.issueFor(LIFETIME_SECONDS)
    const from = performance.now()
    await Promise.all(tabs.map(tab => startTraffic(tab, CALL_EVERY_MS)))
    const untilMs = from + minutes * 60_000
    while (performance.now() < untilMs) {
      await pages.servers.revokeAccessTokensOf('alice')
      const pauseMs = REVOKE_MS.first + random() * (REVOKE_MS.last - REVOKE_MS.first)
      await wait(Math.max(0, Math.min(pauseMs, untilMs - performance.now())))
    }

    const outcomes: Record<string, number> = {}
    const lost: Record<string, number> = {}
    const add = (into: Record<string, number>, what: string, times = 1) => {
      into[what] = (into[what] ?? 0) + times
    }
    for (const tab of tabs) {
      const seen = await tab.run(() => ({
        outcomes: window.traffic.outcomes,
        ends: window.app.events.flatMap(event => (event.type === 'session-ended' ? [event.reason] : [])),
      }))
      for (const [what, times] of Object.entries(seen.outcomes)) add(outcomes, what, times)
      for (const reason of seen.ends) add(lost, reason)
      const status = await statusOf(tab)
      if (status !== 'signed-in' && seen.ends.length === 0) add(lost, status)
    }
    const { counts } = server
    const { 200: _ok, ...rest } = outcomes
    const row: SlowTabsRow = {
      engine: browser.name,
      'Web Locks': webLocks ? 'yes' : 'no',
      tabs: count,
      calls: Object.values(outcomes).reduce((sum, times) => sum + times, 0),
      'not 200': tallyOf(rest),
      'refresh tokens sent': counts.arrived,
      'at once': counts.atOnce,
      'after its answer': counts.afterItsAnswer,
      'after giving up': counts.afterGivingUp,
      'on the edge': counts.onTheEdge,
      refused: counts.refused,
      'sessions lost': tallyOf(lost) || '0',
      seconds: Math.round((performance.now() - from) / 1000),
    }
    const isClean = counts.arrived > 0 && counts.atOnce + counts.afterItsAnswer + counts.refused === 0
    await profile.close()
    return { row, isClean: isClean && Object.keys(lost).length === 0 }
  } finally {
    await browser.close()
    await pages.close()
  }
}
