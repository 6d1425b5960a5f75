import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { fillForms, signedInTab, until, untilExpired, untilStatus } from '../../support/e2e.ts'
import { type E2ePages, startE2ePages } from '../../support/e2e-pages.ts'
import { launchWholeChromium, type WholeProfile, type WholeTab } from '../../support/whole-chromium.ts'

let pages: E2ePages
let browser: Awaited<ReturnType<typeof launchWholeChromium>>
let profile: WholeProfile

beforeAll(async () => {
  pages = await startE2ePages()
  browser = await launchWholeChromium()
})
afterEach(async () => {
  await profile?.close()
  pages.servers.forget()
  pages.setMode('start')
})
afterAll(async () => {
  await browser?.close()
  await pages?.close()
})

/** The page that is prerendered has sent ten requests, one each 100 ms: time enough for others. */
const untilAlive = () => {
  const from = pages.servers.apiCalls.length
  return until('the prerendered page is alive', () => pages.servers.apiCalls.length >= from + 10)
}
const starts = (tab: WholeTab) => tab.run(() => window.app.starts)

async function callbackIn(tab: WholeTab): Promise<string> {
  pages.setMode('wait')
  await tab.click('#sign-in')
  await fillForms(tab)
  await until('the callback page is there', () =>
    tab.run(() => location.pathname === '/callback' && !!window.app),
  )
  pages.setMode('start')
  return tab.url()
}

test('a callback that Chromium prerenders spends its code when the user looks at it, and not before', async () => {
  profile = await browser.newProfile()
  const tab = await profile.newTab(pages.appUrl)
  await untilStatus(tab, 'signed-out')
  const callback = await callbackIn(tab)

  await tab.prerender(callback)
  await untilAlive()
  expect(pages.servers.tokenRequests).toEqual([])

  await tab.activate()
  await untilStatus(tab, 'signed-in')
  expect(await starts(tab)).toEqual(['signed-in'])
  expect(await tab.url()).toBe(pages.appUrl)
  expect(await tab.run(() => window.app.call())).toBe(200)
  expect(pages.servers.tokenRequests).toMatchObject([{ grantType: 'authorization_code', status: 200 }])
})

test('a page that Chromium prerenders with a session that needs a refresh sends none before the user looks at it', async () => {
  profile = await browser.newProfile()
  const tab = await signedInTab({ pages, servers: pages.servers }, profile, 1)
  await untilExpired(tab)
  pages.servers.forget()

  pages.setMode('start-and-call')
  await tab.prerender(pages.appUrl)
  await untilAlive()
  expect(pages.servers.tokenRequests).toEqual([])
  expect(pages.servers.apiCalls.map(({ status }) => status)).not.toContain(200)

  await tab.activate()
  await until('the call has come to its end', () => tab.run(() => window.app.calledEarly !== undefined))
  expect(await tab.run(() => window.app.calledEarly)).toBe(200)
  expect(pages.servers.refreshes()).toMatchObject([{ status: 200 }])
})
