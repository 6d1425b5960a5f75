import { expect, test } from 'vitest'
import { fillForms, signedInTab, until, untilExpired, untilStatus } from '../../support/e2e.ts'
import { type WholeTab, wholeEndToEnd } from '../../support/whole-chromium.ts'

const e2e = wholeEndToEnd()

/** The prerendered page has sent ten requests, one each 100 ms, which leaves time for others. */
const untilAlive = () => {
  const from = e2e.servers.apiCalls.length
  return until('the prerendered page is alive', () => e2e.servers.apiCalls.length >= from + 10)
}
const starts = (tab: WholeTab) => tab.run(() => window.app.starts)

async function callbackIn(tab: WholeTab): Promise<string> {
  e2e.pages.setMode('wait')
  await tab.click('#sign-in')
  await fillForms(tab)
  await until('the callback page is there', () =>
    tab.run(() => location.pathname === '/callback' && !!window.app),
  )
  e2e.pages.setMode('start')
  return tab.url()
}

test('a callback that Chromium prerenders sends its code only after the user looks at it', async () => {
  const profile = await e2e.newProfile()
  const tab = await profile.newTab(e2e.pages.appUrl)
  await untilStatus(tab, 'signed-out')
  const callback = await callbackIn(tab)

  await tab.prerender(callback)
  await untilAlive()
  expect(e2e.servers.tokenRequests).toEqual([])

  await tab.activate()
  await untilStatus(tab, 'signed-in')
  expect(await starts(tab)).toEqual(['signed-in'])
  expect(await tab.url()).toBe(e2e.pages.appUrl)
  expect(await tab.run(() => window.app.call())).toBe(200)
  expect(e2e.servers.tokenRequests).toMatchObject([{ grantType: 'authorization_code', status: 200 }])
})

test.each([
  ['with Web Locks', 'start-and-call'],
  ['without Web Locks, which Chromium does not provide yet', 'no-locks'],
] as const)(
  'a page that Chromium prerenders with an expiring session sends no refresh before the user looks at it, %s',
  async (_how, mode) => {
    const profile = await e2e.newProfile()
    const tab = await signedInTab(e2e, profile, 1)
    await untilExpired(tab)
    e2e.servers.forget()

    e2e.pages.setMode(mode)
    await tab.prerender(e2e.pages.appUrl)
    await untilAlive()
    expect(e2e.servers.tokenRequests).toEqual([])
    expect(e2e.servers.apiCalls.map(({ status }) => status)).not.toContain(200)

    await tab.activate()
    await until('the call has come to its end', () => tab.run(() => window.app.calledEarly !== undefined))
    expect(await tab.run(() => window.app.calledEarly)).toBe(200)
    expect(e2e.servers.refreshes()).toMatchObject([{ status: 200 }])
  },
)
