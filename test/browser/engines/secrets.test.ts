import { expect, test } from 'vitest'
import {
  addressOf,
  shorten,
  signedInTab,
  storedRecords,
  until,
  untilExpired,
  untilStatus,
} from '../../support/e2e.ts'
import type { EngineTab } from '../../support/engines/engine.ts'
import { inEveryEngine } from '../../support/engines/every-engine.ts'

inEveryEngine(e2e => {
  /** The stored ID Token: the one secret that the server does not report to the test. */
  const storedIdToken = async (tab: EngineTab): Promise<string> =>
    (await storedRecords(tab)).map(({ tokens }) => tokens.idToken).find(Boolean) as string

  const leftInPage = (tab: EngineTab) =>
    tab.run(() =>
      JSON.stringify([
        { ...localStorage },
        { ...sessionStorage },
        document.cookie,
        document.documentElement.outerHTML,
        history.state,
        location.href,
        performance.getEntries().map(({ name }) => name),
        window.app.events,
        window.app.client.session,
      ]),
    )

  test('tokens are in no address, console, event, message or web storage, from sign-in to sign-out [ST11]', async () => {
    const profile = await e2e.newProfile()
    const spy = await profile.newTab(e2e.pages.appUrl)
    await untilStatus(spy, 'signed-out')
    await spy.run(name => {
      const heard: unknown[] = []
      Object.assign(window, { heard })
      new BroadcastChannel(name).onmessage = ({ data }) => heard.push(data)
    }, `latchkey ${e2e.servers.issuer} e2e-app`)

    const tab = await signedInTab(e2e, profile)
    const idToken = await storedIdToken(tab)
    expect(await tab.run(() => window.app.call())).toBe(200)
    await shorten(e2e.servers, tab, 1)
    await untilExpired(tab)
    e2e.servers.issueFor(3600)
    expect(await tab.run(() => window.app.call())).toBe(200)
    await e2e.servers.revokeAccessTokensOf('alice')
    expect(await tab.run(() => window.app.call())).toBe(200)
    expect(e2e.servers.refreshes()).toHaveLength(2)
    const newIdToken = await storedIdToken(tab)
    const inPage = await leftInPage(tab)
    await tab.run(() => void window.app.client.signOut())
    await untilStatus(spy, 'signed-out')
    const isEnd = (url: string) => url.startsWith(`${e2e.servers.issuer}/session/end`)
    await until('the tab is back', async () => (await addressOf(tab)) === e2e.pages.appUrl)

    const secrets = [...e2e.servers.issued, idToken, newIdToken]
    expect(secrets.length).toBeGreaterThanOrEqual(8)
    expect(secrets.every(secret => secret.length > 20)).toBe(true)
    const heard = await spy.run(() => (window as unknown as { heard: unknown[] }).heard)
    expect(heard).toContainEqual({ type: 'session-changed' })
    expect(heard.length).toBeGreaterThanOrEqual(4)
    // if the driver does not see requests, each page still knows its own
    const { requests = [], console = [] } = profile
    const addresses = requests.map(({ url }) => url).filter(url => !isEnd(url))
    const open = JSON.stringify([addresses, console, heard, inPage, await leftInPage(spy)])
    expect(secrets.filter(secret => open.includes(secret))).toEqual([])

    const api = new URL(e2e.servers.apiUrl).origin
    if (!profile.requests) return
    const bearers = requests.filter(({ authorization }) => authorization !== undefined)
    expect(bearers.length).toBeGreaterThanOrEqual(4)
    expect(new Set(bearers.map(({ url }) => new URL(url).origin))).toEqual(new Set([api]))
  })
})
