import { beforeEach, describe, expect, test } from 'vitest'
import { addressOf, fillForms, signedInTab, until, untilStatus } from '../../support/e2e.ts'
import { signedInTabs, storm } from '../../support/e2e-storms.ts'
import { inEveryEngine } from '../../support/engines/every-engine.ts'

inEveryEngine((e2e, name) => {
  beforeEach(() => e2e.pages.setLazy(true))

  test('over latchkey/lazy a sign-in by redirect returns signed in, calls the API and survives a reload', async () => {
    const tab = await signedInTab(e2e, await e2e.newProfile())
    expect(await addressOf(tab)).not.toMatch(/[?&](code|state|iss)=/)
    expect(await tab.run(() => window.app.call())).toBe(200)
    await tab.reload()
    await untilStatus(tab, 'signed-in')
    expect(await tab.run(() => window.app.call())).toBe(200)
    expect(e2e.servers.tokenRequests).toHaveLength(1)
  })

  test('over latchkey/lazy a storm of 20 calls in each of three tabs makes one token request', {
    timeout: 120_000,
  }, async () => {
    const tabs = await signedInTabs(e2e, await e2e.newProfile(), 3, 1)
    expect(await storm(e2e, tabs, 'expired', 20)).toEqual(tabs.map(() => ({ 200: 20 })))
    expect(e2e.servers.refreshes()).toHaveLength(1)
  })

  describe('a second half that cannot be loaded', () => {
    test('keeps a session usable, and is loaded after a reload at the latest', async () => {
      const tab = await signedInTab(e2e, await e2e.newProfile())
      e2e.pages.failSecondHalf(true)
      await tab.reload()
      await untilStatus(tab, 'signed-in')
      expect(await tab.run(() => window.app.call())).toBe(200)
      e2e.servers.revokeAccessTokensOf('alice')
      // the call needs a refresh, which needs the second half: the caller gets the server's own response
      expect(await tab.run(() => window.app.call())).toBe(401)
      expect(await tab.run(() => window.app.client.session.status)).toBe('signed-in')
      expect(e2e.servers.refreshes()).toEqual([])

      e2e.pages.failSecondHalf(false)
      // Firefox remembers an import() that failed; Chromium and WebKit try again
      if (name === 'Firefox') await tab.reload()
      await untilStatus(tab, 'signed-in')
      expect(await tab.run(() => window.app.call())).toBe(200)
      expect(e2e.servers.refreshes()).toHaveLength(1)
    })

    test('keeps the callback in the address, and the error says to reload', async () => {
      const profile = await e2e.newProfile()
      const tab = await profile.newTab(e2e.pages.appUrl)
      await untilStatus(tab, 'signed-out')
      await tab.click('#sign-in')
      await until('the server shows its form', () => tab.run(() => document.querySelector('#user') !== null))
      e2e.pages.failSecondHalf(true)
      await fillForms(tab)
      await until('the page is the callback', async () => /[?&]code=/.test(await addressOf(tab)))
      await until('the app runs', () => tab.run(() => 'app' in window))
      const failure = await tab.run(() =>
        window.app.client.start().then(
          () => undefined,
          (error: Error & { code: string; retryable: boolean }) => {
            const { code, retryable, message } = error
            return { code, retryable, message }
          },
        ),
      )
      expect(failure).toMatchObject({ code: 'ERR_NETWORK', retryable: true })
      expect(failure?.message).toMatch(/Reload/)
      expect(await addressOf(tab)).toMatch(/[?&]code=/)

      e2e.pages.failSecondHalf(false)
      await tab.reload()
      await untilStatus(tab, 'signed-in')
      expect(await addressOf(tab)).not.toMatch(/[?&]code=/)
    })
  })
})
