import { expect, test } from 'vitest'
import { fillForms, until, untilShown, untilStatus } from '../../support/e2e.ts'
import { type WholeTab, wholeEndToEnd } from '../../support/whole-chromium.ts'

const e2e = wholeEndToEnd()

const starts = (tab: WholeTab) => tab.run(() => window.app.starts)
const untilStarted = (tab: WholeTab, count = 1) =>
  until(`start() has come to its end (${count})`, async () => (await starts(tab)).length === count)
const address = (path: string) => new URL(path, e2e.pages.appUrl).href
const exchanges = () => e2e.servers.tokenRequests.map(({ grantType, status }) => ({ grantType, status }))
const oneExchange = { grantType: 'authorization_code', status: 200 }

test('a callback that is prerendered, handled twice, reloaded, revisited with Back and opened in a second tab makes one code exchange and no error [RS03]', {
  timeout: 180_000,
}, async () => {
  const profile = await e2e.newProfile()
  const first = await profile.newTab(e2e.pages.appUrl)
  const second = await profile.newTab(e2e.pages.appUrl)
  for (const tab of [first, second]) await untilStatus(tab, 'signed-out')

  // both start; the first gets as far as its callback
  await second.click('#sign-in')
  await untilShown(second, 'Sign in')
  e2e.pages.setMode('wait')
  await first.click('#sign-in')
  await fillForms(first)
  await until('the callback page is there', () =>
    first.run(() => location.pathname === '/callback' && !!window.app),
  )
  const callback = await first.url()

  // prerendered, shown, and handled twice in one tick
  e2e.pages.setMode('start-twice')
  const beats = () => e2e.servers.apiCalls.length
  await first.prerender(callback)
  await until('the prerendered page is alive', () => beats() >= 10)
  expect(e2e.servers.tokenRequests).toEqual([])
  await first.activate()
  await untilStarted(first, 2)
  expect(await starts(first)).toEqual(['signed-in', 'signed-in'])
  expect(await first.url()).toBe(e2e.pages.appUrl)
  e2e.pages.setMode('start')

  // reloaded, Back and Forward, and the same address in a second and a third tab
  await first.reload()
  await untilStarted(first)
  expect(await starts(first)).toEqual(['signed-in'])
  await first.goto(callback)
  await untilStarted(first)
  await first.back()
  await until('the page before is there', () => first.run(() => location.pathname === '/' && !!window.app))
  await untilStatus(first, 'signed-in')
  await first.forward()
  await untilStatus(first, 'signed-in')
  const third = await profile.newTab(callback)
  await untilStarted(third)
  expect(await starts(third)).toEqual(['signed-in'])
  expect(exchanges()).toEqual([oneExchange])

  // the second tab then completes its own sign-in: the only other exchange
  await fillForms(second, 'alice', false)
  await until('it is back in the app', async () => (await second.url()) === e2e.pages.appUrl)
  await untilStarted(second)
  expect(await starts(second)).toEqual(['signed-in'])
  await second.goto(callback)
  await untilStarted(second)
  expect(await starts(second)).toEqual(['signed-in'])
  expect(exchanges()).toEqual([oneExchange, oneExchange])
  for (const tab of [first, second, third]) expect(await tab.run(() => window.app.call())).toBe(200)

  // a response for another client is left alone
  const foreign = address('/integrations?code=1&state=2&x=%7e+a#y=%20')
  await second.goto(foreign)
  await untilStarted(second)
  expect(await second.url()).toBe(foreign)
  expect(exchanges()).toEqual([oneExchange, oneExchange])

  // "Sign in", Back out of the back/forward cache, and "Sign in" again
  await first.run(() => window.app.client.signOut({ endProviderSession: false }))
  await first.run(() => {
    addEventListener('pageshow', ({ persisted }) => Object.assign(window, { persisted }))
    window.app.signIn({ authorizationParameters: { prompt: 'login' } })
  })
  await untilShown(first, 'Sign in')
  await first.back()
  await until('the page is there again', () => first.run(() => 'persisted' in window))
  expect(await first.run(() => (window as unknown as { persisted: boolean }).persisted)).toBe(true)

  // thirty simultaneous calls leave the page once
  await first.run(() => {
    for (let times = 0; times < 30; times++)
      window.app.signIn({ authorizationParameters: { prompt: 'login' } })
  })
  await untilShown(first, 'Sign in')

  // three fruitless round trips, and no fourth
  for (let times = 0; times < 3; times++) {
    await first.click('button[value=deny]')
    await untilStarted(first)
    expect(await starts(first)).toMatchObject([{ code: 'ERR_CALLBACK', error: 'access_denied' }])
    await first.run(() => window.app.signIn({ authorizationParameters: { prompt: 'login' } }))
    if (times < 2) await untilShown(first, 'Sign in')
  }
  await until('signIn() has come to its end', () => first.run(() => window.app.signedIn !== undefined))
  expect(await first.run(() => window.app.signedIn)).toMatchObject({ reason: 'redirect_loop' })
  expect(exchanges()).toEqual([oneExchange, oneExchange])
})
