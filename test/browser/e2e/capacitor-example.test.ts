import { readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { extname, join } from 'node:path'
import type { Browser, BrowserContext, Page } from 'playwright'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { buildWeb } from '../../../examples/capacitor/build.ts'
import config from '../../../examples/capacitor/config.json' with { type: 'json' }
import {
  type AuthorizationServer,
  startAuthorizationServer,
} from '../../../examples/demo/servers/authorization-server.ts'
import { type Listening, listen } from '../../../examples/demo/servers/listen.ts'
import { startResourceServer } from '../../../examples/demo/servers/resource-server.ts'
import { launchChromium } from '../../support/chromium.ts'
import { fillForms, textOf, until, untilShown } from '../../support/e2e.ts'
import { type Phone, phone } from '../../support/phone.ts'

const SCHEME = 'com.example.notes:'
const contentTypes: Record<string, string> = {
  '.html': 'text/html',
  '.js': 'text/javascript',
  '.css': 'text/css',
}

let app: Listening
let provider: AuthorizationServer
let api: Listening
let browser: Browser
let context: BrowserContext
let grants: string[] = []

/** The web build, with this test's configuration. */
async function serveApp(): Promise<Listening> {
  const folder = await buildWeb()
  const server = createServer(async (request, response) => {
    const { pathname } = new URL(request.url ?? '/', 'http://localhost')
    if (pathname === '/config.json') {
      const { clientId } = config
      const own = { issuer: provider.issuer, clientId, apiUrl: `${api.origin}/notes` }
      return response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(own))
    }
    const file = pathname === '/' ? '/index.html' : pathname
    const content = await readFile(join(folder, file)).catch(() => undefined)
    return response
      .writeHead(content ? 200 : 404, { 'content-type': contentTypes[extname(file)] ?? 'text/plain' })
      .end(content)
  })
  return listen(server, { name: 'Capacitor example' })
}

beforeAll(async () => {
  app = await serveApp()
  provider = await startAuthorizationServer({
    clients: [
      {
        client_id: config.clientId,
        application_type: 'native',
        token_endpoint_auth_method: 'none',
        grant_types: ['authorization_code', 'refresh_token'],
        redirect_uris: [`${SCHEME}/callback`],
        post_logout_redirect_uris: [`${SCHEME}/signed-out`],
      },
    ],
    accessTokenSeconds: 3600,
    // the webview has its own origin, which differs from the redirect URI's
    configure: given => ({ ...given, clientBasedCORS: (_ctx, origin) => origin === app.origin }),
  })
  provider.provider.on('grant.success', ctx => grants.push(String(ctx.oidc.params?.grant_type)))
  provider.provider.on('grant.error', (_ctx, error) => grants.push(error.message))
  api = await startResourceServer({
    issuer: provider.issuer,
    credentials: provider.introspectionCredentials,
    allowedOrigins: [app.origin],
  })
  browser = await launchChromium()
})
afterEach(async () => {
  await context?.close()
  grants = []
})
afterAll(async () => {
  await browser?.close()
  await Promise.all([app?.close(), api?.close(), provider?.close()])
})

const reachable = (page: Page) => ({
  run: <R, A>(work: (argument: A) => R | Promise<R>, argument?: A) =>
    page.evaluate(work as (argument: unknown) => R | Promise<R>, argument),
  click: (selector: string) => page.click(selector),
  fill: (selector: string, text: string) => page.fill(selector, text),
})

async function newPhone(): Promise<Phone> {
  context = await browser.newContext()
  return phone(context, app.origin, SCHEME)
}

const untilSession = (page: Page, text: string) =>
  until(`the app says "${text}"`, async () => (await textOf(reachable(page), '#session')) === text)

/** Signs in in the system's browser. @returns the link that opens the app again. */
async function signInOutside(here: Phone, page: Page) {
  await untilSession(page, 'signed out')
  const outside = await here.showing(page, () => page.click('#sign-in'))
  await untilShown(reachable(outside), 'Sign in')
  const link = here.nextLink()
  await fillForms(reachable(outside))
  return link
}

test('the Capacitor example signs in in the system browser, is opened by its scheme, calls the API and signs out [NA05]', async () => {
  const here = await newPhone()
  const page = await here.launch()
  const link = await signInOutside(here, page)
  expect(link).toMatch(/^com\.example\.notes:\/callback\?code=/)
  const { searchParams } = new URL(link)
  // another link of the app, even with the sign-in's state
  await here.openWith(page, `${SCHEME}/notes?code=none&state=${searchParams.get('state')}`)
  await here.openWith(page, link)
  await untilSession(page, 'signed in as alice')
  expect(page.url()).toBe(`${app.origin}/`)
  expect(await textOf(reachable(page), '#answer')).toBe('')

  await page.click('#call')
  await until('the call is answered', async () => (await textOf(reachable(page), '#answer')) === '200 []')

  const goodbye = here.nextLink()
  await here.showing(page, () => page.click('#sign-out'))
  await untilSession(page, 'signed out')
  const back = await goodbye
  expect(back).toMatch(/^com\.example\.notes:\/signed-out/)
  await here.openWith(page, back)
  expect(await textOf(reachable(page), '#answer')).toBe('')
  expect(grants).toEqual(['authorization_code'])
})

test('the Capacitor example, killed while the browser is open, is signed in and restored when the link launches it', async () => {
  const here = await newPhone()
  const first = await here.launch()
  await first.goto(`${app.origin}/#today`)
  const link = await signInOutside(here, first)
  await first.close()

  const second = await here.launch(link)
  await untilSession(second, 'signed in as alice')
  await until('the app is where it was', () => second.url() === `${app.origin}/#today`)
  await second.click('#call')
  await until('the call is answered', async () => (await textOf(reachable(second), '#answer')) === '200 []')
  // the system delivers the same link to the page again
  await second.reload()
  await untilSession(second, 'signed in as alice')
  expect(await textOf(reachable(second), '#answer')).toBe('')
  expect(grants).toEqual(['authorization_code'])
})
