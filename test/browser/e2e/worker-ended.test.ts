import { describe, expect, test } from 'vitest'
import { beginRefresh, endToEnd, until } from '../../support/e2e.ts'
import type { Tab } from '../../support/e2e-browser.ts'
import { signedInTabs } from '../../support/e2e-storms.ts'

declare global {
  interface Window {
    pending: Promise<Record<string, number>>
  }
}

const e2e = endToEnd()

/** Who refreshed, as this tab learned it: a worker by its random name, or nobody that it knows of. */
const refreshers = (tab: Tab) =>
  tab.run(() =>
    window.app.client
      .explain()
      .events.flatMap(event => (event.type === 'tokens-adopted' ? [event.from ?? ''] : [])),
  )

const warnings = (tab: Tab) =>
  tab.run(() => window.app.events.flatMap(event => (event.type === 'warning' ? [event.message] : [])))

/** One refresh that this tab needs. */
async function refresh(tab: Tab): Promise<void> {
  await e2e.servers.revokeAccessTokensOf('alice')
  expect(await tab.run(() => window.app.call())).toBe(200)
}

const redeemed = () => e2e.servers.refreshes().filter(({ status }) => status === 200)

test('a refresh is stored even if the process of its page crashes, because the service worker has a process of its own', async () => {
  e2e.pages.setMode('host')
  const profile = await e2e.newProfile()
  const [tab, other] = (await signedInTabs(e2e, profile, 2)) as [Tab, Tab]
  await beginRefresh(e2e, tab)
  await tab.crash()
  e2e.servers.fault(undefined)
  const next = await profile.newTab(e2e.pages.appUrl)
  expect(await next.run(() => window.app.call())).toBe(200)
  expect(redeemed()).toHaveLength(1)
  expect(e2e.servers.replays()).toEqual([])
  await other.close()
})

describe.each([
  ['a service worker', 'host', /^service worker /],
  ['a SharedWorker', 'host-in-shared-worker', /^shared worker /],
] as const)('with %s', (_what, mode, name) => {
  test('every call is answered and no session is lost when the browser ends the worker during a refresh, and the next refresh runs in a new worker', async () => {
    e2e.pages.setMode(mode)
    const profile = await e2e.newProfile()
    const tabs = await signedInTabs(e2e, profile, 3)
    const [tab] = tabs as [Tab]
    await e2e.servers.revokeAccessTokensOf('alice')
    e2e.servers.fault('hang')
    for (const each of tabs)
      await each.run(() => {
        window.pending = window.app.calls(5)
      })
    await until('the token request has arrived', () => e2e.servers.refreshes().length === 1)
    await profile.endWorkers()
    await until('its sender is gone', () => e2e.servers.refreshes()[0]?.status === 0)
    e2e.servers.fault(undefined)
    expect(await Promise.all(tabs.map(each => each.run(() => window.pending)))).toEqual(
      tabs.map(() => ({ 200: 5 })),
    )
    expect(redeemed()).toHaveLength(1)

    await refresh(tab)
    expect((await refreshers(tab)).at(-1)).toMatch(name)
    expect(redeemed()).toHaveLength(2)
    expect(e2e.servers.replays()).toEqual([])
    expect(await Promise.all(tabs.map(warnings))).toEqual([[], [], []])
  })

  test('no call fails after the browser has ended an idle worker, and the worker is started again', async () => {
    e2e.pages.setMode(mode)
    const profile = await e2e.newProfile()
    const [tab] = (await signedInTabs(e2e, profile, 1)) as [Tab]
    await refresh(tab)
    await profile.endWorkers()
    await refresh(tab)
    await refresh(tab)
    const [first, ...others] = await refreshers(tab)
    const last = others.at(-1)
    for (const by of [first, last]) expect(by).toMatch(name)
    expect(last).not.toBe(first)
    expect(redeemed()).toHaveLength(3)
    expect(e2e.servers.replays()).toEqual([])
    expect(await warnings(tab)).toEqual([])
  })
})
