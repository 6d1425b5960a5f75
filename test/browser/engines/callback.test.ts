import { expect, test } from 'vitest'
import { addressOf, fillForms, until, untilShown, untilStatus } from '../../support/e2e.ts'
import type { EngineProfile, EngineTab } from '../../support/engines/engine.ts'
import { inEveryEngine } from '../../support/engines/every-engine.ts'

inEveryEngine(e2e => {
  const starts = (tab: EngineTab) => tab.run(() => window.app.starts)
  const untilStarted = (tab: EngineTab, count = 1) =>
    until(`start() has come to its end (${count})`, async () => (await starts(tab)).length === count)

  const address = (path: string) => new URL(path, e2e.pages.appUrl).href

  /** Runs a sign-in up to the callback, whose page does nothing yet. */
  async function openCallback(profile: EngineProfile): Promise<EngineTab> {
    const tab = await profile.newTab(e2e.pages.appUrl)
    await untilStatus(tab, 'signed-out')
    e2e.pages.setMode('wait')
    await tab.click('#sign-in')
    await fillForms(tab)
    await until('the callback page is there', () =>
      tab.run(() => location.pathname === '/callback' && !!window.app),
    )
    return tab
  }

  /** The requests that this page has sent to the authorization server. */
  const toIssuer = (tab: EngineTab) =>
    tab.run(
      issuer => performance.getEntriesByType('resource').filter(({ name }) => name.startsWith(issuer)).length,
      e2e.servers.issuer,
    )

  test('a callback that is reloaded during its code exchange is completed by the reload [RS03]', async () => {
    const tab = await openCallback(await e2e.newProfile())
    e2e.pages.setMode('start')
    e2e.servers.fault('hang')
    await tab.reload()
    await until('the code has arrived', () => e2e.servers.tokenRequests.length === 1)
    await tab.reload()
    await until('the server has noticed', () => e2e.servers.tokenRequests[0]?.status === 0)
    await until('the code has arrived again', () => e2e.servers.tokenRequests.length === 2)
    e2e.servers.fault(undefined)
    await untilStatus(tab, 'signed-in')
    expect(await addressOf(tab)).toBe(e2e.pages.appUrl)
    expect(e2e.servers.tokenRequests).toMatchObject([{ faulty: true }, { faulty: false, status: 200 }])
  })

  test('the same callback address in two tabs at once makes one code exchange and signs both in [RS03]', async () => {
    const profile = await e2e.newProfile()
    const first = await openCallback(profile)
    const second = await profile.newTab(await addressOf(first))
    await Promise.all([first, second].map(tab => tab.run(() => window.app.start())))
    expect(await starts(first)).toEqual(['signed-in'])
    expect(await starts(second)).toEqual(['signed-in'])
    for (const tab of [first, second]) expect(await addressOf(tab)).toBe(e2e.pages.appUrl)
    expect(e2e.servers.tokenRequests).toMatchObject([{ grantType: 'authorization_code', status: 200 }])
  })

  test('a callback address that is opened again, from a bookmark, changes nothing and is cleaned [RS03]', async () => {
    const profile = await e2e.newProfile()
    const tab = await openCallback(profile)
    const callback = await addressOf(tab)
    e2e.pages.setMode('start')
    await tab.reload()
    await untilStatus(tab, 'signed-in')
    const again = await profile.newTab(callback)
    await untilStarted(again)
    expect(await starts(again)).toEqual(['signed-in'])
    expect(await addressOf(again)).not.toContain('code=')
    expect(await tab.run(() => window.app.call())).toBe(200)
    expect(await again.run(() => window.app.call())).toBe(200)

    // an unknown callback is not an error for a signed-in user
    await again.goto(address(`/callback?code=1&state=lk.redirect.${'A'.repeat(43)}`))
    await untilStarted(again)
    expect(await starts(again)).toEqual(['signed-in'])
    expect(await addressOf(again)).toBe(address('/callback'))
    expect(e2e.servers.tokenRequests).toHaveLength(1)
  })

  test.each(['start-twice', 'two-clients'] as const)(
    'a callback that is handled twice in one page (%s) makes one code exchange [RS03]',
    async mode => {
      const tab = await openCallback(await e2e.newProfile())
      e2e.pages.setMode(mode)
      await tab.reload()
      await untilStarted(tab, 2)
      expect(await starts(tab)).toEqual(['signed-in', 'signed-in'])
      expect(await addressOf(tab)).toBe(e2e.pages.appUrl)
      expect(e2e.servers.tokenRequests).toMatchObject([{ status: 200 }])
    },
  )

  test('a code and a state for another client are left unchanged, and nothing is requested', async () => {
    const profile = await e2e.newProfile()
    for (const path of [
      '/other?code=1&state=2',
      '/callback?code=1&state=2&x=%7e+a#y=%20',
      '/callback?error=access_denied&state=2',
      '/other?code=1&state=lk.redirect.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA',
    ]) {
      const tab = await profile.newTab(address(path))
      await untilStarted(tab)
      expect(await starts(tab)).toEqual(['signed-out'])
      expect(await addressOf(tab)).toBe(address(path))
      expect(await toIssuer(tab)).toBe(0)
    }
    expect(e2e.servers.tokenRequests).toEqual([])
  })

  test('a callback with an unknown latchkey state is rejected, and only its own parameters are removed from the address [RS01]', async () => {
    const profile = await e2e.newProfile()
    const state = `lk.redirect.${'A'.repeat(43)}`
    const tab = await profile.newTab(address(`/callback?tab=%7e2&code=1&state=${state}&iss=x&b#part`))
    await untilStarted(tab)
    expect(await starts(tab)).toMatchObject([{ code: 'ERR_CALLBACK', reason: 'state_not_found' }])
    expect(await addressOf(tab)).toBe(address('/callback?tab=%7e2&b#part'))
    expect(await toIssuer(tab)).toBe(0)
    expect(e2e.servers.tokenRequests).toEqual([])
  })

  test("a user's refusal is reported as such, and the user can sign in afterwards", async () => {
    const tab = await (await e2e.newProfile()).newTab(e2e.pages.appUrl)
    await untilStatus(tab, 'signed-out')
    await tab.click('#sign-in')
    await untilShown(tab, 'Sign in')
    await tab.click('button[value=deny]')
    await until('the app has its answer', async () => (await starts(tab)).length === 1)
    expect(await starts(tab)).toMatchObject([
      { code: 'ERR_CALLBACK', reason: 'authorization_error', error: 'access_denied' },
    ])
    expect(await tab.run(() => location.search)).toBe('')
    expect(e2e.servers.tokenRequests).toEqual([])

    await tab.click('#sign-in')
    await fillForms(tab)
    await untilStatus(tab, 'signed-in')
  })

  test.each([
    ['names another issuer', (url: URL) => url.searchParams.set('iss', 'https://evil.example')],
    ['names no issuer', (url: URL) => url.searchParams.delete('iss')],
  ])('a callback that %s is rejected before its code is sent', async (_what, change) => {
    const tab = await openCallback(await e2e.newProfile())
    const url = new URL(await addressOf(tab))
    expect(url.searchParams.get('iss')).toBe(e2e.servers.issuer)
    change(url)
    e2e.pages.setMode('start')
    await tab.goto(url.href)
    await untilStarted(tab)
    expect(await starts(tab)).toMatchObject([{ code: 'ERR_CALLBACK', reason: 'invalid_response' }])
    expect(await tab.run(() => location.search)).toBe('')
    expect(e2e.servers.tokenRequests).toEqual([])
  })

  test('two tabs that both start a sign-in and return in the opposite order both succeed', async () => {
    const profile = await e2e.newProfile()
    const first = await profile.newTab(e2e.pages.appUrl)
    const second = await profile.newTab(e2e.pages.appUrl)
    for (const tab of [first, second]) {
      await untilStatus(tab, 'signed-out')
      await tab.click('#sign-in')
      await untilShown(tab, 'Sign in')
    }
    for (const tab of [second, first]) {
      await fillForms(tab, 'alice', tab === second)
      await until('it is back in the app', async () => (await addressOf(tab)) === e2e.pages.appUrl)
      await untilStarted(tab)
      expect(await starts(tab)).toEqual(['signed-in'])
      expect(await addressOf(tab)).toBe(e2e.pages.appUrl)
    }
    for (const tab of [first, second]) expect(await tab.run(() => window.app.call())).toBe(200)
    expect(e2e.servers.tokenRequests).toMatchObject([{ status: 200 }, { status: 200 }])
  })
})
