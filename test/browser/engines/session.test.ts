import { expect, test } from 'vitest'
import { shorten, signedInTab, until, untilExpired, untilStatus } from '../../support/e2e.ts'
import type { EngineTab } from '../../support/engines/engine.ts'
import { inEveryEngine } from '../../support/engines/every-engine.ts'

inEveryEngine(e2e => {
  test('calls every 200 ms continue over two token lifetimes without a failure, with one refresh for each', async () => {
    const LIFETIME_SECONDS = 3
    const tab = await signedInTab(e2e, await e2e.newProfile(), LIFETIME_SECONDS)
    await tab.run(() => {
      const outcomes: (string | number)[] = []
      Object.assign(window, { outcomes })
      setInterval(() => window.app.call().then(outcome => outcomes.push(outcome)), 200)
    })
    const issuedAt = performance.now()
    await until('the second refresh is answered', () => e2e.servers.refreshes()[1]?.status === 200)
    const tookSeconds = (performance.now() - issuedAt) / 1000

    const outcomes = await tab.run(() => (window as unknown as { outcomes: (string | number)[] }).outcomes)
    expect(outcomes.length).toBeGreaterThan(10)
    expect(new Set(outcomes)).toEqual(new Set([200]))
    expect(e2e.servers.replays()).toEqual([])
    // oidc-provider counts in whole seconds, so a lifetime of 3 s may last 2 s: more refreshes than lifetimes would mean
    // that some came too early
    expect(tookSeconds).toBeGreaterThan(2 * (LIFETIME_SECONDS - 1) - 1)
  })

  test('50 calls at once right after expiry make one token request, and every call succeeds', async () => {
    const tab = await signedInTab(e2e, await e2e.newProfile(), 1)
    await untilExpired(tab)
    e2e.servers.issueFor(3600)
    expect(await tab.run(() => window.app.calls(50))).toEqual({ 200: 50 })
    expect(e2e.servers.refreshes()).toMatchObject([{ status: 200 }])
  })

  test('20 calls with a revoked access token get a 401, cause one refresh and return a 200', async () => {
    const tab = await signedInTab(e2e, await e2e.newProfile())
    expect(await e2e.servers.revokeAccessTokensOf('alice')).toBeGreaterThan(0)
    expect(await tab.run(() => window.app.calls(20))).toEqual({ 200: 20 })
    expect(e2e.servers.refreshes()).toMatchObject([{ status: 200 }])
    const statuses = e2e.servers.apiCalls.map(({ status }) => status)
    expect(statuses.filter(status => status === 200)).toHaveLength(20)
    expect(statuses).toContain(401)
  })

  test("a call without the required scope gets the API's 403 without a refresh", async () => {
    const tab = await signedInTab(e2e, await e2e.newProfile())
    expect(await tab.run(() => window.app.call('POST'))).toBe(403)
    expect(e2e.servers.apiCalls).toMatchObject([{ method: 'POST', status: 403 }])
    expect(e2e.servers.refreshes()).toEqual([])
  })

  test('a sign-out reaches two other tabs, and a call in any of them is rejected before it is sent', async () => {
    const profile = await e2e.newProfile()
    const first = await signedInTab(e2e, profile)
    const others = await Promise.all(Array.from({ length: 2 }, () => profile.newTab(e2e.pages.appUrl)))
    await Promise.all(others.map(tab => untilStatus(tab, 'signed-in')))
    e2e.servers.forget()
    await first.run(() => window.app.client.signOut({ endProviderSession: false }))
    await Promise.all(others.map(tab => untilStatus(tab, 'signed-out')))
    for (const tab of others) {
      expect(await tab.run(() => window.app.call())).toBe('ERR_AUTHORIZATION_REQUIRED')
      const events = await tab.run(() => window.app.events)
      expect(events.filter(({ type }) => type === 'session-ended')).toMatchObject([{ reason: 'signed_out' }])
    }
    expect(e2e.servers.apiCalls).toEqual([])
    expect(e2e.servers.tokenRequests).toEqual([])
    await others[0]?.reload()
    await untilStatus(others[0] as EngineTab, 'signed-out')
  })

  test('a worker calls the API over the same store, and one refresh serves it and its page', async () => {
    const tab = await signedInTab(e2e, await e2e.newProfile())
    await tab.run(() => window.app.startWorker())
    expect(await tab.run(() => window.app.askWorker(1))).toEqual({ 200: 1 })
    expect(e2e.servers.tokenRequests).toHaveLength(1)
    await shorten(e2e.servers, tab, 1)
    await untilExpired(tab)
    e2e.servers.issueFor(3600)
    const tallies = await tab.run(() => Promise.all([window.app.calls(10), window.app.askWorker(10)]))
    expect(tallies).toEqual([{ 200: 10 }, { 200: 10 }])
    expect(e2e.servers.refreshes()).toMatchObject([{ status: 200 }])
  })
})
