import { cpSync, readFileSync, statSync } from 'node:fs'
import { createServer } from 'node:http'
import { extname, join } from 'node:path'
import { build } from 'vite'
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest'
import { type Listening, listen } from '../../examples/demo/servers/listen.ts'
import { fillForms, textOf, until } from '../support/e2e.ts'
import { type E2eBrowser, launchE2eBrowser, type Profile, type Tab } from '../support/e2e-browser.ts'
import { startTestServers, type TestServers } from '../support/server.ts'
import { link } from './installed.ts'
import { buildSkeleton, ensureSkeletonTools, type SkeletonWithTool, skeletons } from './skeleton-tools.ts'

const { app, folder: latchkey } = inject('packed')
const types: Record<string, string> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript',
  '.css': 'text/css',
}

let browser: E2eBrowser
beforeAll(async () => {
  browser = await launchE2eBrowser()
  // the packages that a package manager would install for the apps, besides latchkey's peers
  for (const name of ['react-dom', 'vue-router']) link(app, name)
  await ensureSkeletonTools()
}, 600_000)
afterAll(() => browser?.close())

type Config = Readonly<Record<'issuer' | 'clientId' | 'apiUrl', string>>

interface Skeleton {
  readonly name: string
  /** @returns the folder of the app's files. */
  build(config: Config): Promise<string>
  /** The address of a guarded page after its user has signed out. */
  readonly signedOut: string
}

const withVite = (name: string): Skeleton => ({
  name,
  async build() {
    const root = join(app, 'skeletons', name)
    cpSync(join(skeletons, name), root, { recursive: true })
    const outDir = join(root, 'dist')
    await build({ root, configFile: false, logLevel: 'error', build: { outDir, target: 'es2022' } })
    return outDir
  },
  signedOut: '/?returnTo=/notes',
})

const withOwnTool = (name: SkeletonWithTool, signedOut = '/?returnTo=/notes'): Skeleton => ({
  name,
  build: ({ issuer, clientId, apiUrl }) =>
    buildSkeleton(name, latchkey, {
      NEXT_PUBLIC_ISSUER: issuer,
      NEXT_PUBLIC_CLIENT_ID: clientId,
      NEXT_PUBLIC_API_URL: apiUrl,
    }),
  signedOut,
})

describe.each([
  withVite('react-router'),
  withVite('tanstack-router'),
  withVite('vue-router'),
  withOwnTool('sveltekit'),
  withOwnTool('angular'),
  withOwnTool('nextjs', '/notes'), // its guard is a component that shows the question in place of the page
])('the skeleton app for $name', ({ build, signedOut }) => {
  let page: Listening
  let servers: TestServers
  let profile: Profile
  beforeAll(async () => {
    let folder = ''
    const config = () => ({ issuer: servers.issuer, clientId: 'demo-spa', apiUrl: servers.apiUrl })
    page = await listen(
      createServer((request, response) => {
        const { pathname } = new URL(request.url ?? '/', 'http://localhost')
        if (pathname === '/config.json') {
          return response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(config()))
        }
        const files = [pathname, `${pathname}.html`, '/index.html'].map(file => join(folder, file))
        const file = files.find(one => statSync(one, { throwIfNoEntry: false })?.isFile()) ?? ''
        response.writeHead(200, { 'content-type': types[extname(file)] ?? 'text/plain' })
        return response.end(readFileSync(file))
      }),
      { name: 'skeleton app' },
    )
    servers = await startTestServers(page.origin, page.origin)
    folder = await build(config())
    profile = await browser.newProfile()
  }, 300_000)
  afterAll(async () => {
    await profile?.close()
    await servers?.close()
    await page?.close()
  })

  const untilUser = (tab: Tab) =>
    until('the tab shows the user', async () => (await textOf(tab, '#user')) === 'alice')
  const untilWelcome = (tab: Tab) =>
    until('the tab asks to sign in', async () => (await textOf(tab, '#sign-in')) === 'Sign in')

  test('guards a page, returns to it after the sign-in, shows it in a second tab, and signs out both and in again', async () => {
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
    expect(decodeURIComponent(second.url())).toBe(page.origin + signedOut)

    await tab.click('#sign-in')
    await fillForms(tab)
    await untilUser(tab)
  }, 60_000)
})
