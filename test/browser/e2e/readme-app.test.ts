import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startBrowserApp } from '../../servers/browser-app.ts'
import {
  cognitoOptions,
  cognitoSignOut,
  type Deviation,
  ME,
  metadataAt,
  type ScriptedServer,
  servers,
  startScriptedServer,
} from '../../servers/scripted-server.ts'
import { type E2eBrowser, launchE2eBrowser } from '../../support/e2e-browser.ts'

let server: ScriptedServer
let app: Awaited<ReturnType<typeof startBrowserApp>>
let browser: E2eBrowser
beforeAll(async () => {
  server = await startScriptedServer()
  app = await startBrowserApp(server.issuer)
  browser = await launchE2eBrowser()
})
afterAll(async () => {
  await browser?.close()
  await app?.close()
  await server?.close()
})

/** Clicks "Sign in" once, and waits until the page or its console shows something. */
async function signIn(shows: RegExp | string): Promise<{ shown: string; url: string }> {
  const profile = await browser.newProfile()
  try {
    const tab = await profile.newTab(app.url)
    const text = () => tab.run(() => document.body?.innerText ?? '').catch(() => '')
    const shown = async () => [...profile.console, await text()].join('\n')
    await expect
      .poll(shown)
      .toMatch(new RegExp(`Sign in|${typeof shows === 'string' ? shows : shows.source}`, 's'))
    if ((await text()).includes('Sign in')) await tab.click('button').catch(() => {})
    await expect.poll(shown).toMatch(shows)
    return { shown: await shown(), url: tab.url() }
  } finally {
    await profile.close()
  }
}

describe("README's app in Chromium", () => {
  test.for(servers)('at $name [F4.4, F8.2]', async ({ deviation, shows, followed, mended }) => {
    server.play(deviation)
    app.play()
    await signIn(shows)
    expect(server.count('GET /authorize')).toBeLessThanOrEqual(1)
    if (mended) server.play(mended)
    if (followed)
      app.play(
        undefined,
        JSON.stringify(followed(server), (_, value) => value ?? null),
      )
    if (mended || followed) await signIn(ME)
  })

  test('signs out at Amazon Cognito, whose sign-out page takes other parameters and is not in the metadata', async () => {
    server.play(cognitoSignOut)
    app.play(undefined, JSON.stringify(cognitoOptions(server.issuer, app.url)))
    const profile = await browser.newProfile()
    const tab = await profile.newTab(app.url)
    const button = () => tab.run(() => document.querySelector('button')?.textContent ?? '').catch(() => '')
    for (const name of ['Sign in', 'Sign out']) {
      await expect.poll(button).toBe(name)
      await tab.click('button')
    }
    await expect.poll(() => server.count('GET /logout')).toBe(1)
    await expect.poll(() => tab.url()).toBe(app.url)
    await expect.poll(button).toBe('Sign in')
    await profile.close()
  })

  test('signs in where the functions are missing that Safari 16.4 does not have', async () => {
    const older =
      'delete URL.canParse, delete URL.parse, delete AbortSignal.any, delete Promise.withResolvers'
    server.play({})
    app.play(undefined, `(${older}, {})`)
    await signIn(ME)
  })

  const to =
    (place: string) =>
    (path: string): string | undefined =>
      path === '/callback' ? place : undefined

  test.for<[string, ((path: string) => string | undefined) | undefined, Deviation, RegExp | string]>([
    ['adds a slash to the callback', to('/callback/'), {}, ME],
    ['serves index.html at the callback', to('/callback/index.html'), {}, ME],
    [
      'gets the response in the fragment',
      undefined,
      { callback: ({ origin, pathname, searchParams }) => new URL(`${origin}${pathname}#${searchParams}`) },
      ME,
    ],
    [
      'moves the callback elsewhere',
      to('/welcome'),
      {},
      /arrived at http:\/\/\S+\/welcome instead of the redirect URI/,
    ],
  ])('on a host that %s [F8.2]', async ([, moving, deviation, shows]) => {
    server.play(deviation)
    app.play(moving)
    const { url } = await signIn(shows)
    expect(url).not.toMatch(/code=|state=/)
    expect(server.count('GET /authorize')).toBe(1)
  })
})

/** The most common mistakes listed in docs/errors.md: what the app does wrong, and the first message. */
const mistakes: readonly [mistake: string, options: string, deviation: Deviation, shows: RegExp][] = [
  [
    "the `issuer` is another server's",
    '{}',
    {
      answer: (path, issuer) =>
        path.startsWith('/.well-known/openid') ? { body: { issuer: `${issuer}/other` } } : undefined,
    },
    /openid-configuration names another issuer: \S+\/other\. .*Correct "issuer"/,
  ],
  [
    'the `issuer` does not exist',
    '{}',
    { answer: metadataAt('/nowhere', { status: 404 }) },
    /No metadata of the issuer .*Correct "issuer"/,
  ],
  [
    'the server does not allow the page (CORS)',
    '{}',
    { withoutCors: /well-known/ },
    /could not be reached from http:\/\/127\.0\.0\.1:\d+\. .*CORS/,
  ],
  [
    'the API is not in `allowedOrigins`',
    '{ allowedOrigins: [] }',
    {},
    /answered 401\. latchkey sent it no access token, because it is in neither "allowedOrigins" nor "resources"/,
  ],
  [
    'the client is not known',
    '{}',
    { answer: path => (path === '/token' ? { status: 401, body: { error: 'invalid_client' } } : undefined) },
    /invalid_client\. Compare "clientId"/,
  ],
  [
    'the redirect URI is not registered',
    '{}',
    {
      answer: path =>
        path === '/token'
          ? { status: 400, body: { error: 'invalid_request', error_description: 'redirect_uri mismatch' } }
          : undefined,
    },
    /invalid_request \(redirect_uri mismatch\)\. Compare "redirectUri"/,
  ],
  [
    '`scope` has `openid`, and the server knows OAuth 2 only',
    '{}',
    { members: ({ id_token: _, ...rest }) => rest },
    /set a "scope" without "openid"/,
  ],
  [
    'a client secret is in the page',
    "{ clientSecret: 'not-so-secret' }",
    {},
    /"clientSecret" is not an option of createClient\(\)\. Did you mean "clientAuthentication"\?/,
  ],
  [
    'the `issuer` is plain http',
    "{ issuer: 'http://id.example.com' }",
    {},
    /"issuer" must be an https URL such as "https:\/\/id\.example\.com" \(http only on loopback\); got "http:\/\/id\.example\.com"/,
  ],
  [
    'an option does not exist',
    "{ scopes: 'openid' }",
    {},
    /"scopes" is not an option of createClient\(\)\. Did you mean "scope"\?/,
  ],
]

describe("README's app with a mistake reports it first", () => {
  test.for(mistakes)('when %s [F4.1, F4.2, F4.8]', async ([, options, deviation, shows]) => {
    server.play(deviation)
    app.play(undefined, options)
    const { shown } = await signIn(shows)
    expect(shown).not.toContain('not-so-secret')
    // except for the browser's own message about the failed request, nothing comes before it
    const own = shown
      .split('\n')
      .filter(
        line => line.trim() && !/^error: (Failed to load|Access to fetch)|^(Sign in|Sign out)$/.test(line),
      )
    expect(own[0]).toMatch(shows)
  })

  test('as docs/errors.md lists the mistakes', () => {
    const page = readFileSync(new URL('../../../docs/errors.md', import.meta.url), 'utf8')
    for (const [mistake] of mistakes) expect(page).toContain(`| ${mistake} |`)
  })
})
