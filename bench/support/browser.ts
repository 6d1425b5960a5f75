import type { Browser, BrowserContext, Page } from 'playwright'
import { launchChromium } from '../../test/support/chromium.ts'

/** Runs `work` with one Chromium, which is gone afterwards. */
export async function withChromium<T>(work: (browser: Browser) => Promise<T>): Promise<T> {
  const browser = await launchChromium()
  try {
    return await work(browser)
  } finally {
    await browser.close()
  }
}

export async function newUser(browser: Browser): Promise<BrowserContext> {
  const context = await browser.newContext()
  context.setDefaultTimeout(30_000)
  return context
}

/** Opens a page of ours and waits until its script says that it is ready. */
export async function openPage(context: BrowserContext, url: string): Promise<Page> {
  const page = await context.newPage()
  await page.goto(url)
  await page.evaluate(() => window.bench.ready)
  return page
}

/** Signs in through the provider's pages, then closes the tab. */
export async function signIn(context: BrowserContext, url: string) {
  const page = await openPage(context, url)
  await page.evaluate(() => void window.bench.peer.signIn())
  await page.fill('#user', 'alice')
  await page.click('button.yes')
  await page.getByRole('heading', { name: 'Allow access?' }).waitFor()
  await page.click('button.yes')
  await page.waitForURL(`${url}**`)
  await page.evaluate(() => window.bench.ready)
  await page.close()
}
