import { expect, test } from 'vitest'
import { addressOf, fillForms, signedInTab, until, untilShown, untilStatus } from '../../support/e2e.ts'
import type { EngineTab } from '../../support/engines/engine.ts'
import { inEveryEngine } from '../../support/engines/every-engine.ts'

/** Whether Back restored the page from the back/forward cache. */
const wasKept = (tab: EngineTab) => tab.run(() => 'left' in window)

inEveryEngine(e2e => {
  test("Back from the authorization server's page to the back/forward cache shows a working sign-in button", async () => {
    const tab = await (await e2e.newProfile()).newTab(e2e.pages.appUrl)
    await untilStatus(tab, 'signed-out')
    await tab.run(() => void Object.assign(window, { left: true }))
    await tab.click('#sign-in')
    await untilShown(tab, 'Sign in')
    await tab.back()
    await until('the page is there again', () => tab.run(() => !!window.app))
    expect(await wasKept(tab)).toBe(true)
    await untilStatus(tab, 'signed-out')
    await tab.click('#sign-in')
    await fillForms(tab)
    await untilStatus(tab, 'signed-in')
    expect(await tab.run(() => window.app.call())).toBe(200)
    expect(e2e.servers.tokenRequests).toMatchObject([{ status: 200 }])
  })

  test('Back and Forward after a sign-in find the session and make no token request [RS03]', async () => {
    const tab = await signedInTab(e2e, await e2e.newProfile())
    await tab.goto(new URL('/deep', e2e.pages.appUrl).href)
    await untilStatus(tab, 'signed-in')
    await tab.back()
    await until('Back is done', async () => (await addressOf(tab)) === e2e.pages.appUrl)
    await untilStatus(tab, 'signed-in')
    await tab.back(-1)
    await until('Forward is done', async () => (await addressOf(tab)).endsWith('/deep'))
    await untilStatus(tab, 'signed-in')
    expect(await tab.run(() => window.app.call())).toBe(200)
    expect(e2e.servers.tokenRequests).toHaveLength(1)
  })

  test("a page that Back restores has noticed another tab's sign-out", async () => {
    const profile = await e2e.newProfile()
    const tab = await signedInTab(e2e, profile)
    const other = await profile.newTab(e2e.pages.appUrl)
    await untilStatus(other, 'signed-in')
    await tab.goto(new URL('/config.json', e2e.pages.demoUrl).href)
    await other.run(() => window.app.client.signOut({ endProviderSession: false }))
    await tab.back()
    await untilStatus(tab, 'signed-out')
    e2e.servers.forget()
    expect(await tab.run(() => window.app.call())).toBe('ERR_AUTHORIZATION_REQUIRED')
    expect(e2e.servers.apiCalls).toEqual([])
  })
})
