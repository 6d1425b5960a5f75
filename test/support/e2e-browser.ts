import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Browser, type BrowserContext, chromium, type Frame, type Page } from 'playwright'
import { chromiumArgs, findChromium, findHeadlessShell, launchChromium } from './chromium.ts'
import { freePort } from './free-port.ts'

/** One page of a browser. Tests use only these methods, so that another driver can replace this one. */
export interface Tab {
  goto(url: string): Promise<void>
  url(): string
  /** Runs `work` in the page. It can use only the page and `argument`. */
  run<R>(work: () => R | Promise<R>): Promise<R>
  run<R, A>(work: (argument: A) => R | Promise<R>, argument: A): Promise<R>
  click(selector: string): Promise<void>
  fill(selector: string, text: string): Promise<void>
  reload(): Promise<void>
  /** Goes back. Does not wait for the next page. */
  back(steps?: number): Promise<void>
  resize(width: number, height: number): Promise<void>
  /** Runs an action that opens a window, and resolves with that window. */
  opening(action: () => Promise<void>): Promise<Tab>
  /** The page in the frame of this one. */
  framed(): Pick<Tab, 'run' | 'click' | 'fill' | 'url'>
  isClosed(): boolean
  close(): Promise<void>
  /** Ends the page's process, as a crash or the operating system would. */
  crash(): Promise<void>
  /** Freezes the page, as a browser or phone does with pages in the background; `thaw` lets it continue. */
  freeze(): Promise<void>
  thaw(): Promise<void>
}

/** One user of a browser. All tabs share the same storage. */
export interface Profile {
  newTab(url?: string): Promise<Tab>
  /** All requests so far, including those of opened windows. */
  readonly requests: readonly { readonly url: string; readonly authorization: string | undefined }[]
  /** All console messages and uncaught errors. */
  readonly console: readonly string[]
  /** Ends every SharedWorker and service worker of the browser, as it does by itself when memory is short. */
  endWorkers(): Promise<void>
  close(): Promise<void>
}

const setLifecycle = async (page: Page, state: 'frozen' | 'active') => {
  const session = await page.context().newCDPSession(page)
  await session.send('Page.setWebLifecycleState', { state })
  await session.detach()
}

/** What pages and frames have in common. */
const reachable = (page: Page | Frame): ReturnType<Tab['framed']> => ({
  url: () => page.url(),
  run: <R, A>(work: (argument: A) => R | Promise<R>, argument?: A) =>
    page.evaluate(work as (argument: unknown) => R | Promise<R>, argument),
  click: selector => page.click(selector),
  fill: (selector, text) => page.fill(selector, text),
})

const toTab = (page: Page): Tab => ({
  ...reachable(page),
  goto: async url => void (await page.goto(url)),
  framed: () => reachable(page.frames()[1] as Frame),
  reload: async () => void (await page.reload()),
  back: (steps = 1) => page.evaluate(by => void setTimeout(() => history.go(by)), -steps),
  resize: (width, height) => page.setViewportSize({ width, height }),
  async opening(action) {
    const [opened] = await Promise.all([page.waitForEvent('popup'), action()])
    return toTab(opened)
  },
  isClosed: () => page.isClosed(),
  close: () => page.close(),
  async crash() {
    const crashed = page.waitForEvent('crash')
    const session = await page.context().newCDPSession(page)
    session.send('Page.crash').catch(() => {}) // the crashed page cannot answer
    await crashed
    await page.close()
  },
  freeze: () => setLifecycle(page, 'frozen'),
  thaw: () => setLifecycle(page, 'active'),
})

async function endWorkers(context: BrowserContext): Promise<void> {
  const [page] = context.pages()
  const browser = await context.browser()?.newBrowserCDPSession()
  if (!page || !browser) throw new Error('Workers are ended by way of a page and its browser.')
  const { targetInfos } = await browser.send('Target.getTargets')
  for (const { type, targetId } of targetInfos) {
    if (type === 'shared_worker') await browser.send('Target.closeTarget', { targetId })
  }
  await browser.detach()
  const session = await context.newCDPSession(page)
  await session.send('ServiceWorker.enable')
  await session.send('ServiceWorker.stopAllWorkers')
  await session.detach()
}

function toProfile(context: BrowserContext): Profile {
  const requests: { url: string; authorization: string | undefined }[] = []
  const console: string[] = []
  context.setDefaultTimeout(20_000)
  context.on('request', request =>
    requests.push({ url: request.url(), authorization: request.headers().authorization }),
  )
  context.on('console', message => console.push(`${message.type()}: ${message.text()}`))
  context.on('weberror', error => console.push(`uncaught: ${error.error()}`))
  return {
    async newTab(url) {
      const tab = toTab(await context.newPage())
      if (url) await tab.goto(url)
      return tab
    },
    requests,
    console,
    endWorkers: () => endWorkers(context),
    close: () => context.close(),
  }
}

export interface E2eBrowser {
  newProfile(): Promise<Profile>
  close(): Promise<void>
}

/** Features that normal browsers have, and that Playwright or a Chromium without windows has not. */
export interface E2eBrowserOptions {
  /** Has windows, as each of the following needs them. */
  readonly windows?: boolean
  /** Keeps pages for Back. */
  readonly bfcache?: boolean
  /** Allows windows only during a click. */
  readonly popupBlocker?: boolean
  /** Allows background pages, which are hidden and frozen. All profiles are then the same. */
  readonly background?: boolean
}

export async function launchE2eBrowser(options: E2eBrowserOptions = {}): Promise<E2eBrowser> {
  const ignoreDefaultArgs = [
    ...(options.bfcache ? ['--disable-back-forward-cache'] : []),
    ...(options.popupBlocker ? ['--disable-popup-blocking'] : []),
  ]
  if (options.background) return launchWithBackground()
  const isWhole = options.windows || ignoreDefaultArgs.length > 0
  const executablePath = isWhole ? undefined : findHeadlessShell()
  const browser: Browser = await launchChromium({ executablePath, ignoreDefaultArgs })
  return {
    newProfile: async () => toProfile(await browser.newContext({ colorScheme: 'light' })),
    close: () => browser.close(),
  }
}

/** Playwright makes every page of its own contexts visible and focused, but not those of the browser's default context. */
async function launchWithBackground(): Promise<E2eBrowser> {
  const port = await freePort()
  const launched = await launchChromium({ args: [`--remote-debugging-port=${port}`] })
  const browser = await chromium.connectOverCDP(`http://127.0.0.1:${port}`, { noDefaults: true })
  return {
    newProfile: async () => toProfile(browser.contexts()[0] as BrowserContext),
    async close() {
      await browser.close()
      await launched.close()
    },
  }
}

/** Writes the settings for sites that a user has made, for `launchProfile`. */
export function setPreferences(folder: string, profile: object): void {
  mkdirSync(join(folder, 'Default'), { recursive: true })
  writeFileSync(join(folder, 'Default', 'Preferences'), JSON.stringify({ profile }))
}

/** Starts a browser that keeps its profile in `folder` after it is closed. */
export const launchProfile = async (folder: string, args: readonly string[] = []): Promise<Profile> =>
  toProfile(
    await chromium.launchPersistentContext(folder, {
      executablePath: findChromium(),
      args: [...chromiumArgs, ...args],
      timeout: 30_000,
    }),
  )
