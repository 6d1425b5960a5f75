import { expect, test } from 'vitest'
import { signedInTab, statusOf, untilStatus } from '../../support/e2e.ts'
import { inEveryEngine } from '../../support/engines/every-engine.ts'

inEveryEngine(e2e => {
  test('with sessionStorage a reload stays signed in, and a duplicated tab starts signed out without affecting the first', async () => {
    e2e.pages.setMode('session-storage')
    const profile = await e2e.newProfile()
    const tab = await signedInTab(e2e, profile)
    await tab.reload()
    await untilStatus(tab, 'signed-in')
    await tab.reload()
    await untilStatus(tab, 'signed-in')

    // a window that a page opens gets a copy of its sessionStorage, like a duplicated tab
    const copy = await tab.opening(() => tab.click('#open-copy'))
    await untilStatus(copy, 'signed-out')
    expect(await copy.run(() => Object.values(sessionStorage).join().includes('refreshToken'))).toBe(false)
    expect(await copy.run(() => window.app.call())).toBe('ERR_AUTHORIZATION_REQUIRED')

    await e2e.servers.revokeAccessTokensOf('alice')
    expect(await tab.run(() => window.app.calls(5))).toEqual({ 200: 5 })
    await tab.reload()
    await untilStatus(tab, 'signed-in')
    expect(await statusOf(copy)).toBe('signed-out')
    expect(e2e.servers.replays()).toEqual([])
  })
})
