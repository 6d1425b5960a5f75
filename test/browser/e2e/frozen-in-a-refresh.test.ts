import { expect, test } from 'vitest'
import { endToEnd, until, untilExpired, untilStatus } from '../../support/e2e.ts'
import type { Tab } from '../../support/e2e-browser.ts'
import { signedInTabs } from '../../support/e2e-storms.ts'

const e2e = endToEnd({ background: true })

test("a tab that freezes during a refresh does not block other tabs' calls, and adopts their tokens when it thaws", {
  timeout: 90_000,
}, async () => {
  const profile = await e2e.newProfile()
  const [frozen, caller] = (await signedInTabs(e2e, profile, 2, 1)) as [Tab, Tab]
  await untilExpired(frozen)
  e2e.servers.issueFor(3600)
  const before = e2e.servers.refreshes().length
  e2e.servers.fault('lost')
  await frozen.run(() => void window.app.call())
  await until('the token request has arrived', () => e2e.servers.refreshes().length > before)
  await frozen.freeze()
  e2e.servers.fault(undefined)

  // the other tab is still frozen, and a wait beyond the limit would be rejected
  expect(await caller.run(() => window.app.call())).toBe(200)
  const third = await profile.newTab(e2e.pages.appUrl)
  await untilStatus(third, 'signed-in')
  expect(await third.run(() => window.app.call())).toBe(200)
  await frozen.thaw()
  await until('the thawed tab can call', async () => (await frozen.run(() => window.app.call())) === 200)
  expect(e2e.servers.refreshes().length - before).toBe(2)
})
