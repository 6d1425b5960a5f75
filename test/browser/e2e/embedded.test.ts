import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  addressOf,
  type E2e,
  endToEnd,
  fillForms,
  textOf,
  until,
  untilShown,
  untilStatus,
} from '../../support/e2e.ts'
import { launchProfile, type Profile, setPreferences, type Tab } from '../../support/e2e-browser.ts'
import { type Portal, startPortal } from '../../support/portal.ts'
import { tempFolders } from '../../support/temp-folder.ts'

const tempFolder = tempFolders()

let portal: Portal
beforeAll(async () => {
  portal = await startPortal()
})
afterAll(() => portal?.close())

/** A browser that gives a frame of another site storage of its own; Playwright's, as in a private window, gives it none. */
async function withPartitions(work: (profile: Profile) => Promise<void>): Promise<void> {
  const folder = tempFolder()
  setPreferences(folder, { cookie_controls_mode: 0 })
  // Playwright turns the partitions off with this switch, and Chromium takes the last one
  const profile = await launchProfile(folder, ['--disable-features=Translate'])
  try {
    await work(profile)
  } finally {
    await profile.close()
  }
}

type Framed = ReturnType<Tab['framed']>

async function openPortal(e2e: E2e, given?: Profile): Promise<{ profile: Profile; tab: Tab; frame: Framed }> {
  e2e.pages.allowFraming(portal.origin)
  const profile = given ?? (await e2e.newProfile())
  const tab = await profile.newTab(portal.urlFor(e2e.pages.appUrl))
  await until('the app is in its frame', () => tab.framed().run(() => window.app !== undefined))
  const frame = tab.framed()
  await untilStatus(frame, 'signed-out')
  return { profile, tab, frame }
}

const untilEnded = (frame: Framed) =>
  until('signIn() has come to its end', () => frame.run(() => window.app.signedIn !== undefined))
const outcome = (frame: Framed) => frame.run(() => window.app.signedIn)

describe("in another site's frame", () => {
  const e2e = endToEnd({ windows: true })

  test('an app signs in by popup, and the page of the provider there can reach neither the app nor the portal [F8.10, F6.5]', async () => {
    const { tab, frame } = await openPortal(e2e)
    const opened = await tab.opening(() => frame.click('#sign-in-popup'))
    await untilShown(opened, 'Sign in')

    // Firefox lets a window send the page around its opener elsewhere
    expect(await opened.run(() => window.opener)).toBeNull()

    await fillForms(opened)
    await untilEnded(frame)
    expect(await outcome(frame)).toBe('signed-in')
    await until('the window is closed', () => opened.isClosed())
    expect(await frame.run(() => window.app.call())).toBe(200)
    expect(await addressOf(frame)).toBe(e2e.pages.appUrl)
    expect(await textOf(tab, 'h1')).toBe('Portal')
    expect(e2e.servers.tokenRequests).toMatchObject([{ status: 200 }])
    // the session is the frame's alone: a window of the app has storage of its own
    const window_ = await tab.opening(() => frame.click('#open-copy'))
    await untilStatus(window_, 'signed-out')
  })

  test('a redirect is refused, unless the app says that its provider allows it [F8.11]', () =>
    withPartitions(async profile => {
      const { tab, frame } = await openPortal(e2e, profile)
      await frame.click('#sign-in')
      await untilEnded(frame)
      expect(await outcome(frame)).toMatchObject({ code: 'ERR_CONFIGURATION' })
      expect(await addressOf(frame)).toBe(e2e.pages.appUrl)

      const asked = profile.requests.length
      await frame.run(() => {
        const { client, redirect } = window.app
        void client.signIn({ userAgent: redirect({ allowInFrame: true }) })
      })
      const isAuthorization = ({ url }: { url: string }) => url.startsWith(`${e2e.servers.issuer}/auth?`)
      await until('the frame has left for the provider', () =>
        profile.requests.slice(asked).some(isAuthorization),
      )
      expect(await textOf(tab, 'h1')).toBe('Portal')
    }))

  test('the same popup returns its response where the browser partitions the storage of frames, and the session survives a reload [F8.10]', () =>
    withPartitions(async profile => {
      const own = await profile.newTab(e2e.pages.appUrl)
      await own.run(() => localStorage.setItem('mark', 'of a tab'))
      const { tab, frame } = await openPortal(e2e, profile)
      expect(await frame.run(() => localStorage.getItem('mark'))).toBeNull()
      const opened = await tab.opening(() => frame.click('#sign-in-popup'))
      await fillForms(opened)
      await untilEnded(frame)
      expect(await outcome(frame)).toBe('signed-in')
      await tab.reload()
      await until('the frame is signed in again', async () => {
        const status = await tab.framed().run(() => window.app.client.session.status)
        return status === 'signed-in'
      })
    }))

  test('a sign-out stays in the frame, and warns that the session at the provider continues [F8.11]', async () => {
    const { tab, frame } = await openPortal(e2e)
    const opened = await tab.opening(() => frame.click('#sign-in-popup'))
    await fillForms(opened)
    await untilStatus(frame, 'signed-in')
    await frame.run(() => window.app.client.signOut({ endProviderSession: true }))
    await untilStatus(frame, 'signed-out')
    expect(await addressOf(frame)).toBe(e2e.pages.appUrl)
    const warnings = await frame.run(() =>
      window.app.events.flatMap(event => (event.type === 'warning' ? [event.about] : [])),
    )
    expect(warnings).toContain('end_session')
  })

  test('if the user blocks all storage, and Web Locks with it, a sign-in by popup lasts until the page is closed [F8.10]', async () => {
    const folder = tempFolder()
    const exceptions = { cookies: { [`${new URL(e2e.pages.appUrl).origin},*`]: { setting: 2 } } }
    setPreferences(folder, { content_settings: { exceptions } })
    const profile = await launchProfile(folder)
    try {
      const tab = await profile.newTab(e2e.pages.appUrl)
      await untilStatus(tab, 'signed-out')
      expect(
        await tab.run(() => navigator.locks.request('any', () => 'granted').catch(error => error.name)),
      ).toBe('SecurityError')
      const opened = await tab.opening(() => tab.click('#sign-in-popup'))
      await fillForms(opened)
      await untilEnded(tab)
      expect(await outcome(tab)).toBe('signed-in')
      expect(await tab.run(() => window.app.calls(5))).toEqual({ 200: 5 })
    } finally {
      await profile.close()
    }
  })
})

describe('when only one window has the focus, as on the screen of a user', () => {
  const e2e = endToEnd({ background: true })

  test('a sign-in window that the provider cuts off from a frame ends the sign-in early with a reason of its own [F8.10]', async () => {
    const { profile, tab, frame } = await openPortal(e2e)
    const opened = await tab.opening(() => frame.click('#sign-in-popup'))
    await untilShown(opened, 'Sign in')
    await profile.newTab(e2e.pages.appUrl)
    await until('the portal has lost the focus', async () => !(await frame.run(() => document.hasFocus())))
    e2e.servers.severOpeners(true)
    await opened.reload()
    await untilEnded(frame)
    expect(await outcome(frame)).toMatchObject({ code: 'ERR_CALLBACK', reason: 'popup_severed' })
    expect(opened.isClosed()).toBe(false)
  })
})
