import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { fillForms, signedInTab, statusOf, until, untilExpired, untilStatus } from '../../support/e2e.ts'
import { type E2ePages, startE2ePages } from '../../support/e2e-pages.ts'
import type { Engine, EngineProfile, EngineTab } from '../../support/engines/engine.ts'
import { findEngines } from '../../support/engines/find.ts'

// The main job in every engine that the machine has; what only Chromium can be made to do is in test/browser/e2e.
describe.each(findEngines().map(found => [found.name, found] as const))('%s', (_name, found) => {
  let engine: Engine
  let pages: E2ePages
  let profiles: EngineProfile[] = []

  beforeAll(async () => {
    ;[pages, engine] = await Promise.all([startE2ePages(), found.launch()])
  })
  afterEach(async () => {
    pages.servers.fault(undefined)
    await Promise.all(profiles.splice(0).map(profile => profile.close()))
    pages.servers.forget()
    pages.setMode('start')
  })
  afterAll(async () => {
    profiles = []
    await engine?.close()
    await pages?.close()
  })

  const newProfile = async () => {
    const profile = await engine.newProfile()
    profiles.push(profile)
    return profile
  }
  const addressOf = (tab: EngineTab) => tab.run(() => location.href)
  /** A user with some tabs, signed in with access tokens of `seconds`. */
  const signedIn = async (count: number, seconds = 3600) => {
    const profile = await newProfile()
    const tabs = [await signedInTab({ pages, servers: pages.servers }, profile, seconds)]
    while (tabs.length < count) tabs.push(await profile.newTab(pages.appUrl))
    for (const tab of tabs) await untilStatus(tab, 'signed-in')
    return { profile, tabs: tabs as [EngineTab, ...EngineTab[]] }
  }

  test('a sign-in by redirect comes back signed in, with a clean address, and calls the API', async () => {
    const { tabs } = await signedIn(1)
    expect(await addressOf(tabs[0])).not.toMatch(/[?&](code|state|iss)=/)
    expect(await tabs[0].run(() => window.app.call())).toBe(200)
    expect(pages.servers.tokenRequests).toHaveLength(1)
  })

  test('a reload and a second tab stay signed in without a token request', async () => {
    const { profile, tabs } = await signedIn(1)
    await tabs[0].reload()
    await untilStatus(tabs[0], 'signed-in')
    const second = await profile.newTab(pages.appUrl)
    await untilStatus(second, 'signed-in')
    expect(await second.run(() => window.app.call())).toBe(200)
    expect(pages.servers.tokenRequests).toHaveLength(1)
  })

  test('twenty calls in each of three tabs right after expiry make one token request, and all succeed', async () => {
    const { tabs } = await signedIn(3, 3)
    for (const tab of tabs) await untilExpired(tab)
    pages.servers.issueFor(3600)
    const tallies = await Promise.all(tabs.map(tab => tab.run(() => window.app.calls(20))))
    expect(tallies).toEqual(tabs.map(() => ({ 200: 20 })))
    expect(pages.servers.refreshes()).toHaveLength(1)
    expect(pages.servers.replays()).toEqual([])
  })

  test('a revoked access token gets a 401, one refresh and a 200', async () => {
    const { tabs } = await signedIn(1)
    await pages.servers.revokeAccessTokensOf('alice')
    expect(await tabs[0].run(() => window.app.calls(10))).toEqual({ 200: 10 })
    expect(pages.servers.refreshes()).toHaveLength(1)
  })

  test('a sign-out reaches another tab, which sends nothing any more, and a reload finds nobody signed in', async () => {
    const { tabs } = await signedIn(2)
    const [one, other] = tabs as [EngineTab, EngineTab]
    await one.run(() => window.app.client.signOut({ endProviderSession: false }))
    await untilStatus(other, 'signed-out')
    const calls = pages.servers.apiCalls.length
    expect(await other.run(() => window.app.call())).toBe('ERR_AUTHORIZATION_REQUIRED')
    expect(pages.servers.apiCalls).toHaveLength(calls)
    await other.reload()
    await untilStatus(other, 'signed-out')
  })

  test('the same callback address in another tab exchanges nothing again and is cleaned', async () => {
    const profile = await newProfile()
    const tab = await profile.newTab(pages.appUrl)
    await untilStatus(tab, 'signed-out')
    pages.setMode('wait')
    await tab.click('#sign-in')
    await fillForms(tab)
    await until('the callback is loaded', async () => (await addressOf(tab)).includes('code='))
    const callback = await addressOf(tab)
    pages.setMode('start')
    await tab.reload()
    await untilStatus(tab, 'signed-in')
    const again = await profile.newTab(callback)
    await untilStatus(again, 'signed-in')
    expect(await addressOf(again)).not.toContain('code=')
    expect(pages.servers.tokenRequests).toHaveLength(1)
  })

  test('a code and a state of somebody else are left byte for byte', async () => {
    const profile = await newProfile()
    const address = new URL('/callback?code=1&state=2&keep=%20x#part', pages.appUrl).href
    const tab = await profile.newTab(address)
    await untilStatus(tab, 'signed-out')
    expect(await addressOf(tab)).toBe(address)
    expect(pages.servers.tokenRequests).toEqual([])
  })

  test('Back from the page of the authorization server leaves a button that signs in', async () => {
    const profile = await newProfile()
    const tab = await profile.newTab(pages.appUrl)
    await untilStatus(tab, 'signed-out')
    await tab.click('#sign-in')
    await until('the form is shown', () => tab.run(() => document.querySelector('#user') !== null))
    await tab.back()
    await until('the app is shown', async () => (await statusOf(tab)) === 'signed-out')
    await tab.click('#sign-in')
    await fillForms(tab)
    await untilStatus(tab, 'signed-in')
    expect(await tab.run(() => window.app.call())).toBe(200)
  })
})
