import { expect, test } from 'vitest'
import { endToEnd, fillForms, untilShown, untilStatus } from '../../support/e2e.ts'

// Chromium only, because Playwright can turn its back/forward cache off. engines/back.test.ts tests pages in that cache.
const e2e = endToEnd()

test("Back from the authorization server's page reloads the app with a working sign-in button", async () => {
  const tab = await (await e2e.newProfile()).newTab(e2e.pages.appUrl)
  await untilStatus(tab, 'signed-out')
  await tab.run(() => void Object.assign(window, { left: true }))
  await tab.click('#sign-in')
  await untilShown(tab, 'Sign in')
  await tab.back()
  await untilStatus(tab, 'signed-out')
  expect(await tab.run(() => 'left' in window)).toBe(false)
  await tab.click('#sign-in')
  await fillForms(tab)
  await untilStatus(tab, 'signed-in')
  expect(e2e.servers.tokenRequests).toMatchObject([{ status: 200 }])
})
