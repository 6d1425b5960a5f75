import { expect, test } from 'vitest'
import { addressOf, fillForms, until, untilShown, untilStatus } from '../../support/e2e.ts'
import type { AppMode } from '../../support/e2e-pages.ts'
import type { EngineTab } from '../../support/engines/engine.ts'
import { inEveryEngine } from '../../support/engines/every-engine.ts'

inEveryEngine(e2e => {
  async function openApp(mode: AppMode): Promise<EngineTab> {
    e2e.pages.setMode(mode)
    const tab = await (await e2e.newProfile()).newTab(e2e.pages.appUrl)
    await untilStatus(tab, 'signed-out')
    return tab
  }

  const popUp = (tab: EngineTab, button = '#sign-in') => tab.opening(() => tab.click(button))
  const untilEnded = (tab: EngineTab) =>
    until('signIn() has come to its end', () => tab.run(() => window.app.signedIn !== undefined))

  test.each([
    ['in IndexedDB', 'popup', '#sign-in'],
    ['in memory', 'popup-and-memory', '#sign-in'],
    ['in IndexedDB and redirects by default', 'start', '#sign-in-popup'],
  ] as const)(
    'a sign-in in a window signs in its opener, which keeps its tokens %s; the window cannot reach it, and closes [F6.5, RS19]',
    async (_where, mode, button) => {
      const tab = await openApp(mode)
      const before = await tab.run(() => history.length)
      const opened = await popUp(tab, button)
      await untilShown(opened, 'Sign in')
      expect(await opened.run(() => window.opener)).toBeNull()
      await fillForms(opened)
      await untilEnded(tab)
      expect(await tab.run(() => window.app.signedIn)).toBe('signed-in')
      await until('the window is closed', async () => opened.isClosed())
      expect(await addressOf(tab)).toBe(e2e.pages.appUrl)
      expect(await tab.run(() => history.length)).toBe(before)
      expect(await tab.run(() => window.app.call())).toBe(200)
      expect(e2e.servers.tokenRequests).toMatchObject([{ status: 200 }])
    },
  )

  test('a window that the browser blocks causes a typed error, and a click helps', async () => {
    const tab = await openApp('popup-at-once')
    await untilEnded(tab)
    expect(await tab.run(() => window.app.signedIn)).toMatchObject({
      code: 'ERR_CALLBACK',
      reason: 'popup_blocked',
    })
    const opened = await popUp(tab)
    await untilShown(opened, 'Sign in')
  })

  test('a window that the user closes ends the sign-in within a few seconds, and the next one works', async () => {
    const tab = await openApp('popup')
    const closed = await popUp(tab)
    await untilShown(closed, 'Sign in')
    await closed.close()
    await untilEnded(tab)
    expect(await tab.run(() => window.app.signedIn)).toMatchObject({
      code: 'ERR_CALLBACK',
      reason: 'cancelled',
    })
    const opened = await popUp(tab)
    await fillForms(opened)
    await untilStatus(tab, 'signed-in')
  })
})
