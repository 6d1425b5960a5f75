import { expect, test } from 'vitest'
import { fillForms, until, untilExpired, untilStatus } from '../../support/e2e.ts'
import { signedInTabs, storedSessions, storm } from '../../support/e2e-storms.ts'
import type { EngineTab } from '../../support/engines/engine.ts'
import { inEveryEngine } from '../../support/engines/every-engine.ts'

inEveryEngine((e2e, name) => {
  const TABS = 5
  const CALLS = 20
  /** Fewer in other engines, because they take time: the first after an expiry, the others after a revocation. */
  const STORMS = name === 'Chromium' ? 5 : 2

  test('each storm of 20 calls in each of five tabs makes one token request, and every call succeeds', {
    timeout: 180_000,
  }, async () => {
    const tabs = await signedInTabs(e2e, await e2e.newProfile(), TABS, 1)
    await Promise.all(tabs.map(untilExpired))
    const [before] = await storedSessions(tabs[0] as EngineTab)
    for (let round = 1; round <= STORMS; round++) {
      const tallies = await storm(e2e, tabs, round === 1 ? 'expired' : 'revoked', CALLS)
      expect(tallies).toEqual(tabs.map(() => ({ 200: CALLS })))
      expect(e2e.servers.refreshes()).toHaveLength(round)
    }
    expect(e2e.servers.refreshes().filter(({ status }) => status !== 200)).toEqual([])
    expect(e2e.servers.replays()).toEqual([])
    expect(await storedSessions(tabs[0] as EngineTab)).toMatchObject([
      { version: (before?.version ?? 0) + STORMS },
    ])
  })

  /** Five calls that wait for a refresh whose response is held back. */
  async function fiveWaitingCalls(tab: EngineTab) {
    await untilExpired(tab)
    e2e.servers.issueFor(3600)
    e2e.servers.fault('late')
    const known = new Set(e2e.servers.issued)
    await tab.run(url => {
      const reasonOf = (error: { reason?: string }) => error.reason ?? String(error)
      const call = () => window.app.client.fetch(url).then(({ status }) => status, reasonOf)
      Object.assign(window, { waiting: Promise.all(Array.from({ length: 5 }, call)) })
    }, e2e.servers.apiUrl)
    const issued = () => [...e2e.servers.issued].filter(token => !known.has(token))
    await until('the server has rotated', () => issued().length >= 2)
    const late = issued()
    return {
      outcomes: () => tab.run(() => (window as unknown as { waiting: Promise<(number | string)[]> }).waiting),
      /** How often a late token was revoked. */
      revocations: () =>
        e2e.servers.revocations.filter(({ hint, token }) => hint === 'refresh_token' && late.includes(token)),
    }
  }

  test('a sign-out in another tab rejects five calls that wait for a refresh, and the late tokens are revoked', async () => {
    const [tab, other] = (await signedInTabs(e2e, await e2e.newProfile(), 2, 1)) as [EngineTab, EngineTab]
    const waiting = await fiveWaitingCalls(tab)
    await other.run(() => void window.app.client.signOut({ endProviderSession: false }))
    expect(await waiting.outcomes()).toEqual(Array(5).fill('signed_out'))
    // the request is still in progress: they waited for neither the response nor the client's time limit, which aborts it
    expect(e2e.servers.refreshes()).toMatchObject([{ status: undefined }])
    await untilStatus(other, 'signed-out')
    expect(await storedSessions(other)).toEqual([])

    e2e.servers.fault(undefined)
    await until('the late refresh token is revoked', () => waiting.revocations().length > 0)
    for (const each of [tab, other]) {
      await each.reload()
      await untilStatus(each, 'signed-out')
      expect(await each.run(() => window.app.call())).toBe('ERR_AUTHORIZATION_REQUIRED')
    }
    expect(waiting.revocations()).toHaveLength(1)
    expect(await storedSessions(tab)).toEqual([])
    expect(e2e.servers.apiCalls).toEqual([])
  })

  test("a sign-in as another user during a refresh leaves only the new user's tokens", async () => {
    const [tab, other] = (await signedInTabs(e2e, await e2e.newProfile(), 2, 1)) as [EngineTab, EngineTab]
    const waiting = await fiveWaitingCalls(tab)
    await other.run(() => window.app.signIn({ returnTo: '/', authorizationParameters: { prompt: 'login' } }))
    await fillForms(other, 'bob')
    const isBob = () => {
      const { session } = window.app.client
      return session.status === 'signed-in' && session.claims?.sub === 'bob'
    }
    await until('bob is signed in', () => other.run(isBob))
    expect(await waiting.outcomes()).toEqual(Array(5).fill('replaced'))
    expect(e2e.servers.refreshes()).toMatchObject([{ status: undefined }])

    e2e.servers.fault(undefined)
    await until('the late refresh token is revoked', () => waiting.revocations().length > 0)
    expect(await storedSessions(tab)).toMatchObject([{ sub: 'bob' }])
    expect(e2e.servers.apiCalls).toEqual([])
    for (const each of [tab, other]) {
      expect(await each.run(isBob)).toBe(true)
      expect(await each.run(() => window.app.call())).toBe(200)
    }
    expect(waiting.revocations()).toHaveLength(1)
  })
})
