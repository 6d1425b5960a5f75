import puppeteer, { type BrowserContext, type Page } from 'puppeteer-core'
import { chromiumArgs, findChromium } from './chromium.ts'
import { until } from './e2e.ts'
import type { EngineTab } from './engines/engine.ts'

/** A tab whose pages Chromium may prerender, and keeps for Back. */
export interface WholeTab extends EngineTab {
  /** Where the page says that it is. */
  url(): Promise<string>
  forward(): Promise<void>
  /** Opens a page that has Chromium prerender `url`; settles when that one asks for its script. */
  prerender(url: string): Promise<void>
  /** Goes to the page that is prerendered. @throws Error unless Chromium had prerendered it. */
  activate(): Promise<void>
}

export interface WholeProfile {
  newTab(url?: string): Promise<WholeTab>
  close(): Promise<void>
}

const PATIENCE_MS = 20_000

function toTab(page: Page): WholeTab {
  page.setDefaultTimeout(PATIENCE_MS)
  const run = <R, A>(work: (argument: A) => R | Promise<R>, argument?: A) =>
    page.evaluate(work as (argument: unknown) => R | Promise<R>, argument) as Promise<R>
  const go = (by: number) => run(steps => void setTimeout(() => history.go(steps)), by)
  const goto = async (url: string) => void (await page.goto(url, { waitUntil: 'domcontentloaded' }))
  return {
    run,
    goto,
    url: () => run(() => location.href),
    // by the page's own script: what clicks for puppeteer does not survive that the page is swapped for another
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
    reload: async () => void (await page.reload({ waitUntil: 'domcontentloaded' })),
    back: (steps = 1) => go(-steps),
    forward: () => go(1),
    close: () => page.close(),
    prerender: url => goto(new URL(`/prerenders?url=${encodeURIComponent(url)}`, url).href),
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
 * Chromium as users have it. Playwright cannot drive it: where a page is attached to as Playwright does it, Chromium
 * refuses to prerender (`PrerenderingDisabledByDevTools`).
 */
export async function launchWholeChromium() {
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
