import { type Stage, signedInTab, statusOf, until } from '../support/e2e.ts'
import { launchE2eBrowser } from '../support/e2e-browser.ts'
import { type AppMode, startE2ePages } from '../support/e2e-pages.ts'
import { storm } from '../support/e2e-storms.ts'
import type { EngineTab } from '../support/engines/engine.ts'
import { hostNames } from './page-ends.ts'

/** One line of the table. */
export interface HostStormsRow {
  readonly host: string
  readonly tabs: number
  readonly storms: number
  readonly calls: number
  readonly 'not 200': string
  readonly redemptions: number
  readonly replays: number
  readonly 'tabs signed out': number
  /** How many tabs name a worker as the one that refreshed last. */
  readonly 'refreshed by a worker': string
  readonly seconds: number
}

const CALLS = 5
/** Beside many other tabs, a page takes its time. */
const OPENING_MS = 60_000

/** Calls in so many real tabs of one user at once, again and again, with access tokens that were revoked. */
export async function hostStorms(
  mode: AppMode,
  count: number,
  storms: number,
): Promise<{ row: HostStormsRow; isClean: boolean }> {
  const pages = await startE2ePages()
  const browser = await launchE2eBrowser()
  const stage: Stage = { servers: pages.servers, pages }
  try {
    pages.setMode(mode)
    const profile = await browser.newProfile()
    const tabs: EngineTab[] = [await signedInTab(stage, profile)]
    while (tabs.length < count) {
      // one after the other: many at once take longer than a tab is waited for
      const tab = await profile.newTab(pages.appUrl)
      const isSignedIn = async () => (await statusOf(tab)) === 'signed-in'
      await until('the next tab is signed in', isSignedIn, OPENING_MS)
      tabs.push(tab)
    }
    pages.servers.forget()
    const from = performance.now()
    const outcomes: Record<string, number> = {}
    for (let round = 0; round < storms; round++) {
      for (const tally of await storm(stage, tabs, 'revoked', CALLS))
        for (const [outcome, times] of Object.entries(tally))
          outcomes[outcome] = (outcomes[outcome] ?? 0) + times
    }
    const refreshers = await Promise.all(
      tabs.map(tab =>
        tab.run(() => {
          const { events } = window.app.client.explain()
          const adopted = events.findLast(event => event.type === 'tokens-adopted')
          return adopted?.type === 'tokens-adopted' ? (adopted.from ?? '') : ''
        }),
      ),
    )
    const statuses = await Promise.all(tabs.map(statusOf))
    const workers = refreshers.filter(by => by.includes('worker '))
    const bad = Object.entries(outcomes).filter(([outcome]) => outcome !== '200')
    const calls = Object.values(outcomes).reduce((sum, times) => sum + times, 0)
    const row: HostStormsRow = {
      host: hostNames[mode] ?? 'none',
      tabs: count,
      storms,
      calls,
      'not 200': bad.map(([outcome, times]) => `${times} × ${outcome}`).join(', '),
      redemptions: pages.servers.refreshes().filter(({ status }) => status === 200).length,
      replays: pages.servers.replays().length,
      'tabs signed out': statuses.filter(status => status !== 'signed-in').length,
      'refreshed by a worker': `${workers.length} of ${count}`,
      seconds: Math.round((performance.now() - from) / 1000),
    }
    const isClean =
      bad.length === 0 &&
      calls === count * storms * CALLS &&
      row.redemptions === storms &&
      row.replays === 0 &&
      row['tabs signed out'] === 0
    return { row, isClean }
  } finally {
    await browser.close()
    await pages.close()
  }
}
