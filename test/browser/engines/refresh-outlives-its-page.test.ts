import { describe, expect, test } from 'vitest'
import { signedInTab, until, untilExpired, untilStatus } from '../../support/e2e.ts'
import type { AppMode } from '../../support/e2e-pages.ts'
import type { EngineProfile, EngineTab } from '../../support/engines/engine.ts'
import { type EngineE2e, inEveryEngine } from '../../support/engines/every-engine.ts'

const modes: readonly (readonly [string, AppMode])[] = [
  ['the worker that the browser has', 'host'],
  ['a service worker', 'host-in-service-worker'],
]

/** Has a page begin a refresh that the server has worked for, but whose answer it holds. */
async function refreshUnderWay(e2e: EngineE2e, profile: EngineProfile): Promise<EngineTab> {
  await profile.newTab() // a browser without any tab ends
  const tab = await signedInTab(e2e, profile, 3)
  await untilExpired(tab)
  e2e.servers.issueFor(3600)
  const before = e2e.servers.refreshes().length
  e2e.servers.fault('late')
  await tab.run(() => void window.app.call())
  await until('the token request has arrived', () => e2e.servers.refreshes().length > before)
  return tab
}

const leave: Record<string, (tab: EngineTab) => Promise<unknown>> = {
  closed: tab => tab.close(),
  reloaded: tab => tab.reload(),
  'left for another page': tab => tab.goto('about:blank'),
}

inEveryEngine((e2e, name) => {
  describe.each(modes)('with %s', (_what, mode) => {
    test.each(Object.keys(leave))('a refresh is stored although its page is %s meanwhile', async how => {
      e2e.pages.setMode(mode)
      const profile = await e2e.newProfile()
      const tab = await refreshUnderWay(e2e, profile)
      await leave[how]?.(tab)
      e2e.servers.fault(undefined)
      const next = await profile.newTab(e2e.pages.appUrl)
      await untilStatus(next, 'signed-in')
      expect(await next.run(() => window.app.call())).toBe(200)
      expect(e2e.servers.refreshes()).toHaveLength(1)
      expect(e2e.servers.replays()).toEqual([])
    })
  })

  test.each(modes)('with %s, several tabs send one refresh, which explain() names', async (_what, mode) => {
    e2e.pages.setMode(mode)
    const profile = await e2e.newProfile()
    const first = await signedInTab(e2e, profile, 3)
    const second = await profile.newTab(e2e.pages.appUrl)
    await untilStatus(second, 'signed-in')
    await untilExpired(first)
    e2e.servers.issueFor(3600)
    const tallies = await Promise.all([first, second].map(tab => tab.run(() => window.app.calls(10))))
    expect(tallies).toEqual([{ 200: 10 }, { 200: 10 }])
    expect(e2e.servers.refreshes()).toHaveLength(1)
    const from = await first.run(() =>
      window.app.client
        .explain()
        .events.flatMap(event => (event.type === 'tokens-adopted' ? [event.from] : [])),
    )
    const isShared = name === 'Chromium' && mode === 'host'
    expect(from.at(-1)).toMatch(isShared ? /^shared worker / : /^service worker /)
  })

  test('without a worker, that refresh ends the session', async () => {
    const profile = await e2e.newProfile()
    const tab = await refreshUnderWay(e2e, profile)
    await tab.close()
    e2e.servers.fault(undefined)
    const next = await profile.newTab(e2e.pages.appUrl)
    await until('this tab is signed out', async () =>
      next.run(() => window.app.client.session.status === 'signed-out'),
    )
  })

  test.each([
    ['cannot be loaded', 'nothing', 'could not'],
    ['never answers', 'silence', 'did not answer in time'],
  ] as const)('a page whose worker %s refreshes by itself, and warns once', async (_how, what, why) => {
    e2e.pages.setMode('host')
    e2e.pages.serveHost(what)
    const tab = await signedInTab(e2e, await e2e.newProfile(), 3)
    for (let round = 0; round < 2; round++) {
      await untilExpired(tab)
      expect(await tab.run(() => window.app.call())).toBe(200)
    }
    const warnings = await tab.run(() =>
      window.app.events.flatMap(event => (event.type === 'warning' ? [event.message] : [])),
    )
    expect(warnings).toEqual([expect.stringContaining(why)])
  })

  test('a page with options that its worker lacks refreshes by itself, and the warning names them', async () => {
    e2e.pages.setMode('host')
    const tab = await signedInTab(e2e, await e2e.newProfile(), 3)
    await untilExpired(tab)
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
})
