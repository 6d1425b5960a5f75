import type { Browser, CDPSession, Page } from 'playwright'
import type { Listening } from '../../examples/demo/servers/listen.ts'
import type { StartTimes } from '../pages/start/start-page.ts'
import { newUser, withChromium } from './browser.ts'
import { type App, bundlePage, startApp } from './pages.ts'
import { startPlainApi, startPlainProvider } from './plain-servers.ts'
import { shuffled } from './turns.ts'

/** One library as an app ships it. */
export interface Candidate {
  readonly name: string
  readonly app: App
  /** What the page preloads. */
  readonly preloads: readonly string[]
}

/** `undefined`: as fast as the machine is. */
export type Network =
  | { readonly latencyMs: number; readonly downKbps: number; readonly upKbps: number }
  | undefined

export interface Loads {
  /** The stored access token is good for an hour. */
  readonly fresh: StartTimes[]
  /** It expired an hour ago. */
  readonly expired: StartTimes[]
}

/** Chromium keeps what it compiled of a script after some loads of it. */
const WARM_UP = 3

const throttle = (session: CDPSession, network: Network) =>
  session.send('Network.emulateNetworkConditions', {
    offline: false,
    latency: network?.latencyMs ?? 0,
    downloadThroughput: network ? (network.downKbps * 1000) / 8 : -1,
    uploadThroughput: network ? (network.upKbps * 1000) / 8 : -1,
  })

async function load(page: Page, origin: string, isFirst: boolean): Promise<StartTimes> {
  // then Chromium takes a new process, which has compiled nothing yet, and nobody pays for leaving the page before
  if (isFirst) await page.goto('about:blank')
  await page.goto(`${origin}/`)
  const times = await page.evaluate(() => window.started)
  if (!times) throw new Error(`${origin} did not start.`)
  return times
}

async function inTurns(
  browser: Browser,
  origins: readonly string[],
  networks: readonly Network[],
  isCached: boolean,
  rounds: number,
  say: (line: string) => void,
): Promise<Loads[][]> {
  const seen = networks.map(() => origins.map((): Loads => ({ fresh: [], expired: [] })))
  const age = await bundlePage('start/age')
  const context = await newUser(browser)
  const page = await context.newPage()
  for (const origin of origins) {
    await page.goto(`${origin}/sign-in`)
    await page.waitForFunction(() => document.title === 'signed in')
  }
  const session = await context.newCDPSession(page)
  await session.send('Network.enable')
  for (let round = -WARM_UP; round < rounds; round++) {
    for (const [which, network] of networks.entries()) {
      await throttle(session, network)
      for (const at of shuffled(origins.keys())) {
        say(`page loads: round ${round + 1} of ${rounds}`)
        const origin = origins[at] as string
        const fresh = await load(page, origin, !isCached)
        await page.addScriptTag({ content: age })
        await page.evaluate(() => window.aged)
        const expired = await load(page, origin, !isCached)
        if (round < 0) continue
        seen[which]?.[at]?.fresh.push(fresh)
        seen[which]?.[at]?.expired.push(expired)
      }
    }
  }
  await context.close()
  return seen
}

/**
 * Loads every app by turns in one tab, each on its own origin, signed in once at the beginning.
 * @param isCached whether the browser has the scripts already, and a process that has run them.
 * @returns by network, then by candidate.
 */
export async function measureLoads(
  candidates: readonly Candidate[],
  networks: readonly Network[],
  isCached: boolean,
  rounds: number,
  say: (line: string) => void,
): Promise<Loads[][]> {
  const servers = await Promise.all([startPlainProvider(), startPlainApi()])
  const [provider, api] = servers
  const config = {
    issuer: `${provider.origin}/`,
    clientId: 'bench',
    apiOrigins: [api.origin],
    apiUrl: `${api.origin}/notes`,
  }
  const apps: Listening[] = []
  try {
    for (const { app, preloads } of candidates) apps.push(await startApp(app, config, preloads, isCached))
    const origins = apps.map(({ origin }) => origin)
    return await withChromium(browser => inTurns(browser, origins, networks, isCached, rounds, say))
  } finally {
    await Promise.all([...apps, ...servers].map(server => server.close()))
  }
}
