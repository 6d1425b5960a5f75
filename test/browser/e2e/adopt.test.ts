import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type BenchProvider, startBenchProvider } from '../../../bench/support/provider.ts'
import { startAuthorizationServer } from '../../../examples/demo/servers/authorization-server.ts'
import { demoSpa } from '../../../examples/demo/servers/demo-clients.ts'
import { listen } from '../../../examples/demo/servers/listen.ts'
import type { OtherLibrary } from '../../support/adopt-page.ts'
import { fillForms, until } from '../../support/e2e.ts'
import { type E2eBrowser, launchE2eBrowser, type Tab } from '../../support/e2e-browser.ts'
import { appPage, bundle } from '../../support/e2e-pages.ts'
import { peek } from '../../support/server.ts'

interface Servers {
  readonly issuer: string
  readonly apiUrl: string
  close(): Promise<void>
}

const base64url = (text: string) => Buffer.from(text).toString('base64url')
/** Keycloak's tokens are JWTs, and keycloak-js reads them. */
const wrap = (token: string) => `${base64url('{"alg":"none"}')}.${base64url(JSON.stringify({ token }))}.x`
const unwrap = (jwt: string): string => {
  const [, claims = ''] = jwt.split('.')
  return claims ? JSON.parse(Buffer.from(claims, 'base64url').toString()).token : jwt
}

/** The provider behind a token endpoint that turns its opaque tokens into JWTs. */
async function startKeycloakLike(origin: string): Promise<Servers> {
  const own = 'x-handed-on'
  const before = async (request: IncomingMessage, response: ServerResponse): Promise<boolean> => {
    if (request.method !== 'POST' || request.url !== '/token' || request.headers[own]) return false
    const form = new URLSearchParams(await peek(request))
    const sent = form.get('refresh_token')
    if (sent) form.set('refresh_token', unwrap(sent))
    const answer = await fetch(`${server.issuer}/token`, {
      method: 'POST',
      headers: { origin, [own]: 'yes' },
      body: form,
    })
    const members = (await answer.json()) as Record<string, unknown>
    const { access_token, refresh_token } = members as Record<string, string>
    if (refresh_token) members.refresh_token = wrap(refresh_token)
    if (access_token) members.access_token = wrap(access_token)
    const headers = {
      'content-type': 'application/json',
      'access-control-allow-origin': origin,
      'access-control-allow-credentials': 'true', // keycloak-js sends cookies
    }
    response.writeHead(answer.status, headers).end(JSON.stringify(members))
    return true
  }
  const server = await startAuthorizationServer({
    clients: [demoSpa(origin)],
    accessTokenSeconds: 3600,
    before,
  })
  return { issuer: server.issuer, apiUrl: `${origin}/api`, close: server.close }
}

let library: OtherLibrary = 'oidc-client-ts'
let servers: Servers | undefined
let provider: BenchProvider
let keycloakLike: Servers
let browser: E2eBrowser
let page: Awaited<ReturnType<typeof listen>>

beforeAll(async () => {
  const script = await bundle('test/support/adopt-page.ts')
  page = await listen(
    createServer((request, response) => {
      if (request.url === '/app.js')
        return response.writeHead(200, { 'content-type': 'text/javascript' }).end(script)
      if (request.url === '/api') return response.writeHead(request.headers.authorization ? 200 : 401).end()
      const { issuer, apiUrl } = servers ?? {}
      return response
        .writeHead(200, { 'content-type': 'text/html' })
        .end(appPage({ issuer, apiUrl, library }))
    }),
    { name: 'page with another library' },
  )
  provider = await startBenchProvider(page.origin)
  keycloakLike = await startKeycloakLike(page.origin)
  browser = await launchE2eBrowser()
})
afterAll(async () => {
  await browser?.close()
  await Promise.all([provider?.close(), keycloakLike?.close(), page?.close()])
})

const untilReady = (tab: Tab) => until('the page is ready', () => tab.run(() => window.adoption.isReady))

test.for<OtherLibrary>(['oidc-client-ts', 'auth0-spa-js', 'keycloak-js'])(
  'a session of %s continues in latchkey, and the user is not asked again [F8.12]',
  async name => {
    library = name
    servers = name === 'keycloak-js' ? keycloakLike : provider
    const profile = await browser.newProfile()
    const tab = await profile.newTab(`${page.origin}/`)
    await untilReady(tab)
    await tab.click('#sign-in')
    await fillForms(tab)
    await until('the user is back', () => tab.url().startsWith(`${page.origin}/callback`))
    await untilReady(tab)
    expect(await tab.run(() => Boolean(window.adoption.tokens?.refreshToken))).toBe(true)
    const visits = () =>
      profile.requests.filter(({ url }) => /\/(auth|authorize|interaction)\b/.test(url)).length
    const before = visits()

    expect(await tab.run(() => window.adoption.adopt())).toMatchObject({
      status: 'signed-in',
      claims: { sub: expect.any(String), name: expect.any(String) },
    })
    expect(await tab.run(() => window.adoption.call())).toBe(200)
    expect(await tab.run(() => window.adoption.left())).toEqual([])
    // the app after its next start, which no longer uses the other library
    await tab.goto(`${page.origin}/`)
    await untilReady(tab)
    expect(await tab.run(() => window.adoption.restore())).toMatchObject({ status: 'signed-in' })
    expect(await tab.run(() => window.adoption.renew())).toMatchObject({ status: 'signed-in' })
    expect(visits()).toBe(before)
    expect(provider.replays()).toBe(0)
    await profile.close()
  },
)
