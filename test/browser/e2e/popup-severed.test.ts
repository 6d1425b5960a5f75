import { expect, test } from 'vitest'
import { endToEnd, fillForms, until, untilShown, untilStatus } from '../../support/e2e.ts'
import type { Profile, Tab } from '../../support/e2e-browser.ts'

/** Brings tabs to the foreground as a user would. With Playwright's default, all would be in the foreground at once. */
const e2e = endToEnd({ background: true })

const outcome = (tab: Tab) => tab.run(() => window.app.signedIn)
const untilEnded = (tab: Tab) =>
  until('signIn() has come to its end', async () => (await outcome(tab)) !== undefined)

/** A window whose page severs it from its opener. The opener is behind another tab, without the focus. */
async function openSevered(profile: Profile, tab: Tab): Promise<{ opened: Tab; front: Tab }> {
  await tab.run(() => {
    const open = window.open.bind(window)
    window.open = (...over) => {
      const opened = open(...over)
      Object.assign(window, { opened })
      return opened
    }
  })
  const opened = await tab.opening(() => tab.click('#sign-in'))
  await untilShown(opened, 'Sign in')
  const front = await profile.newTab(e2e.pages.appUrl)
  await until('the opener has lost the focus', async () => !(await tab.run(() => document.hasFocus())))

  e2e.servers.severOpeners(true)
  await opened.reload()
  await untilShown(opened, 'Sign in')
  await until('the window counts as closed', () =>
    tab.run(() => (window as unknown as { opened: Window }).opened.closed),
  )
  expect(await opened.run(() => window.opener)).toBeNull()
  return { opened, front }
}

test('a window that is severed from its opener still returns its response, and an abandoned one ends in a few seconds [RS20]', async () => {
  e2e.pages.setMode('popup')
  const profile = await e2e.newProfile()
  const tab = await profile.newTab(e2e.pages.appUrl)
  await untilStatus(tab, 'signed-out')

  // abandoned: the window is closed, and the user returns
  const given = await openSevered(profile, tab)
  const looks = 6
  await tab.run(
    times =>
      new Promise<void>(resolve => {
        let count = 0
        setInterval(() => ++count === times && resolve(), 500)
      }),
    looks,
  )
  expect(await outcome(tab)).toBeUndefined() // a user who is still away may return with a response
  await given.opened.close()
  await given.front.close()
  await untilEnded(tab)
  expect(await outcome(tab)).toMatchObject({ code: 'ERR_CALLBACK', reason: 'cancelled' })
  e2e.servers.severOpeners(false)

  // completed
  const { opened } = await openSevered(profile, tab)
  await fillForms(opened)
  await untilEnded(tab)
  expect(await outcome(tab)).toBe('signed-in')
  await until('the window is closed', () => opened.isClosed())
  expect(await tab.run(() => window.app.call())).toBe(200)
  expect(e2e.servers.tokenRequests).toMatchObject([{ status: 200 }])
})
