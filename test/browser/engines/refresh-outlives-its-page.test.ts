import { describe, expect, test } from 'vitest'
import { beginRefresh, signedInTab, storedRecords, until, untilStatus } from '../../support/e2e.ts'
import type { AppMode } from '../../support/e2e-pages.ts'
import { signedInTabs, storm } from '../../support/e2e-storms.ts'
import type { EngineProfile, EngineTab } from '../../support/engines/engine.ts'
import { type EngineE2e, inEveryEngine } from '../../support/engines/every-engine.ts'

type Mode = readonly [name: string, mode: AppMode]
const serviceWorker: Mode = ['a service worker', 'host']
/** Only Chromium has one that outlives its pages. */
const sharedWorker: Mode = ['a SharedWorker', 'host-in-shared-worker']

/** Each leaves, and returns as another page of the same user. */
const leave: Record<string, (tab: EngineTab, profile: EngineProfile, url: string) => Promise<EngineTab>> = {
  async reloaded(tab) {
    await tab.reload()
    return tab
  },
  async 'left for another page'(tab, _profile, url) {
    await tab.goto('about:blank')
    await tab.goto(url)
    return tab
  },
  async closed(tab, profile, url) {
    await tab.close()
    return profile.newTab(url)
  },
}

const warningsOf = (tab: EngineTab) =>
  tab.run(() => window.app.events.flatMap(event => (event.type === 'warning' ? [event.message] : [])))

/** Two refreshes of a page. */
async function refreshTwice({ servers }: EngineE2e, tab: EngineTab): Promise<void> {
  for (let round = 0; round < 2; round++) {
    await servers.revokeAccessTokensOf('alice')
    expect(await tab.run(() => window.app.call())).toBe(200)
  }
}

function inChromium(e2e: EngineE2e) {
  test('without a worker, a refresh whose page is closed meanwhile ends the session', async () => {
    const profile = await e2e.newProfile()
    const tab = await signedInTab(e2e, profile)
    await beginRefresh(e2e, tab)
    await tab.close()
    e2e.servers.fault(undefined)
    const next = await profile.newTab(e2e.pages.appUrl)
    await next.run(() => void window.app.call())
    await untilStatus(next, 'signed-out')
  })

  test('a page whose worker never responds refreshes without it and warns once', async () => {
    e2e.pages.setMode('host')
    e2e.pages.serveHost('silence')
    const tab = await signedInTab(e2e, await e2e.newProfile())
    await refreshTwice(e2e, tab)
    expect(await warningsOf(tab)).toEqual([expect.stringContaining('did not answer in time')])
  })

  test('a page with options that its worker lacks refreshes without it, and the warning names them', async () => {
    e2e.pages.setMode('host')
    const tab = await signedInTab(e2e, await e2e.newProfile())
    await e2e.servers.revokeAccessTokensOf('alice')
    const [outcome, warnings] = await tab.run(async () => {
      const other = window.app.make({ host: window.app.host, fetch: (...call) => fetch(...call) })
      const seen: string[] = []
      other.events.subscribe(event => event.type === 'warning' && seen.push(event.message))
      const { status } = await window.app.callWith(other)
      return [status, seen] as const
    })
    expect(outcome).toBe(200)
    expect(warnings).toEqual([expect.stringContaining('the page has the options fetch of its own')])
  })
}

inEveryEngine((e2e, name) => {
  const isChromium = name === 'Chromium'
  const modes = isChromium ? [serviceWorker, sharedWorker] : [serviceWorker]

  describe.each(modes)('with %s', (_what, mode) => {
    test('a refresh is stored even if its page is reloaded, left or closed meanwhile', async () => {
      e2e.pages.setMode(mode)
      const profile = await e2e.newProfile()
      await profile.newTab() // a browser without any tab quits
      let tab = await signedInTab(e2e, profile)
      const outcomes: Record<string, number | string> = {}
      for (const [how, away] of Object.entries(leave)) {
        await beginRefresh(e2e, tab)
        tab = await away(tab, profile, e2e.pages.appUrl)
        e2e.servers.fault(undefined)
        await untilStatus(tab, 'signed-in')
        outcomes[how] = await tab.run(() => window.app.call())
      }
      expect(outcomes).toEqual({ reloaded: 200, 'left for another page': 200, closed: 200 })
      expect(e2e.servers.refreshes()).toHaveLength(3)
      expect(e2e.servers.replays()).toEqual([])
    })

    test('a sign-out revokes the tokens even if its page is closed before it can send the requests', async () => {
      e2e.pages.setMode(mode)
      const profile = await e2e.newProfile()
      const other = await profile.newTab() // a browser without any tab quits
      const tab = await signedInTab(e2e, profile)
      await other.goto(e2e.pages.appUrl)
      await untilStatus(other, 'signed-in')
      const [record] = await storedRecords(tab)
      await tab.reload() // it does not know the server's metadata then
      await untilStatus(tab, 'signed-in')
      e2e.servers.holdMetadata(true)
      await tab.run(() => void window.app.client.signOut({ endProviderSession: false }))
      await until('the session is removed', async () => (await storedRecords(other)).length === 0)
      await tab.close()
      e2e.servers.holdMetadata(false)
      const { refreshToken, accessToken } = record?.tokens ?? {}
      const revoked = () => e2e.servers.revocations.map(({ token }) => token)
      await until('both tokens are revoked', () =>
        [refreshToken, accessToken].every(token => token && revoked().includes(token)),
      )
      expect(revoked()).toHaveLength(2)
    })

    test('five tabs send one refresh, and explain() names the worker that did it in each of them', async () => {
      e2e.pages.setMode(mode)
      const tabs = await signedInTabs(e2e, await e2e.newProfile(), 5)
      expect(await storm(e2e, tabs, 'revoked')).toEqual(tabs.map(() => ({ 200: 20 })))
      expect(e2e.servers.refreshes()).toHaveLength(1)
      const reports = await Promise.all(
        tabs.map(tab =>
          tab.run(() => {
            const { host, events } = window.app.client.explain()
            return {
              host,
              from: events.flatMap(event => (event.type === 'tokens-adopted' ? [event.from] : [])),
            }
          }),
        ),
      )
      const own = mode === 'host' ? 'service worker' : 'shared worker'
      expect(reports).toEqual(
        tabs.map(() => ({ host: own, from: [expect.stringMatching(new RegExp(`^${own} `))] })),
      )
      expect(new Set(reports.flatMap(({ from }) => from)).size).toBe(1)
    })
  })

  test('tabs of two versions of an app, with different options, send one refresh', async () => {
    e2e.pages.setMode('host')
    const profile = await e2e.newProfile()
    const tab = await signedInTab(e2e, profile)
    const other = await profile.newTab(e2e.pages.appUrl)
    await untilStatus(other, 'signed-in')
    await e2e.servers.revokeAccessTokensOf('alice')
    const outcomes = await Promise.all([
      tab.run(() => window.app.calls(10)),
      other.run(async () => {
        const { make, host, callWith } = window.app
        const newer = make({ host, scope: 'openid offline_access notes:read' })
        const answers = await Promise.all(Array.from({ length: 10 }, () => callWith(newer)))
        return answers.map(({ status }) => status)
      }),
    ])
    expect(outcomes).toEqual([{ 200: 10 }, Array(10).fill(200)])
    expect(e2e.servers.refreshes()).toHaveLength(1)
    expect(e2e.servers.replays()).toEqual([])
  })

  test('a page that closes as soon as it has started to revoke its tokens still revokes its refresh token', async () => {
    const profile = await e2e.newProfile()
    await profile.newTab() // a browser without any tab quits
    const tab = await signedInTab(e2e, profile)
    const [record] = await storedRecords(tab)
    await tab.run(() => {
      const { client } = window.app
      return new Promise<void>(begun => {
        client.events.subscribe(event => event.type === 'revocation-request' && begun())
        void client.signOut({ endProviderSession: false })
      })
    })
    await tab.close()
    const revoked = () => e2e.servers.revocations.map(({ token }) => token)
    await until('the refresh token is revoked', () => revoked().includes(record?.tokens.refreshToken ?? ''))
  })

  test('a page whose worker cannot be loaded refreshes without it and warns once', async () => {
    e2e.pages.setMode('host')
    e2e.pages.serveHost('nothing')
    const tab = await signedInTab(e2e, await e2e.newProfile())
    await refreshTwice(e2e, tab)
    expect(await warningsOf(tab)).toEqual([expect.stringContaining('could not')])
    expect(await tab.run(() => window.app.client.explain().host)).toBe('page')
  })

  if (isChromium) inChromium(e2e)
})
