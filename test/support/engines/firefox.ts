import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import puppeteer, { type Browser, type BrowserContext, type Frame, type Page } from 'puppeteer-core'
import type { Engine, EngineTab } from './engine.ts'

/** Turns off everything that uses the network on its own. */
const quiet = {
  'app.update.enabled': false,
  'browser.safebrowsing.downloads.remote.enabled': false,
  'browser.safebrowsing.malware.enabled': false,
  'browser.safebrowsing.phishing.enabled': false,
  'datareporting.policy.dataSubmissionEnabled': false,
  'extensions.systemAddon.update.enabled': false,
  'network.captive-portal-service.enabled': false,
  'network.connectivity-service.enabled': false,
  'services.settings.server': '',
}
/** Features that normal browsers have and automation turns off. */
const asUsersHaveIt = { 'dom.disable_open_during_load': true }
const PATIENCE_MS = 20_000

/** What pages and frames have in common. */
const reachable = (page: Page, within: Page | Frame): ReturnType<EngineTab['framed']> => ({
  run: <R, A>(work: (argument: A) => R | Promise<R>, argument?: A) =>
    within.evaluate(work as (argument: unknown) => R | Promise<R>, argument) as Promise<R>,
  async click(selector) {
    await page.bringToFront() // Puppeteer waits until the element stops moving, which it sees only in a painted page
    await within.locator(selector).click()
  },
})

const toTab = (page: Page): EngineTab => ({
  ...reachable(page, page),
  goto: async url => void (await page.goto(url, { waitUntil: 'domcontentloaded' })),
  framed: () => reachable(page, page.frames()[1] as Frame),
  fill: (selector, text) => page.locator(selector).fill(text),
  reload: async () => void (await page.reload({ waitUntil: 'domcontentloaded' })),
  back: (steps = 1) => page.evaluate(by => void setTimeout(() => history.go(by)), -steps),
  async opening(action) {
    const opened = new Promise<Page | null>(resolve => page.once('popup', resolve))
    await action()
    const popup = await opened
    if (!popup) throw new Error('Nothing was opened.')
    popup.setDefaultTimeout(PATIENCE_MS)
    return toTab(popup)
  },
  isClosed: () => page.isClosed(),
  close: () => page.close(),
})

const toProfile = (context: BrowserContext) => ({
  async newTab(url?: string) {
    const page = await context.newPage()
    page.setDefaultTimeout(PATIENCE_MS)
    const tab = toTab(page)
    if (url) await tab.goto(url)
    return tab
  },
  close: () => context.close(),
})

/** @param userDataDir an empty folder for its profile. Default: a temporary one, which `browser.close()` removes. */
const launch = (executablePath: string, userDataDir?: string) =>
  puppeteer.launch({
    browser: 'firefox',
    executablePath,
    userDataDir,
    headless: true,
    extraPrefsFirefox: { ...quiet, ...asUsersHaveIt },
  })

const toEngine = (browser: Browser, close: () => Promise<void>): Engine => ({
  name: 'Firefox',
  newProfile: async () => toProfile(await browser.createBrowserContext()),
  close,
})

/** Firefox over WebDriver BiDi. */
export async function launchFirefox(executablePath: string): Promise<Engine> {
  const browser = await launch(executablePath)
  return toEngine(browser, () => browser.close())
}

const connect = (browserWSEndpoint: string) =>
  puppeteer.connect({ browserWSEndpoint, protocol: 'webDriverBiDi' })

/** Uses a Firefox that `startSharedFirefox` has started. */
export async function connectToFirefox(address: string): Promise<Engine> {
  const browser = await connect(address)
  return toEngine(browser, () => browser.disconnect())
}

/** Starts a Firefox that one process after the other can use: each start takes 3 s. */
export async function startSharedFirefox(
  executablePath: string,
): Promise<{ readonly address: string; close(): Promise<void> }> {
  const profile = mkdtempSync(join(tmpdir(), 'latchkey-firefox-'))
  const browser = await launch(executablePath, profile)
  const ended = once(browser.process() as ChildProcess, 'exit')
  const address = browser.wsEndpoint()
  await browser.disconnect()
  return {
    address,
    async close() {
      await (await connect(address)).close()
      await ended
      rmSync(profile, { recursive: true, force: true })
    },
  }
}
