import { expect, test } from 'vitest'
import { endToEnd, fillForms, signedInTab, until, untilStatus } from '../../support/e2e.ts'
import type { Tab } from '../../support/e2e-browser.ts'
import { indexedDbHangs } from '../../support/e2e-pages.ts'

const e2e = endToEnd()

test('a sign-in while the database hangs is kept in this tab, whose sign-out also ends the session in the database [F2.10]', async () => {
  const profile = await e2e.newProfile()
  const tab = await signedInTab(e2e, profile)
  const other = await profile.newTab(e2e.pages.appUrl)
  await untilStatus(other, 'signed-in')
  e2e.pages.setPrelude(indexedDbHangs)
  await tab.reload()
  await until('start() has come to its end', () => tab.run(() => window.app.starts.length === 1))
  await tab.run(() => window.app.signIn({ returnTo: '/', authorizationParameters: { prompt: 'login' } }))
  await fillForms(tab, 'bob')
  await untilStatus(tab, 'signed-in')
  const types = await tab.run(() => window.app.events.map(({ type }) => type))
  expect(types.filter(type => type === 'storage-degraded')).toHaveLength(1)
  const userOf = (each: Tab) =>
    each.run(() => {
      const { session } = window.app.client
      return session.status === 'signed-in' ? session.claims?.sub : session.status
    })
  for (const prelude of [indexedDbHangs, '']) {
    e2e.pages.setPrelude(prelude)
    await tab.reload()
    await untilStatus(tab, 'signed-in')
    expect(await userOf(tab)).toBe('bob')
    expect(await tab.run(() => window.app.call())).toBe(200)
  }
  expect(await userOf(other)).toBe('alice')
  expect(await other.run(() => window.app.call())).toBe(200)

  await tab.run(() => window.app.client.signOut({ endProviderSession: false }))
  await untilStatus(other, 'signed-out')
  for (const each of [tab, other]) {
    await each.reload()
    await untilStatus(each, 'signed-out')
  }
})

test('when sessionStorage had to replace IndexedDB, a duplicated tab starts signed out without affecting the first [F2.11]', async () => {
  e2e.pages.setMode('indexeddb-is-missing')
  const tab = await signedInTab(e2e, await e2e.newProfile())
  // a window that a page opens gets a copy of its sessionStorage, like a duplicated tab
  const copy = await tab.opening(() => tab.click('#open-copy'))
  await untilStatus(copy, 'signed-out')
  expect(await copy.run(() => Object.values(sessionStorage).join().includes('refreshToken'))).toBe(false)
  await e2e.servers.revokeAccessTokensOf('alice')
  expect(await tab.run(() => window.app.calls(5))).toEqual({ 200: 5 })
  await tab.reload()
  await untilStatus(tab, 'signed-in')
  expect(e2e.servers.replays()).toEqual([])
})
