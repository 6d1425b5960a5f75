import type { EndReason } from 'latchkey'
import { type Stage, shorten, signedInTab, storedRecords, until, untilExpired, untilStatus } from './e2e.ts'
import type { EngineTab } from './engines/engine.ts'

/** What one page of the test app has done. */
interface Traffic {
  readonly outcomes: Record<string, number>
  slowestMs: number
  underWay: number
  timer: number
}

/** What all tabs of a run have done together. */
export interface TrafficReport {
  /** The number of each status or error code. */
  readonly outcomes: Record<string, number>
  readonly slowestMs: number
  /** The reasons of the `session-ended` events of all tabs. */
  readonly ended: readonly EndReason[]
  readonly reloads: number
  readonly tookMs: number
}

declare global {
  interface Window {
    traffic: Traffic
  }
}

/**
 * Opens several tabs of one signed-in user.
 * @param seconds see `shorten`; if left out, access tokens live for an hour.
 */
export async function signedInTabs<T extends EngineTab>(
  stage: Stage,
  profile: { newTab(url: string): Promise<T> },
  count: number,
  seconds?: number,
): Promise<T[]> {
  const first = await signedInTab(stage, profile)
  const others = await Promise.all(
    Array.from({ length: count - 1 }, () => profile.newTab(stage.pages.appUrl)),
  )
  const tabs = [first, ...others]
  await Promise.all(tabs.map(tab => untilStatus(tab, 'signed-in')))
  if (seconds !== undefined) await shorten(stage.servers, first, seconds)
  return tabs
}

/** Reads the stored sessions of this tab's origin. */
export const storedSessions = async (
  tab: EngineTab,
): Promise<{ sub: string | undefined; version: number }[]> =>
  (await storedRecords(tab)).map(({ tokens, version }) => ({ sub: tokens.claims?.sub, version }))

/** Holds the lock of refreshes in this tab, as a frozen page would. @returns a function that releases it. */
export async function holdLock({ servers }: Stage, tab: EngineTab): Promise<() => Promise<void>> {
  await tab.run(
    name =>
      new Promise<void>(held => {
        void navigator.locks.request(name, () => {
          held()
          return new Promise<void>(letGo => Object.assign(window, { letGo }))
        })
      }),
    `latchkey ${servers.issuer} e2e-app`,
  )
  return () => tab.run(() => (window as unknown as { letGo(): void }).letGo())
}

/** Makes one call and measures its time. */
export const timedCall = (tab: EngineTab) =>
  tab.run(async () => {
    const from = performance.now()
    const outcome = await window.app.call()
    return { outcome, tookMs: performance.now() - from }
  })

/** Makes calls in all tabs at once, with expired or revoked access tokens. Resolves with each tab's outcomes. */
export async function storm(
  { servers }: Stage,
  tabs: readonly EngineTab[],
  over: 'expired' | 'revoked',
  calls = 20,
) {
  if (over === 'expired') await Promise.all(tabs.map(untilExpired))
  else await servers.revokeAccessTokensOf('alice')
  servers.issueFor(3600)
  return Promise.all(tabs.map(tab => tab.run(count => window.app.calls(count), calls)))
}

export const startTraffic = (tab: EngineTab, everyMs: number) =>
  tab.run(ms => {
    const traffic: Traffic = { outcomes: {}, slowestMs: 0, underWay: 0, timer: 0 }
    // no named function in here: tsx would wrap it in a helper that the page does not have
    traffic.timer = Number(
      setInterval(async () => {
        // one call at a time: on a slow machine, calls would wait in the browser's queue, and their tokens expire
        if (traffic.underWay > 0) return
        traffic.underWay++
        const from = performance.now()
        const outcome = await window.app.call()
        traffic.outcomes[outcome] = (traffic.outcomes[outcome] ?? 0) + 1
        traffic.slowestMs = Math.max(traffic.slowestMs, performance.now() - from)
        traffic.underWay--
      }, ms),
    )
    window.traffic = traffic
  }, everyMs)

/**
 * Makes calls in every tab for `forMs`, one every `callEveryMs`. Reloads another tab every `reloadEveryMs`, while no refresh
 * is in progress: otherwise the server could rotate the refresh token for a page that no longer exists, and the new one
 * would be lost. Access tokens live for 5 s.
 */
export async function traffic(
  stage: Stage,
  tabs: readonly EngineTab[],
  { forMs, callEveryMs, reloadEveryMs }: { forMs: number; callEveryMs: number; reloadEveryMs: number },
): Promise<TrafficReport> {
  const { servers } = stage
  const outcomes: Record<string, number> = {}
  const ended: EndReason[] = []
  let slowestMs = 0
  let reloads = 0

  const take = async (tab: EngineTab) => {
    const seen = await tab.run(() => {
      const { outcomes, slowestMs } = window.traffic
      const ends = window.app.events.filter(event => event.type === 'session-ended')
      return { outcomes, slowestMs, ends: ends.map(({ reason }) => reason) }
    })
    for (const [outcome, times] of Object.entries(seen.outcomes)) {
      outcomes[outcome] = (outcomes[outcome] ?? 0) + times
    }
    ended.push(...seen.ends)
    slowestMs = Math.max(slowestMs, seen.slowestMs)
  }

  const isQuiet = async (tab: EngineTab) => {
    const leftMs = await tab.run(() => {
      const { session } = window.app.client
      return session.status === 'signed-in' ? (session.accessTokenExpiresAt ?? 0) - Date.now() : 0
    })
    // a refresh begins when one second is left
    return leftMs > 2200 && servers.tokenRequests.every(({ status }) => status !== undefined)
  }

  const reload = async (tab: EngineTab) => {
    await until('no refresh is under way', async () => {
      if (!(await isQuiet(tab))) return false
      // from now on, the server processes a request only if its page still exists after the fault
      servers.fault('hang')
      if (await isQuiet(tab)) return true
      servers.fault(undefined)
      return false
    })
    await take(tab)
    await tab.reload()
    servers.fault(undefined)
    reloads++
    await untilStatus(tab, 'signed-in')
    await startTraffic(tab, callEveryMs)
  }

  const from = performance.now()
  await Promise.all(tabs.map(tab => startTraffic(tab, callEveryMs)))
  for (let next = 0; performance.now() - from < forMs; next++) {
    const due = Math.min(from + forMs, from + (next + 1) * reloadEveryMs)
    await until('the next tab is to be reloaded', () => performance.now() >= due, reloadEveryMs + 5000)
    const tab = tabs[next % tabs.length]
    if (tab && due < from + forMs) await reload(tab)
  }
  const tookMs = performance.now() - from
  await Promise.all(tabs.map(tab => tab.run(() => clearInterval(window.traffic.timer))))
  const isDone = (tab: EngineTab) => tab.run(() => window.traffic.underWay === 0)
  await until(
    'the last calls have ended',
    async () => (await Promise.all(tabs.map(isDone))).every(Boolean),
    30_000,
  )
  await Promise.all(tabs.map(take))
  return { outcomes, slowestMs: Math.round(slowestMs), ended, reloads, tookMs: Math.round(tookMs) }
}
