import { expect, test } from 'vitest'
import { endToEnd, fillForms, until, untilShown, untilStatus } from '../../support/e2e.ts'
import type { Tab } from '../../support/e2e-browser.ts'

/** Windows have the focus that users give them: Playwright's own would all have it at once. */
const e2e = endToEnd({ background: true })

/** A window at the authorization server, whose pages have severed it from the tab that opened it. */
async function openSevered(): Promise<{ tab: Tab; opened: Tab }> {
  e2e.servers.severOpeners(true)
  e2e.pages.setMode('popup')
  const tab = await (await e2e.newProfile()).newTab(e2e.pages.appUrl)
  await untilStatus(tab, 'signed-out')
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
  await until('the window counts as closed', () =>
    tab.run(() => (window as unknown as { opened: Window }).opened.closed),
  )
  expect(await opened.run(() => window.opener)).toBeNull()
  return { tab, opened }
}

const outcome = (tab: Tab) => tab.run(() => window.app.signedIn)

test('a window that is severed from its opener still brings the answer, and closes [RS20]', async () => {
  const { tab, opened } = await openSevered()
  console.log('FOCUS', await tab.run(() => document.hasFocus()), await opened.run(() => document.hasFocus()))
  await fillForms(opened)
  await until('signIn() has come to its end', async () => (await outcome(tab)) !== undefined)
  expect(await outcome(tab)).toBe('signed-in')
  await until('the window is closed', () => opened.isClosed())
  expect(await tab.run(() => window.app.call())).toBe(200)
  expect(e2e.servers.tokenRequests).toMatchObject([{ status: 200 }])
})

test('a severed window that the user closes ends the sign-in in a few seconds after they are back [RS20]', async () => {
  const { tab, opened } = await openSevered()
  expect(await outcome(tab)).toBeUndefined()
  await opened.close()
  console.log('FOCUS after', await tab.run(() => document.hasFocus()))
  await until('signIn() has come to its end', async () => (await outcome(tab)) !== undefined)
  expect(await outcome(tab)).toMatchObject({ code: 'ERR_CALLBACK', reason: 'cancelled' })
})
