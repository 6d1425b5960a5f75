import { expect, test } from 'vitest'
import { endToEnd, fillForms, signedInTab, until, untilShown, untilStatus } from '../../support/e2e.ts'

/** Pages are kept for Back where they can be; callback.test.ts has a browser that loads them anew. */
const kept = endToEnd({ bfcache: true })

test('Back from the page of the authorization server, out of the back/forward cache, leaves a button that signs in', async () => {
  const tab = await (await kept.newProfile()).newTab(kept.pages.appUrl)
  await untilStatus(tab, 'signed-out')
  await tab.run(() => {
    addEventListener('pageshow', ({ persisted }) => Object.assign(window, { persisted }))
  })
  await tab.click('#sign-in')
  await untilShown(tab, 'Sign in')
  await tab.back()
  await until('the page is there again', () => tab.run(() => !!window.app))
  expect(await tab.run(() => (window as unknown as { persisted: boolean }).persisted)).toBe(true)
  await untilStatus(tab, 'signed-out')
  await tab.click('#sign-in')
  await fillForms(tab)
  await untilStatus(tab, 'signed-in')
  expect(kept.servers.tokenRequests).toMatchObject([{ status: 200 }])
})

test('Back after a sign-in, forward again, and the session is there all the time', async () => {
  const profile = await kept.newProfile()
  const tab = await signedInTab(kept, profile)
  await tab.run(() => void history.pushState(null, '', '/deep'))
  await tab.back()
  await untilStatus(tab, 'signed-in')
  expect(tab.url()).toBe(kept.pages.appUrl)
  expect(await tab.run(() => window.app.call())).toBe(200)
  expect(kept.servers.tokenRequests).toHaveLength(1)
})

test('a page that Back brings again has noticed a sign-out by another tab', async () => {
  const profile = await kept.newProfile()
  const tab = await signedInTab(kept, profile)
  const other = await profile.newTab(kept.pages.appUrl)
  await untilStatus(other, 'signed-in')
  await tab.goto(new URL('/config.json', kept.pages.demoUrl).href)
  await other.run(() => window.app.client.signOut({ endProviderSession: false }))
  await tab.back()
  await untilStatus(tab, 'signed-out')
  kept.servers.forget()
  expect(await tab.run(() => window.app.call())).toBe('ERR_AUTHORIZATION_REQUIRED')
  expect(kept.servers.apiCalls).toEqual([])
})
