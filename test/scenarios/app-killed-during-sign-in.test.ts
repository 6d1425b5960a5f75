import { afterEach, expect, test } from 'vitest'
import type { Client } from '../../src/core/client.ts'
import { createListeners } from '../../src/core/listeners.ts'
import { ConfigurationError } from '../../src/errors.ts'
import { redirect } from '../../src/platform/browser/redirect.ts'
import {
  type AppLinkOptions,
  appLink,
  createClient,
  hostStore,
  type WebviewClientOptions,
} from '../../src/webview.ts'
import { reset } from '../support/faults.ts'
import { API } from '../support/strict-api.ts'
import { worlds } from '../support/world.ts'

const REDIRECT = 'com.example.app://callback'
const world = worlds()
const clients: Client[] = []
afterEach(() => {
  for (const client of clients.splice(0)) client.dispose()
})

/** A phone. Its keychain outlives every process of the app. */
function phone(graceMs = 0) {
  const here = world({ redirectUri: REDIRECT, graceMs })
  const keychain = new Map<string, string>()
  const store = () =>
    hostStore({
      get: async key => keychain.get(key),
      set: async (key, value) => void keychain.set(key, value),
      remove: async key => void keychain.delete(key),
    })
  let links = createListeners<string>()
  const shown: string[] = []
  /** A process of the app. Only the newest one receives links. */
  const open = (
    launchUrl?: string,
    change: Partial<AppLinkOptions> = {},
    own: Partial<WebviewClientOptions> = {},
  ): Client => {
    links = createListeners<string>()
    const client = createClient({
      issuer: here.as.issuer,
      clientId: here.as.clientId,
      redirectUri: REDIRECT,
      scope: 'openid read',
      allowedOrigins: [API],
      store: store(),
      fetch: here.fetch,
      clock: here.clock,
      userAgent: appLink({
        open: url => shown.push(url),
        receive: links.add,
        launchUrl: async () => launchUrl,
        ...change,
      }),
      ...own,
    } as WebviewClientOptions)
    clients.push(client)
    return client
  }
  const answered = async () => {
    await expect.poll(() => shown.length).toBeGreaterThan(0)
    return here.as.approve(shown.at(-1) as string)
  }
  /** For an authorization server that also ends its own session. */
  const endsSessions = {
    issuer: undefined,
    server: { ...here.as.metadata, end_session_endpoint: `${here.as.issuer}/end` },
  } as unknown as Partial<WebviewClientOptions>
  return { ...here, endsSessions, open, tell: (url: string) => links.emit(url), answered, keychain, shown }
}

test('a sign-in opens the browser and returns to the waiting app [NA05]', async () => {
  const { as, open, tell, answered } = phone()
  const client = open()
  await client.start()
  const signedIn = client.signIn()
  tell(await answered())
  expect(await signedIn).toMatchObject({ status: 'signed-in' })
  expect((await client.fetch(`${API}/me`)).status).toBe(200)
  expect(as.count('authorization_code')).toBe(1)
})

test('an app that was killed while the browser was open completes the sign-in when the callback link opens it', async () => {
  const { as, open, answered } = phone()
  const first = open()
  await first.start()
  void first.signIn().catch(() => {})
  const callback = await answered()
  first.dispose()

  const second = open(callback)
  expect(await second.start()).toMatchObject({ status: 'signed-in', claims: { sub: 'alice' } })
  expect((await second.fetch(`${API}/me`)).status).toBe(200)
  // the system may deliver the same address again
  const third = open(callback)
  expect(await third.start()).toMatchObject({ status: 'signed-in' })
  expect(as.count('authorization_code')).toBe(1)
})

test('a webview that was reloaded during a sign-in completes it when the callback link opens the app', async () => {
  const { as, open, tell, answered } = phone()
  const first = open()
  void first.signIn().catch(() => {})
  const callback = await answered()
  first.dispose()
  const second = open()
  await second.start()
  tell('com.example.app://notes/7')
  tell(callback)
  await expect.poll(() => second.session.status).toBe('signed-in')
  expect(as.count('authorization_code')).toBe(1)
})

test('start() retries a sign-in from a launch link whose server could not be reached', async () => {
  const { as, open, answered } = phone()
  const first = open()
  void first.signIn().catch(() => {})
  const callback = await answered()
  first.dispose()
  const second = open(callback)
  as.failNext.push(reset)
  await expect(second.start()).rejects.toMatchObject({ code: 'ERR_NETWORK', retryable: true })
  expect(await second.start()).toMatchObject({ status: 'signed-in' })
})

test('an app that is opened with an old callback link starts normally', async () => {
  const { clock, open, answered } = phone()
  const first = open()
  void first.signIn().catch(() => {})
  const callback = await answered()
  first.dispose()
  clock.advance(2 * 3_600_000)
  expect(await open(callback).start()).toMatchObject({ status: 'signed-out' })
})

test('a session is restored even if the host cannot report how the app was launched', async () => {
  const { open, tell, answered } = phone()
  const first = open()
  const signedIn = first.signIn()
  tell(await answered())
  await signedIn
  const launchUrl = () => Promise.reject(new Error('no plugin'))
  expect(await open(undefined, { launchUrl }).start()).toMatchObject({ status: 'signed-in' })
})

test('an app that is opened by an unrelated link starts normally', async () => {
  const { open } = phone()
  expect(await open('com.example.app://notes/7').start()).toMatchObject({ status: 'signed-out' })
})

test('a sign-in inside the webview is refused, by default and for one call [NA04]', async () => {
  const { as, open } = phone()
  const inside = { issuer: as.issuer, clientId: 'app', redirectUri: REDIRECT, allowedOrigins: [] }
  expect(() => createClient({ ...inside, userAgent: redirect() } as unknown as WebviewClientOptions)).toThrow(
    /RFC 8252 section 8\.12/,
  )
  expect(() => createClient(inside as unknown as WebviewClientOptions)).toThrow(/appLink/)
  await expect(open().signIn({ userAgent: redirect() })).rejects.toMatchObject({ code: 'ERR_CONFIGURATION' })
})

const GOODBYE = 'com.example.app://goodbye'

test("a sign-out also ends the provider's session in the browser and returns by link [NA04]", async () => {
  const { endsSessions, open, tell, answered, shown, keychain } = phone()
  const closed: string[] = []
  const client = open(
    undefined,
    { close: () => closed.push('closed') },
    { ...endsSessions, postLogoutRedirectUri: GOODBYE },
  )
  const signedIn = client.signIn()
  tell(await answered())
  await signedIn
  closed.length = 0
  const signedOut = client.signOut()
  await expect.poll(() => shown.length).toBe(2)
  expect([...keychain.values()].join()).not.toContain('refresh')
  expect(client.session).toEqual({ status: 'signing-out' })
  const url = new URL(shown[1] as string)
  expect(url.searchParams.get('post_logout_redirect_uri')).toBe(GOODBYE)
  expect(url.searchParams.has('id_token_hint')).toBe(true)
  tell('com.example.app://notes/7')
  expect(closed).toEqual([])
  tell(GOODBYE)
  await signedOut
  expect(closed).toEqual(['closed'])
  expect(client.session).toEqual({ status: 'signed-out', reason: 'signed_out' })
})

test('a sign-out succeeds even if the user closes the browser, it cannot be opened, or a sign-in starts meanwhile', async () => {
  const closings = createListeners<void>()
  let fails = false
  const { endsSessions, open, tell, answered, shown } = phone()
  const show = (url: string) => {
    shown.push(url)
    if (fails) throw new Error('no browser')
  }
  const client = open(
    undefined,
    { onClosed: closings.add, open: show },
    { ...endsSessions, postLogoutRedirectUri: GOODBYE },
  )
  const signIn = async () => {
    const before = shown.length
    const signedIn = client.signIn()
    await expect.poll(() => shown.length).toBe(before + 1)
    tell(await answered())
    return signedIn
  }
  const signOut = async () => {
    const before = shown.length
    const signedOut = client.signOut()
    await expect.poll(() => shown.length).toBe(before + 1)
    return signedOut
  }
  await signIn()
  const closed = client.signOut()
  await expect.poll(() => closings.size()).toBe(1)
  closings.emit()
  await closed
  await signIn()
  fails = true
  await signOut()
  fails = false
  await signIn()
  const overtaken = client.signOut()
  await expect.poll(() => closings.size()).toBe(1)
  expect(await signIn()).toMatchObject({ status: 'signed-in' })
  await overtaken
  expect(client.session.status).toBe('signed-in')
})

test('a sign-out without a return address opens the browser and completes', async () => {
  const { endsSessions, open, tell, answered, shown } = phone()
  const client = open(undefined, {}, endsSessions)
  const signedIn = client.signIn()
  tell(await answered())
  await signedIn
  await client.signOut({ endProviderSession: true })
  expect(shown).toHaveLength(2)
})

test('missing options are rejected with an error that names them', () => {
  expect(() => createClient(undefined as unknown as WebviewClientOptions)).toThrow(ConfigurationError)
})
