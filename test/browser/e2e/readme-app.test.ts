import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { GUARDED, startBrowserApp } from '../../servers/browser-app.ts'
import {
  atRefresh,
  cancels,
  cognitoOptions,
  cognitoSignOut,
  type Deviation,
  expiry,
  ME,
  metadataAt,
  refreshes,
  type ScriptedServer,
  servers,
  shortLived,
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

const atToken =
  (answer: object): Deviation['answer'] =>
  path =>
    path === '/token' ? answer : undefined

/** A new user clicks "Sign in". */
async function clickSignIn() {
  const profile = await browser.newProfile()
  const tab = await profile.newTab(app.url)
  const text = () => tab.run(() => document.body?.innerText ?? '').catch(() => '')
  await expect.poll(text).toContain('Sign in')
  await tab.click('button')
  return { profile, tab, text }
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

  // Node asks for no permission
  test.for([
    ['the token endpoint', /token/, /\/token could not be reached from \S+\. .*CORS/],
    ["the server's keys", /jwks/, /\/jwks could not be reached from \S+\. .*CORS/],
    ['the API', /\/me/, /Access to fetch at '\S+\/me' from origin '\S+' has been blocked by CORS policy/],
  ] as const)('without CORS at %s names the origin of the page [F4.1]', async ([, withoutCors, shows]) => {
    server.play({ withoutCors })
    app.play()
    const { shown } = await signIn(shows)
    expect(shows.exec(shown)?.[0]).toContain(new URL(app.url).origin)
    server.play({})
    await signIn(ME)
  })

  test.for(refreshes)('at a server that answers a refresh with $name [F2.1]', async refresh => {
    server.play(shortLived)
    app.play()
    const { profile, tab, text } = await clickSignIn()
    await expect.poll(text).toContain(ME)
    await expiry()
    server.play(atRefresh(refresh))
    await tab.reload()
    await expect.poll(() => profile.console.join('\n')).toMatch(refresh.shows)
    expect(server.count('POST /token')).toBe(1)
    await expect.poll(text).toContain(refresh.ends ? 'Sign in' : 'Sign out')
    server.play({})
    if (refresh.ends) await tab.click('button')
    else await tab.reload()
    await expect.poll(text).toContain(ME)
    expect(server.count('GET /authorize')).toBe(refresh.ends ? 1 : 0)
    await profile.close()
  })

  test('after Cancel says so beside the button, and a second try signs in [F4.12]', async () => {
    server.play(cancels)
    app.play()
    const { profile, tab, text } = await clickSignIn()
    await expect.poll(text).toMatch(/^You cancelled the sign-in\.\s+Sign in$/)
    expect(tab.url()).not.toMatch(/error=|state=/)
    server.play({})
    await tab.click('button')
    await expect.poll(text).toContain(ME)
    await profile.close()
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

describe('an app that signs in by itself whenever nobody is signed in', () => {
  let guarded: typeof app
  beforeAll(async () => {
    guarded = await startBrowserApp(server.issuer, GUARDED)
  })
  afterAll(() => guarded?.close())

  const bare = ({ origin, pathname }: URL) => new URL(origin + pathname)
  test.for<[string, Deviation, ((path: string) => string | undefined)?]>([
    [
      'an error',
      { callback: url => new URL(`${bare(url)}?error=invalid_scope&state=${url.searchParams.get('state')}`) },
    ],
    ['an error without state', { callback: url => new URL(`${bare(url)}?error=invalid_scope`) }],
    ['nothing', { callback: bare }],
    ['a state that is not its own', { callback: url => new URL(`${bare(url)}?code=a&state=b`) }],
    [
      'a code that the server then refuses',
      { answer: atToken({ status: 400, body: { error: 'invalid_grant' } }) },
    ],
    ['a response whose query the host removes', {}, path => (path === '/callback' ? '/?' : undefined)],
  ])('stops by itself if the callback has %s, and says so [F8.2]', async ([, deviation, moving]) => {
    server.play(deviation)
    guarded.play(moving)
    const profile = await browser.newProfile()
    const tab = await profile.newTab(guarded.url)
    const stopped = /sign-ins within a minute ended without a session.* Check the error from start\(\)/
    await expect.poll(() => profile.console.join('\n')).toMatch(stopped)
    const asked = server.count('GET /authorize')
    expect(asked).toBeLessThanOrEqual(6) // LOOP in authorization-request.ts
    await tab.reload()
    await expect.poll(() => profile.console.filter(line => stopped.test(line)).length).toBe(2)
    expect(server.count('GET /authorize')).toBe(asked)
    await profile.close()
  })
})

/** One of the commonest mistakes, as docs/errors.md lists them. Without it, the app works. */
interface Mistake {
  readonly mistake: string
  /** What the app does wrong: JavaScript of an object of options. */
  readonly options?: string
  /** What the server does that does not fit to the app. */
  readonly deviation?: Deviation
  /** Options that follow the message's advice where the server stays as it is. */
  readonly followed?: string
}

const mistakes: readonly Mistake[] = [
  {
    mistake: "the `issuer` is another server's",
    deviation: {
      answer: (path, issuer) =>
        path.startsWith('/.well-known/openid') ? { body: { issuer: `${issuer}/other` } } : undefined,
    },
  },
  {
    mistake: 'the `issuer` does not exist',
    deviation: { answer: metadataAt('/nowhere', { status: 404 }) },
  },
  { mistake: 'the server does not allow the page (CORS)', deviation: { withoutCors: /well-known/ } },
  { mistake: "the page's origin is not registered", deviation: { withoutCors: /token/ } },
  { mistake: 'the API is not in `allowedOrigins`', options: '{ allowedOrigins: [] }' },
  {
    mistake: 'the client is not known',
    deviation: { answer: atToken({ status: 401, body: { error: 'invalid_client' } }) },
  },
  {
    mistake: 'the redirect URI is not registered',
    deviation: {
      answer: atToken({
        status: 400,
        body: { error: 'invalid_request', error_description: 'redirect_uri mismatch' },
      }),
    },
  },
  {
    mistake: '`scope` has `openid`, and the server knows OAuth 2 only',
    deviation: { members: ({ id_token: _, ...rest }) => rest },
    followed: "{ scope: 'read' }",
  },
  {
    mistake: '`scope` has no `openid`, and the app wants to know the user',
    options: "(window.wantsUser = true, { scope: 'read' })",
  },
  { mistake: 'a client secret is in the page', options: "{ clientSecret: 'not-so-secret' }" },
  { mistake: 'the `issuer` is plain http', options: "{ issuer: 'http://id.example.com' }" },
  { mistake: 'an option does not exist', options: "{ scopes: 'openid' }" },
]

const errorsPage = readFileSync(new URL('../../../docs/errors.md', import.meta.url), 'utf8')

/** What docs/errors.md says is shown first: the texts in its second column, in this order. `…` and addresses vary. */
function shownFirst(mistake: string): RegExp {
  const [, column = ''] = errorsPage.split(`| ${mistake} | `)
  const texts = [...(column.split('\n')[0] ?? '').matchAll(/`([^`]+)`/g)].map(([, text = '']) => text)
  const patterns = texts.map(text =>
    text
      .replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&')
      .replace(/https:[^\s"]*/g, 'https?:\\S+')
      .replaceAll('…', '.*'),
  )
  expect(patterns).not.toEqual([])
  return new RegExp(patterns.join('.*'))
}

describe("README's app with a mistake reports it first", () => {
  test.for(mistakes)(
    'when $mistake, as docs/errors.md shows it; without it, the app works [F4.1, F4.2, F4.8]',
    async ({ mistake, options, deviation = {}, followed = '{}' }) => {
      const shows = shownFirst(mistake)
      server.play(deviation)
      app.play(undefined, options)
      const { shown } = await signIn(shows)
      expect(shown).not.toContain('not-so-secret')
      // except for the browser's own message about the failed request, nothing comes before it
      const own = shown
        .split('\n')
        .filter(
          line =>
            line.trim() &&
            line !== ME &&
            !/^error: (Failed to load|Access to fetch)|^(Sign in|Sign out)$/.test(line),
        )
      expect(own[0]).toMatch(shows)
      if (followed === '{}') server.play({})
      app.play(undefined, followed)
      await signIn(ME)
    },
  )
})
