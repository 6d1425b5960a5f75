import { describe, expect, test } from 'vitest'
import { breakStorage, type StorageFault } from '../../support/break-storage.ts'
import {
  endToEnd,
  fillForms,
  signedInTab,
  statusOf,
  until,
  untilExpired,
  untilShown,
  untilStatus,
} from '../../support/e2e.ts'
import type { Tab } from '../../support/e2e-browser.ts'
import { type Settled, settleAll } from '../../support/settling.ts'

const e2e = endToEnd()

interface Row {
  readonly fault: StorageFault
  /** Some storage survives when the page leaves and returns. */
  readonly survives: boolean
  /**
   * The outcome of a call that needs a refresh. latchkey waits for an unreadable database before it continues without it.
   */
  readonly refresh: number | string
  /** The outcome of a call whose refresh is in progress when storage breaks, and whose response arrives later. */
  readonly answered: number | string
  /** The event `storage-degraded` reports it. */
  readonly told: boolean
}

const rows: readonly Row[] = [
  { fault: 'hangs', survives: true, refresh: 'ERR_STORAGE', answered: 200, told: true },
  { fault: 'throws', survives: true, refresh: 'ERR_STORAGE', answered: 200, told: true },
  { fault: 'is full', survives: true, refresh: 200, answered: 200, told: true },
  { fault: 'loses its connection', survives: true, refresh: 200, answered: 200, told: false },
  // the user's own action: the client is signed out
  {
    fault: 'is deleted',
    survives: true,
    refresh: 'ERR_AUTHORIZATION_REQUIRED',
    answered: 'ERR_AUTHORIZATION_REQUIRED',
    told: false,
  },
  { fault: 'works, and sessionStorage throws', survives: true, refresh: 200, answered: 200, told: false },
  {
    fault: 'hangs, and sessionStorage throws',
    survives: false,
    refresh: 'ERR_STORAGE',
    answered: 200,
    told: true,
  },
]

/** Breaks pages that load from now on, before they import anything. */
const breakNextPages = (fault: StorageFault) =>
  e2e.pages.setPrelude(`(${breakStorage})(${JSON.stringify(fault)});`)

const degraded = (tab: Tab) =>
  tab.run(() => window.app.events.filter(({ type }) => type === 'storage-degraded').length)

const expectSettled = (settled: Settled[]) =>
  expect(settled.filter(({ outcome }) => !/^(resolved|ERR_[A-Z_]+)$/.test(outcome))).toEqual([])

/** Two users at a time: the calls of one settle while the other signs in. */
const together = async (settled: Promise<Settled[]>, work: () => Promise<void>) =>
  expectSettled((await Promise.all([settled, work()]))[0])

/** `signIn()` was called. Either the user gets there and back, or it was rejected here with the reason. */
async function expectSignIn(tab: Tab, survives: boolean) {
  if (survives) {
    await fillForms(tab)
    await untilStatus(tab, 'signed-in')
    expect(await tab.run(() => window.app.call())).toBe(200)
    expect(e2e.servers.tokenRequests).toMatchObject([{ status: 200 }])
    return
  }
  await until('signIn() has come to its end', () => tab.run(() => window.app.signedIn !== undefined))
  expect(await tab.run(() => window.app.signedIn)).toMatchObject({ code: 'ERR_STORAGE' })
  expect(tab.url()).toBe(e2e.pages.appUrl)
}

const openApp = async (mode: 'start' | 'wait'): Promise<Tab> => {
  e2e.pages.setMode(mode)
  const tab = await (await e2e.newProfile()).newTab(e2e.pages.appUrl)
  e2e.pages.setMode('start')
  if (mode === 'start') await untilStatus(tab, 'signed-out')
  return tab
}

/** No data of latchkey exists yet that this could affect. */
const isIdle = (fault: StorageFault) => fault === 'loses its connection' || fault === 'is deleted'

describe.each(rows.filter(({ fault }) => !isIdle(fault)))('if IndexedDB $fault', ({ fault, survives }) => {
  test('after the import, every call settles, and a sign-in works or is rejected [ST04]', async () => {
    breakNextPages(fault)
    const other = await openApp('wait')
    await together(settleAll(other, fault, 'broken already'), async () => {
      const tab = await openApp('start')
      await tab.click('#sign-in')
      await expectSignIn(tab, survives)
    })
  })

  test('after the construction, every call settles, and a sign-in works or is rejected [ST04]', async () => {
    const other = await openApp('wait')
    await together(settleAll(other, fault, 'before construction'), async () => {
      const tab = await openApp('wait')
      await tab.run(breakStorage, fault)
      breakNextPages(fault)
      await tab.run(() => {
        const client = window.app.make()
        void client
          .start()
          .then(() => client.signIn({ returnTo: '/' }))
          .catch(({ code }) => {
            window.app.signedIn = { code, reason: undefined, error: undefined }
          })
      })
      await expectSignIn(tab, survives)
    })
  })
})

describe.each(rows)('if IndexedDB $fault', ({ fault, survives, refresh, answered, told }) => {
  test('after the start of a sign-in, every call settles, and the sign-in works or is rejected [ST04]', async () => {
    const other = await openApp('start')
    await together(settleAll(other, fault, 'after start'), async () => {
      const tab = await openApp('start')
      await tab.run(breakStorage, fault)
      breakNextPages(fault)
      await tab.click('#sign-in')
      await expectSignIn(tab, survives)
    })
  })

  test('after the callback, every call settles, and the sign-in succeeds if any data is left [ST04]', async () => {
    for (const mode of ['wait', 'start'] as const) {
      e2e.servers.forget()
      const tab = await openApp('start')
      await tab.click('#sign-in')
      await untilShown(tab, 'Sign in')
      e2e.pages.setMode(mode)
      breakNextPages(fault)
      await fillForms(tab)
      if (mode === 'wait') {
        await until('the callback page is there', () =>
          tab.run(() => location.pathname === '/callback' && !!window.app),
        )
        expectSettled(await settleAll(tab, fault, 'broken already'))
      } else {
        await until('start() has come to its end', () => tab.run(() => window.app.starts.length === 1))
        const starts = await tab.run(() => window.app.starts)
        if (survives) {
          expect(starts).toEqual(['signed-in'])
          expect(await tab.run(() => window.app.call())).toBe(200)
          expect(tab.url()).toBe(e2e.pages.appUrl)
          expect(await degraded(tab)).toBeLessThanOrEqual(1)
        } else {
          expect(starts).toMatchObject([{ code: 'ERR_CALLBACK', reason: 'state_not_found' }])
        }
      }
      e2e.pages.setPrelude('')
    }
  })

  test('before a refresh, the session is kept, and continues if it can be read, with one event [ST04, F2.11]', async () => {
    const tab = await signedInTab(e2e, await e2e.newProfile(), 1)
    const other = await openInSame(tab)
    await untilExpired(tab)
    e2e.servers.issueFor(3600)
    await tab.run(breakStorage, fault)
    expect(await tab.run(() => window.app.call())).toBe(refresh)
    const kept = refresh === 'ERR_AUTHORIZATION_REQUIRED' ? 'signed-out' : 'signed-in'
    expect(await statusOf(tab)).toBe(kept)
    if (kept === 'signed-in') {
      await tab.run(() => window.app.call())
      expect(e2e.servers.refreshes()).toHaveLength(refresh === 200 ? 1 : 0)
    }
    expect(await degraded(tab)).toBe(told ? 1 : 0)
    expectSettled(await settleAll(other, fault, 'after start'))
  })

  test('during a refresh, the session continues in memory, with one event [ST04]', async () => {
    const tab = await signedInTab(e2e, await e2e.newProfile(), 1)
    await untilExpired(tab)
    e2e.servers.issueFor(3600)
    e2e.servers.fault('late')
    await tab.run(() => {
      Object.assign(window, { outcome: window.app.call() })
    })
    await until('the token request has arrived', () => e2e.servers.refreshes().length === 1)
    await tab.run(breakStorage, fault)
    e2e.servers.fault(undefined)
    const outcome = await tab.run(() => (window as unknown as { outcome: Promise<unknown> }).outcome)
    expect(outcome).toBe(answered)
    if (answered !== 200) return
    expect(await statusOf(tab)).toBe('signed-in')
    expect(await tab.run(() => window.app.calls(5))).toEqual({ 200: 5 })
    expect(e2e.servers.refreshes()).toMatchObject([{ status: 200 }])
    expect(await degraded(tab)).toBe(told ? 1 : 0)
  })
})

/** Another tab of the same user, whose session also needs a refresh. */
async function openInSame(tab: Tab): Promise<Tab> {
  e2e.pages.setMode('wait')
  const other = await tab.opening(() => tab.run(url => void window.open(url), e2e.pages.appUrl))
  await until('the other tab is there', () => other.run(() => !!window.app))
  e2e.pages.setMode('start')
  return other
}
