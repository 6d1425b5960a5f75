import { expect, test } from 'vitest'
import type { LatchkeyError } from '../../../src/errors.ts'
import { addressOf, signedInTab, statusOf, until, untilStatus } from '../../support/e2e.ts'
import { type AppMode, indexedDbHangs } from '../../support/e2e-pages.ts'
import { inEveryEngine } from '../../support/engines/every-engine.ts'

inEveryEngine(e2e => {
  const degraded = (types: readonly string[]) => types.filter(type => type === 'storage-degraded').length

  test.for<[string, AppMode]>([
    ['never opens', 'indexeddb-hangs'],
    ['is denied', 'indexeddb-throws'],
    ['is full', 'indexeddb-is-full'],
    ['is missing', 'indexeddb-is-missing'],
  ])(
    'if IndexedDB %s, a sign-in by redirect works, a reload stays signed in, and one event reports it [F2.11]',
    async ([_what, mode]) => {
      e2e.pages.setMode(mode)
      const profile = await e2e.newProfile()
      const tab = await signedInTab(e2e, profile)
      expect(await tab.run(() => window.app.call())).toBe(200)
      expect(degraded(await tab.run(() => window.app.events.map(({ type }) => type)))).toBe(1)
      const uncaught = await tab.run(() => window.app.uncaught)
      await tab.reload()
      await untilStatus(tab, 'signed-in')
      await e2e.servers.revokeAccessTokensOf('alice')
      expect(await tab.run(() => window.app.calls(5))).toEqual({ 200: 5 })
      expect(e2e.servers.refreshes()).toHaveLength(1)
      await tab.run(() => window.app.client.signOut({ endProviderSession: false }))
      expect(await statusOf(tab)).toBe('signed-out')
      uncaught.push(...(await tab.run(() => window.app.uncaught)))
      expect(uncaught).toEqual([])
    },
  )

  test('a database that lacks its object store is created again, and no other store replaces it', async () => {
    e2e.pages.setMode('indexeddb-lacks-its-store')
    const profile = await e2e.newProfile()
    const tab = await signedInTab(e2e, profile)
    expect(degraded(await tab.run(() => window.app.events.map(({ type }) => type)))).toBe(0)
    const second = await profile.newTab(e2e.pages.appUrl)
    await untilStatus(second, 'signed-in')
  })

  test('if nothing can be stored, a sign-in by redirect is rejected with the reason before the page leaves', async () => {
    e2e.pages.setMode('storage-blocked')
    const profile = await e2e.newProfile()
    const tab = await profile.newTab(e2e.pages.appUrl)
    await untilStatus(tab, 'signed-out')
    const outcome = await tab.run(() =>
      window.app.client.signIn().then(
        () => 'signed in',
        ({ code, retryable, message }: LatchkeyError) => ({ code, retryable, message }),
      ),
    )
    expect(outcome).toMatchObject({
      code: 'ERR_STORAGE',
      retryable: false,
      message: expect.stringContaining('popup()'),
    })
    expect(await addressOf(tab)).toBe(e2e.pages.appUrl)
    await until('the event is told', async () =>
      (await tab.run(() => window.app.events.map(({ type }) => String(type)))).includes('storage-degraded'),
    )
  })

  test('a database that hangs while a page starts keeps the session: start() rejects, and the next call finds it [F2.10]', async () => {
    const tab = await signedInTab(e2e, await e2e.newProfile())
    e2e.pages.setPrelude(indexedDbHangs)
    await tab.reload()
    await until('start() has come to its end', () => tab.run(() => window.app.starts.length === 1))
    expect(await tab.run(() => window.app.starts)).toMatchObject([{ code: 'ERR_STORAGE' }])
    expect(await statusOf(tab)).toBe('starting')
    await tab.run(() => window.app.startWorker())
    expect(await tab.run(() => Promise.all([window.app.call(), window.app.askWorker(1)]))).toEqual([
      'ERR_STORAGE',
      { ERR_STORAGE: 1 },
    ])
    await tab.run(() => (window as unknown as { mend(): void }).mend())
    expect(await tab.run(() => window.app.call())).toBe(200)
    expect(await statusOf(tab)).toBe('signed-in')
    expect(e2e.servers.tokenRequests).toHaveLength(1)
  })
})
