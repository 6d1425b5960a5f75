import { expect, test } from 'vitest'
import { endToEnd, until } from '../../support/e2e.ts'
import type { Tab } from '../../support/e2e-browser.ts'
import type { AppMode } from '../../support/e2e-pages.ts'
import { signedInTabs, traffic } from '../../support/e2e-storms.ts'

const e2e = endToEnd()

// Chromium only, because it takes time. engines/storms.test.ts has the storms of all three.
test.for<[string, AppMode]>([
  ['eight tabs', 'start'],
  ['eight tabs without Web Locks', 'no-locks'],
])('%s that call constantly and are reloaded survive many short token lifetimes', async ([, mode]) => {
  e2e.pages.setMode(mode)
  const tabs = await signedInTabs(e2e, await e2e.newProfile(), 8, 5)
  e2e.servers.delay(() => 50 + Math.random() * 1450)
  const report = await traffic(e2e, tabs, { forMs: 12_000, callEveryMs: 200, reloadEveryMs: 3000 })
  expect(Object.keys(report.outcomes)).toEqual(['200'])
  expect(report.ended).toEqual([])
  expect(report.reloads).toBeGreaterThan(1)
  expect(e2e.servers.replays()).toEqual([])
  const answered = e2e.servers.refreshes().filter(({ status }) => status) // one may be in progress
  expect(answered.filter(({ status }) => status !== 200)).toEqual([])
  expect(answered.length).toBeGreaterThan(1)
  expect(answered.length).toBeLessThanOrEqual(Math.ceil(report.tookMs / 4000) + 1)
  // the family is valid, once no refresh is in flight whose token would be revoked before it arrives
  e2e.servers.delay(() => 0)
  e2e.servers.issueFor(3600)
  const hasLasting = (tab: Tab) =>
    tab.run(async () => {
      await window.app.call()
      const { session } = window.app.client
      return session.status === 'signed-in' && (session.accessTokenExpiresAt ?? 0) > Date.now() + 600_000
    })
  await until('every tab has a token that lasts', async () =>
    (await Promise.all(tabs.map(hasLasting))).every(Boolean),
  )
  await e2e.servers.revokeAccessTokensOf('alice')
  expect(await tabs[0]?.run(() => window.app.call())).toBe(200)
})
