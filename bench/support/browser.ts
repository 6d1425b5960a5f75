import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright'
import { chromiumArgs, findChromium, launchChromium } from '../../test/support/chromium.ts'

/** Runs `work` with one Chromium, which is gone afterwards. */
export async function withChromium<T>(work: (browser: Browser) => Promise<T>): Promise<T> {
  const browser = await launchChromium()
  try {
    return await work(browser)
  } finally {
    await browser.close()
  }
}

/** The same with a profile on disk: other contexts of Playwright keep IndexedDB in memory, where every write is cheap. */
export async function withProfileOnDisk<T>(work: (context: BrowserContext) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), 'latchkey-bench-'))
  try {
    const options = { executablePath: findChromium(), args: chromiumArgs, timeout: 30_000 }
    const context = await chromium.launchPersistentContext(folder, options)
    try {
      return await work(context)
    } finally {
      await context.close()
    }
  } finally {
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 })
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
