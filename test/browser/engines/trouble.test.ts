import { expect, test } from 'vitest'
import { signedInTab, statusOf, until, untilExpired, untilStatus } from '../../support/e2e.ts'
import { signedInTabs } from '../../support/e2e-storms.ts'
import type { EngineTab } from '../../support/engines/engine.ts'
import { inEveryEngine } from '../../support/engines/every-engine.ts'
import type { TokenFault } from '../../support/server.ts'

inEveryEngine(e2e => {
  const faults: [what: string, fault: TokenFault][] = [
    ['responds with 503', 'unavailable'],
    ['breaks the connection', 'reset'],
  ]

  test.each(faults)(
    'a token endpoint that %s during an expiry fails calls but keeps the session',
    async (_what, fault) => {
      const tab = await signedInTab(e2e, await e2e.newProfile(), 1)
      await untilExpired(tab)
      e2e.servers.issueFor(3600)
      e2e.servers.fault(fault)
      expect(await tab.run(() => window.app.call())).toBe('ERR_NETWORK')
      expect(await statusOf(tab)).toBe('signed-in')
      expect(e2e.servers.refreshes().length).toBeGreaterThan(0)

      await tab.reload()
      await untilStatus(tab, 'signed-in')
      e2e.servers.fault(undefined)
      await until('a call works again', async () => (await tab.run(() => window.app.call())) === 200)
      const events = await tab.run(() => window.app.events.map(({ type }) => type))
      expect(events).not.toContain('session-ended')
      expect(e2e.servers.refreshes().filter(({ status }) => status === 200)).toHaveLength(1)
    },
  )

  test('a tab that is closed during a refresh leaves a session that the next tab continues', async () => {
    const profile = await e2e.newProfile()
    await profile.newTab() // WebKit's MiniBrowser quits with its last window
    const dying = await signedInTab(e2e, profile, 1)
    await untilExpired(dying)
    e2e.servers.issueFor(3600)
    e2e.servers.fault('hang')
    await dying.run(() => void window.app.call())
    await until('the token request has arrived', () => e2e.servers.refreshes().length === 1)
    await dying.close()
    await until('the server has noticed', () => e2e.servers.refreshes()[0]?.status === 0)
    e2e.servers.fault(undefined)

    const next = await profile.newTab(e2e.pages.appUrl)
    expect(await next.run(() => window.app.call())).toBe(200)
    expect(await statusOf(next)).toBe('signed-in')
    expect(e2e.servers.refreshes()).toMatchObject([{ faulty: true }, { status: 200 }])
  })

  test("a tab that waits for another tab's refresh takes over when that tab dies", async () => {
    const profile = await e2e.newProfile()
    const [dying, waiting] = (await signedInTabs(e2e, profile, 2, 1)) as [EngineTab, EngineTab]
    await untilExpired(dying)
    e2e.servers.issueFor(3600)
    e2e.servers.fault('hang')
    await dying.run(() => void window.app.call())
    await until('the token request has arrived', () => e2e.servers.refreshes().length === 1)
    await waiting.run(() => {
      Object.assign(window, { outcome: window.app.calls(5) })
    })
    await dying.close()
    await until('the second token request has arrived', () => e2e.servers.refreshes().length === 2)
    e2e.servers.fault(undefined)
    const outcome = await waiting.run(() => (window as unknown as { outcome: Promise<object> }).outcome)
    expect(outcome).toEqual({ 200: 5 })
    expect(await statusOf(waiting)).toBe('signed-in')
    expect(e2e.servers.replays()).toEqual([])
  })

  test('a sign-out by another tab during a refresh takes precedence', async () => {
    const profile = await e2e.newProfile()
    const [tab, other] = (await signedInTabs(e2e, profile, 2, 1)) as [EngineTab, EngineTab]
    await untilExpired(tab)
    e2e.servers.issueFor(3600)
    e2e.servers.fault('hang')
    await tab.run(() => {
      Object.assign(window, { outcome: window.app.calls(3) })
    })
    await until('the token request has arrived', () => e2e.servers.refreshes().length === 1)
    await other.run(() => window.app.client.signOut({ endProviderSession: false }))
    await untilStatus(tab, 'signed-out')
    e2e.servers.fault(undefined)
    const outcome = await tab.run(() => (window as unknown as { outcome: Promise<object> }).outcome)
    expect(outcome).toEqual({ ERR_AUTHORIZATION_REQUIRED: 3 })
    await tab.reload()
    await untilStatus(tab, 'signed-out')
    expect(e2e.servers.apiCalls).toEqual([])
  })

  test('a refresh token that the server no longer knows ends the session in every tab', async () => {
    const profile = await e2e.newProfile()
    const [tab, other] = (await signedInTabs(e2e, profile, 2, 1)) as [EngineTab, EngineTab]
    await e2e.servers.revokeRefreshTokens()
    await untilExpired(tab)
    expect(await tab.run(() => window.app.call())).toBe('ERR_AUTHORIZATION_REQUIRED')
    await untilStatus(tab, 'signed-out')
    await untilStatus(other, 'signed-out')
    expect(await other.run(() => window.app.client.session)).toMatchObject({ reason: 'expired' })
    expect(e2e.servers.refreshes()).toMatchObject([{ status: 400 }])
  })

  test('a reload during a refresh sends the refresh token once more, not twice', async () => {
    const tab = await signedInTab(e2e, await e2e.newProfile(), 1)
    await untilExpired(tab)
    e2e.servers.issueFor(3600)
    e2e.servers.fault('hang')
    await tab.run(() => void window.app.call())
    await until('the token request has arrived', () => e2e.servers.refreshes().length === 1)
    await tab.reload()
    await until('the server has noticed', () => e2e.servers.refreshes()[0]?.status === 0)
    await tab.run(() => void window.app.call())
    await until('the token request of the new page has arrived', () => e2e.servers.refreshes().length === 2)
    e2e.servers.fault(undefined)
    expect(await tab.run(() => window.app.call())).toBe(200)
    expect(await statusOf(tab)).toBe('signed-in')
    expect(e2e.servers.refreshes()).toMatchObject([{ faulty: true }, { status: 200 }])
  })
})
