import { expect, test } from 'vitest'
import { endToEnd, fillForms, textOf, until, untilShown } from '../../support/e2e.ts'
import type { Profile, Tab } from '../../support/e2e-browser.ts'

const e2e = endToEnd()

/** The part of the Navigation API that TypeScript does not know yet: this origin's entries around the current one. */
interface Navigation {
  readonly navigation: { entries(): { readonly url: string }[] }
}

const show = (tab: Tab, id: string) => textOf(tab, `[data-testid="${id}"]`)
/** The marks that the inspector has drawn. */
const drawn = (tab: Tab) =>
  tab.run(
    () =>
      document.querySelector('latchkey-inspector')?.shadowRoot?.querySelector('[data-testid="diagram"]')
        ?.textContent ?? '',
  )
const press = (tab: Tab, id: string) => tab.click(`[data-testid="${id}"]`)
const untilStatus = (tab: Tab, status: string) =>
  until(`the demo page says "${status}"`, async () => (await show(tab, 'status')) === status)

/** After a sign-out: the provider has received it, and the tab has returned. */
async function untilSignedOut(tab: Tab, profile: Profile) {
  const confirmed = `${e2e.servers.issuer}/session/end/confirm`
  await until('the provider ends its session', () => profile.requests.some(({ url }) => url === confirmed))
  await until('the tab is back', () => tab.url() === e2e.pages.demoUrl)
  await untilStatus(tab, 'signed out')
}

async function openSignedIn(profile: Profile, userName = 'alice'): Promise<Tab> {
  const tab = await profile.newTab(e2e.pages.demoUrl)
  await untilStatus(tab, 'signed out')
  await press(tab, 'sign-in')
  await fillForms(tab, userName)
  await untilStatus(tab, 'signed in')
  return tab
}

test('a sign-in with the form shows the user and leaves no trace of the callback', async () => {
  const tab = await openSignedIn(await e2e.newProfile(), 'Åsa <b>')
  expect(await show(tab, 'user')).toBe('Åsa <b>')
  expect(tab.url()).toBe(e2e.pages.demoUrl)
  expect(e2e.servers.tokenRequests).toMatchObject([{ grantType: 'authorization_code', status: 200 }])

  await press(tab, 'list-notes')
  await until('the call is answered', async () => (await show(tab, 'calls-ok')) === '1')
  expect(await show(tab, 'calls-failed')).toBe('0')
})

test('Back after a sign-in returns to the page where it started, signed in, and never to a callback address', async () => {
  const profile = await e2e.newProfile()
  const tab = await openSignedIn(profile)
  const own = () =>
    tab.run(() => (window as unknown as Navigation).navigation.entries().map(({ url }) => url))
  expect(await own()).toEqual([e2e.pages.demoUrl])
  const forms = (await tab.run(() => history.length)) - 2
  expect(forms).toBeGreaterThan(0)
  await tab.run(() => document.body.setAttribute('data-left', ''))
  await tab.back(forms)
  await until('the page before the forms is shown', () =>
    tab.run(() => !document.body.hasAttribute('data-left')),
  )
  await untilStatus(tab, 'signed in')
  expect(tab.url()).toBe(e2e.pages.demoUrl)
  expect(await own()).toEqual([e2e.pages.demoUrl])
  expect(e2e.servers.tokenRequests).toHaveLength(1)
})

test('a reload stays signed in without a token request and without leaving the page', async () => {
  const profile = await e2e.newProfile()
  const tab = await openSignedIn(profile)
  const before = profile.requests.length
  await tab.reload()
  await untilStatus(tab, 'signed in')
  expect(await show(tab, 'user')).toBe('alice')
  expect(e2e.servers.tokenRequests).toHaveLength(1)
  const since = profile.requests.slice(before).map(({ url }) => new URL(url).origin)
  expect(new Set(since)).toEqual(new Set([new URL(e2e.pages.demoUrl).origin]))
})

test("a second tab shares the session, and a sign-out in one signs out both and ends the provider's session", async () => {
  const profile = await e2e.newProfile()
  const first = await openSignedIn(profile)
  const second = await profile.newTab(e2e.pages.demoUrl)
  await untilStatus(second, 'signed in')
  expect(await show(second, 'user')).toBe('alice')
  await press(second, 'list-notes')
  await until('the second tab can call', async () => (await show(second, 'calls-ok')) === '1')
  expect(e2e.servers.tokenRequests).toHaveLength(1)

  await press(first, 'sign-out')
  await untilStatus(second, 'signed out')
  await untilSignedOut(first, profile)
  // shown as a message, not discovered by a failed call
  expect(await second.run(() => sessionStorage.getItem('latchkey inspector'))).toContain('"session-ended"')

  await press(second, 'sign-in')
  await untilShown(second, 'Sign in')
})

test('the switch for repeated calls continues through an expiry without a failed call', async () => {
  e2e.servers.issueFor(1)
  const tab = await openSignedIn(await e2e.newProfile())
  await press(tab, 'poll')
  await until('two calls are answered', async () => Number(await show(tab, 'calls-ok')) >= 2)
  expect(await show(tab, 'calls-failed')).toBe('0')
  expect(e2e.servers.refreshes().length).toBeGreaterThanOrEqual(1)
  expect(e2e.servers.replays()).toEqual([])
})

test('the button that revokes the access token causes one refresh at the next call', async () => {
  const tab = await openSignedIn(await e2e.newProfile())
  await press(tab, 'revoke')
  await until('the server has revoked it', async () =>
    (await show(tab, 'last-result')).includes('has revoked'),
  )
  await press(tab, 'list-notes')
  await until('the call is answered', async () => (await show(tab, 'calls-ok')) === '1')
  expect(e2e.servers.apiCalls.map(({ status }) => status)).toEqual([401, 200])
  expect(e2e.servers.refreshes()).toHaveLength(1)
})

test('the page has no console errors and fits a phone of 375 px, signed out and signed in', async () => {
  const profile = await e2e.newProfile()
  const tab = await profile.newTab()
  await tab.resize(375, 700)
  const overflow = () =>
    tab.run(() => document.documentElement.scrollWidth - document.documentElement.clientWidth)
  await tab.goto(e2e.pages.demoUrl)
  await untilStatus(tab, 'signed out')
  expect(await overflow()).toBe(0)
  await press(tab, 'sign-in')
  await fillForms(tab, 'somebody with quite a long name that has to go somewhere')
  await untilStatus(tab, 'signed in')
  await press(tab, 'list-notes')
  await until('the diagram shows the call', async () => (await drawn(tab)).includes('/notes'))
  expect(await overflow()).toBe(0)
  await press(tab, 'sign-out')
  await untilSignedOut(tab, profile)
  expect(await overflow()).toBe(0)
  expect(profile.console).toEqual([])
})
