import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import { createClient, memory } from 'latchkey'
import { createTestServer, playwrightRoutes } from 'latchkey/testing'
import type { Browser, BrowserContextOptions } from 'playwright'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { findHeadlessShell, launchChromium } from '../../support/chromium.ts'
import { serveApp } from '../../support/served-app.ts'

const fromRoot = (path: string) => fileURLToPath(new URL(`../../../${path}`, import.meta.url))
const everyByte = Array.from({ length: 256 }, (_, byte) => byte)
const blank = 'https://app.example.com/'

let browser: Browser
beforeAll(async () => {
  browser = await launchChromium({ executablePath: findHeadlessShell() })
})
afterAll(() => browser.close())

test('through playwrightRoutes() an upload and a download keep every byte', async () => {
  const uploads: number[][] = []
  const server = createTestServer({
    async respond(request) {
      const bytes = await request.arrayBuffer()
      uploads.push([...new Uint8Array(bytes)])
      return new Response(bytes, { headers: { 'content-type': 'application/octet-stream' } })
    },
  })
  const client = createClient({ ...server.options(), store: memory() })
  await client.signIn()
  const page = await browser.newPage()
  await page.route(blank, route => route.fulfill({ contentType: 'text/html', body: '<!doctype html>' }))
  await playwrightRoutes(server, page)
  await page.goto(blank)
  const call = { sent: everyByte, url: `${server.api}/photos`, accessToken: await client.getAccessToken() }
  const downloads = await page.evaluate(async ({ sent, url, accessToken }) => {
    const headers = { authorization: `Bearer ${accessToken}` }
    const bytes = new Uint8Array(sent)
    const downloaded: number[][] = []
    for (const body of [bytes, new Blob([bytes])]) {
      const response = await fetch(url, { method: 'PUT', headers, body })
      downloaded.push([...new Uint8Array(await response.arrayBuffer())])
    }
    return downloaded
  }, call)
  expect(uploads).toEqual([everyByte, everyByte])
  expect(downloads).toEqual([everyByte, everyByte])
  await page.close()
  client.dispose()
})

test.each([
  ['sealed()', false, ''],
  ['dpop()', true, 'dpop_key_lost'],
])(
  'a session with the keys of %s in a saved state is signed out, because Playwright saves no keys, and the user signs in anew',
  async (_, hasDpop, reason) => {
    const { outputFiles } = await build({
      entryPoints: [fromRoot('test/support/keyed-page.ts')],
      alias: { latchkey: fromRoot('src') },
      define: { HAS_DPOP: String(hasDpop) },
      ...{ bundle: true, write: false, format: 'esm' },
    })
    const app = await serveApp(outputFiles[0]?.text ?? '')
    const server = createTestServer({ redirectUri: `${app.origin}/callback` })
    const open = async (options: BrowserContextOptions = {}) => {
      const context = await browser.newContext(options)
      context.setDefaultTimeout(15_000)
      await playwrightRoutes(server, context)
      const page = await context.newPage()
      await page.goto(app.origin)
      return { context, page }
    }
    const first = await open()
    await first.page.getByText('signed-out').waitFor()
    await first.page.getByRole('button').click()
    await first.page.getByText('signed-in').waitFor()
    const storageState = await first.context.storageState({ indexedDB: true })
    await first.context.close()

    const second = await open({ storageState })
    await second.page.getByText('signed-out').waitFor()
    expect(await second.page.locator('output').textContent()).toBe(`signed-out ${reason}`.trim())
    await second.page.getByRole('button').click()
    await second.page.getByText('signed-in').waitFor()
    await second.context.close()
    await app.close()
  },
)
