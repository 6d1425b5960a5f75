import { cpSync, readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { extname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'vite'
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest'
import { type Listening, listen } from '../../examples/demo/servers/listen.ts'
import { fillForms, textOf, until } from '../support/e2e.ts'
import { type E2eBrowser, launchE2eBrowser, type Profile, type Tab } from '../support/e2e-browser.ts'
import { startTestServers, type TestServers } from '../support/server.ts'
import { link } from './installed.ts'

const { app } = inject('packed')
const examples = fileURLToPath(new URL('../../examples/skeletons/', import.meta.url))
const types: Record<string, string> = { '.html': 'text/html; charset=utf-8', '.js': 'text/javascript' }

let browser: E2eBrowser
beforeAll(async () => {
  browser = await launchE2eBrowser()
  // what a package manager would install for the apps
  for (const name of ['react-dom', 'react-router', '@tanstack/react-router', 'vue-router']) link(app, name)
})
afterAll(() => browser?.close())

/** Builds an app with Vite from the packed package. @returns the folder of its files. */
async function buildApp(name: string): Promise<string> {
  const root = join(app, 'skeletons', name)
  cpSync(join(examples, name), root, { recursive: true })
  const outDir = join(root, 'dist')
  await build({ root, configFile: false, logLevel: 'error', build: { outDir, target: 'es2022' } })
  return outDir
}

describe.each(['react-router', 'tanstack-router', 'vue-router'])('the skeleton app for %s', name => {
  let page: Listening
  let servers: TestServers
  let profile: Profile
  beforeAll(async () => {
    const folder = await buildApp(name)
    page = await listen(
      createServer((request, response) => {
        const { pathname } = new URL(request.url ?? '/', 'http://localhost')
        if (pathname === '/config.json') {
          const config = { issuer: servers.issuer, clientId: 'demo-spa', apiUrl: servers.apiUrl }
          return response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(config))
        }
        const file = pathname.startsWith('/assets/') ? pathname : '/index.html'
        response.writeHead(200, { 'content-type': types[extname(file)] ?? 'text/plain' })
        return response.end(readFileSync(join(folder, file)))
      }),
      { name: 'skeleton app' },
    )
    servers = await startTestServers(page.origin, page.origin)
    profile = await browser.newProfile()
  })
  afterAll(async () => {
    await profile?.close()
    await servers?.close()
    await page?.close()
  })

  const untilUser = (tab: Tab) =>
    until('the tab shows the user', async () => (await textOf(tab, '#user')) === 'alice')
  const untilWelcome = (tab: Tab) =>
    until('the tab asks to sign in', async () => (await textOf(tab, '#sign-in')) === 'Sign in')

  test('guards a page, comes back to it after the sign-in, shows it in a second tab, and signs out in both and in again', async () => {
    const tab = await profile.newTab(`${page.origin}/notes?x=1`)
    await fillForms(tab)
    await untilUser(tab)
    await until('the notes are there', async () => /^\d+$/.test(await textOf(tab, '#notes')))
    expect(tab.url()).toBe(`${page.origin}/notes?x=1`)
    expect(servers.apiCalls.at(-1)?.status).toBe(200)

    const second = await profile.newTab(`${page.origin}/notes`)
    await untilUser(second)
    expect(servers.tokenRequests.map(({ grantType }) => grantType)).toEqual(['authorization_code'])

    await tab.click('#sign-out')
    await untilWelcome(second)
    await untilWelcome(tab)
    expect(new URL(second.url()).searchParams.get('returnTo')).toBe('/notes')

    await tab.click('#sign-in')
    await fillForms(tab)
    await untilUser(tab)
  })
})
