import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type BrowserContext, chromium, type Page, type Worker } from 'playwright'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { chromiumArgs, findChromium } from '../../support/chromium.ts'
import { fillForms, until } from '../../support/e2e.ts'
import type { Extension } from '../../support/e2e-extension-worker.ts'
import { bundle, type E2ePages, startE2ePages } from '../../support/e2e-pages.ts'
import { EXTENSION_KEY, EXTENSION_REDIRECT_URI } from '../../support/extension-key.ts'
import { tempFolders } from '../../support/temp-folder.ts'

declare const extension: Extension

const tempFolder = tempFolders()
let pages: E2ePages
let script: string
let browser: BrowserContext | undefined

beforeAll(async () => {
  pages = await startE2ePages()
  script = await bundle('test/support/e2e-extension-worker.ts')
})
afterEach(async () => {
  await browser?.close()
  pages.servers.forget()
})
afterAll(() => pages?.close())

function writeExtension(more: { redirectUri?: string; manifest?: object } = {}): string {
  const folder = tempFolder()
  const { issuer, apiUrl } = pages.servers
  const { redirectUri = new URL('/callback', pages.appUrl).href } = more
  const config = { issuer, apiUrl, redirectUri }
  const manifest = {
    manifest_version: 3,
    name: 'latchkey in an extension',
    version: '1.0',
    background: { service_worker: 'worker.js', type: 'module' },
    permissions: ['tabs'],
    host_permissions: ['http://127.0.0.1/*'],
    ...more.manifest,
  }
  writeFileSync(join(folder, 'manifest.json'), JSON.stringify(manifest))
  writeFileSync(join(folder, 'worker.js'), `globalThis.config = ${JSON.stringify(config)};\n${script}`)
  return folder
}

/** Starts Chromium with the extension. @returns its background worker. */
async function launch(folder: string, profile: string): Promise<Worker> {
  browser = await chromium.launchPersistentContext(profile, {
    executablePath: findChromium(),
    ignoreDefaultArgs: ['--disable-extensions'],
    args: [
      ...chromiumArgs,
      `--disable-extensions-except=${folder}`,
      `--load-extension=${folder}`,
      '--disable-features=DisableLoadExtensionCommandLineSwitch',
    ],
    timeout: 30_000,
  })
  return browser.serviceWorkers()[0] ?? (await browser.waitForEvent('serviceworker'))
}

const reachable = (page: Page) => ({
  run: <R, A>(work: (argument: A) => R | Promise<R>, argument?: A) =>
    page.evaluate(work as (argument: unknown) => R | Promise<R>, argument),
  click: (selector: string) => page.click(selector),
  fill: (selector: string, text: string) => page.fill(selector, text),
})

/** Signs in from the background worker, in the window that `signIn()` opens. */
async function signIn(worker: Worker) {
  const [page] = await Promise.all([
    browser?.waitForEvent('page') as Promise<Page>,
    worker.evaluate(() => extension.signIn()),
  ])
  await fillForms(reachable(page))
  await until('signIn() has come to its end', () => worker.evaluate(() => extension.signedIn !== undefined))
  expect(await worker.evaluate(() => extension.signedIn)).toBe('signed-in')
}

test("an extension's background worker signs in in a tab, calls, refreshes once, and is still signed in after a restart", async () => {
  const folder = writeExtension()
  const profile = tempFolder()
  pages.setMode('wait')
  pages.servers.issueFor(2)
  const worker = await launch(folder, profile)
  expect(await worker.evaluate(() => extension.globals())).toEqual([])
  expect(await worker.evaluate(() => extension.start())).toBe('signed-out')

  await signIn(worker)
  expect(pages.servers.tokenRequests).toMatchObject([{ grantType: 'authorization_code', status: 200 }])

  await until('the access token has expired', () => worker.evaluate(() => extension.isExpired()))
  pages.servers.issueFor(3600)
  expect(await worker.evaluate(() => extension.calls())).toEqual(Array(10).fill(200))
  expect(pages.servers.refreshes()).toMatchObject([{ status: 200 }])

  await browser?.close()
  const again = await launch(folder, profile)
  expect(await again.evaluate(() => extension.start())).toBe('signed-in')
  expect(await again.evaluate(() => extension.calls())).toEqual(Array(10).fill(200))
  expect(pages.servers.tokenRequests).toHaveLength(2)
})

test("an extension signs in in the browser's own window for it, chrome.identity.launchWebAuthFlow [F8.18]", async () => {
  const folder = writeExtension({
    redirectUri: EXTENSION_REDIRECT_URI,
    manifest: { key: EXTENSION_KEY, permissions: ['identity'] },
  })
  pages.servers.issueFor(3600)
  const worker = await launch(folder, tempFolder())
  expect(await worker.evaluate(() => extension.start())).toBe('signed-out')
  await signIn(worker)
  expect(await worker.evaluate(() => extension.calls())).toEqual(Array(10).fill(200))
  expect(pages.servers.tokenRequests).toMatchObject([{ grantType: 'authorization_code', status: 200 }])
})
