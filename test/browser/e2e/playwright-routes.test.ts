import { createClient, memory } from 'latchkey'
import { createTestServer, playwrightRoutes } from 'latchkey/testing'
import type { Browser } from 'playwright'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { findHeadlessShell, launchChromium } from '../../support/chromium.ts'

const everyByte = Array.from({ length: 256 }, (_, byte) => byte)
const app = 'https://app.example.com/'

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
  await page.route(app, route => route.fulfill({ contentType: 'text/html', body: '<!doctype html>' }))
  await playwrightRoutes(server, page)
  await page.goto(app)
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
