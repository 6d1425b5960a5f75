import puppeteer, { type BrowserContext, type Page } from 'puppeteer-core'
import { afterAll, afterEach, beforeAll } from 'vitest'
import { chromiumArgs, findChromium } from './chromium.ts'
import { type Stage, until } from './e2e.ts'
import { type E2ePages, startE2ePages } from './e2e-pages.ts'
import type { EngineTab } from './engines/engine.ts'

/** A tab whose pages Chromium may prerender, and keeps for Back. */
export interface WholeTab extends Omit<EngineTab, 'opening' | 'isClosed'> {
  /** The page's `location.href`. */
  url(): Promise<string>
  forward(): Promise<void>
  /** Opens a page in the foreground that makes Chromium prerender `url`. */
  prerender(url: string): Promise<void>
  /** Goes to the prerendered page. @throws Error if Chromium had not prerendered it. */
  activate(): Promise<void>
}

export interface WholeProfile {
  newTab(url?: string): Promise<WholeTab>
  close(): Promise<void>
}

const PATIENCE_MS = 20_000

/**
 * Runs `work` in a page whose frame puppeteer has lost, as it sometimes does for good when Chromium activates a prerendered
 * page. That page may still wait for its debugger.
 */
async function runWithoutFrame(page: Page, work: unknown, argument: unknown): Promise<unknown> {
  const session = await page.target().createCDPSession()
  try {
    await session.send('Runtime.runIfWaitingForDebugger')
    const expression = `(${work})(${JSON.stringify(argument)})`
    const { result, exceptionDetails } = await session.send('Runtime.evaluate', {
      ...{ expression, awaitPromise: true, returnByValue: true },
    })
    if (exceptionDetails) throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text)
    return result.value
  } finally {
    await session.detach()
  }
}

function toTab(page: Page): WholeTab {
  page.setDefaultTimeout(PATIENCE_MS)
  let isLost = false
  /** Retries while Chromium activates a prerendered page: puppeteer then rejects before `work` runs, for lack of a frame. */
  const run = async <R, A>(work: (argument: A) => R | Promise<R>, argument?: A): Promise<R> => {
    const giveUpAt = performance.now() + 1000
    for (;;) {
      try {
        return (await page.evaluate(work as (argument: unknown) => R | Promise<R>, argument)) as R
      } catch (error) {
        if (!/detached frame/i.test(String(error))) throw error
        isLost ||= performance.now() > giveUpAt
        if (isLost) return (await runWithoutFrame(page, work, argument)) as R
        await new Promise(resolve => setTimeout(resolve, 50))
      }
    }
  }
  const go = (by: number) => run(steps => void setTimeout(() => history.go(steps)), by)
  const goto = async (url: string) => void (await page.goto(url, { waitUntil: 'domcontentloaded' }))
  return {
    run,
    goto,
    url: () => run(() => location.href),
    framed() {
      throw new Error('No test with this browser uses a frame.')
    },
    // click with a script in the page, because puppeteer's own click fails when Chromium activates another page
    click: selector =>
      until(`"${selector}" is there to be clicked`, () =>
        run(where => {
          const found = document.querySelector<HTMLElement>(where)
          found?.click()
          return found !== null
        }, selector),
      ),
    fill: (selector, text) =>
      run(
        ([where, value]) => {
          const input = document.querySelector<HTMLInputElement>(where)
          if (input) input.value = value
        },
        [selector, text] as const,
      ),
    async reload() {
      await run(() => {
        document.title = 'before the reload'
        setTimeout(() => location.reload())
      })
      await until('the page is loaded again', () =>
        run(() => document.title !== 'before the reload' && document.readyState !== 'loading'),
      )
    },
    back: (steps = 1) => go(-steps),
    forward: () => go(1),
    close: () => page.close(),
    async prerender(url) {
      await page.bringToFront() // Chromium does not prerender for a background tab
      await goto(new URL(`/prerenders?url=${encodeURIComponent(url)}`, url).href)
    },
    async activate() {
      await run(() => document.querySelector('a')?.click())
      await until('the prerendered page is shown', () =>
        run(() => {
          const [navigation] = performance.getEntriesByType('navigation')
          return (navigation as unknown as { activationStart: number }).activationStart > 0
        }),
      )
    },
  }
}

const toProfile = (context: BrowserContext): WholeProfile => ({
  async newTab(url) {
    const tab = toTab(await context.newPage())
    if (url) await tab.goto(url)
    return tab
  },
  close: () => context.close(),
})

/**
 * Starts Chromium with the features that users have. Playwright cannot drive it: when Playwright attaches to a page,
 * Chromium refuses to prerender (`PrerenderingDisabledByDevTools`).
 */
async function launchWholeChromium() {
  const browser = await puppeteer.launch({
    executablePath: findChromium() as string,
    args: chromiumArgs,
    ignoreDefaultArgs: ['--disable-back-forward-cache'],
  })
  return {
    newProfile: async () => toProfile(await browser.createBrowserContext()),
    close: () => browser.close(),
  }
}

/** Starts one such browser and one set of servers for the tests of a file. */
export function wholeEndToEnd(): Stage & { newProfile(): Promise<WholeProfile> } {
  let browser: Awaited<ReturnType<typeof launchWholeChromium>> | undefined
  let pages: E2ePages | undefined
  let profiles: WholeProfile[] = []
  const up = <T>(one: T | undefined): T => {
    if (!one) throw new Error('The browser and the servers are up while tests run, and only then.')
    return one
  }

  beforeAll(async () => {
    pages = await startE2ePages()
    browser = await launchWholeChromium()
  })
  afterEach(async () => {
    const closing = profiles.map(profile => profile.close())
    profiles = []
    await Promise.all(closing)
    up(pages).servers.forget()
    up(pages).setMode('start')
  })
  afterAll(async () => {
    await browser?.close()
    await pages?.close()
  })

  return {
    get servers() {
      return up(pages).servers
    },
    get pages() {
      return up(pages)
    },
    async newProfile() {
      const profile = await up(browser).newProfile()
      profiles.push(profile)
      return profile
    },
  }
}
