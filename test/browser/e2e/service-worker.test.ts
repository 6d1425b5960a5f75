import { expect, test } from 'vitest'
import { endToEnd, shorten, signedInTab, untilExpired, untilStatus } from '../../support/e2e.ts'
import type { Tab } from '../../support/e2e-browser.ts'

const e2e = endToEnd()

/** Registers the service worker if it is missing, and sends it a request. */
const ask = <T>(tab: Tab, question: 'globals' | 'status' | 'accessToken' | 'calls'): Promise<T> =>
  tab.run(
    async ({ what, issuer, apiUrl }) => {
      const url = `/service-worker.js?${new URLSearchParams({ issuer, apiUrl })}`
      const { installing, waiting, active } = await navigator.serviceWorker.register(window.app.trusted(url))
      const { port1, port2 } = new MessageChannel()
      return new Promise<T>(resolve => {
        port1.onmessage = ({ data }) => resolve(data)
        ;(installing ?? waiting ?? active)?.postMessage(what, [port2])
      })
    },
    { what: question, issuer: e2e.servers.issuer, apiUrl: e2e.servers.apiUrl },
  )

test("a service worker shares its page's session: its tokens, its calls, one refresh and one sign-out for both", async () => {
  const tab = await signedInTab(e2e, await e2e.newProfile())
  expect(await ask(tab, 'globals')).toEqual([])
  expect(await ask(tab, 'status')).toBe('signed-in')
  expect(e2e.servers.tokenRequests).toHaveLength(1)

  await shorten(e2e.servers, tab, 1)
  await untilExpired(tab)
  e2e.servers.issueFor(3600)
  const calls = await Promise.all([ask(tab, 'calls'), tab.run(() => window.app.calls(10))])
  expect(calls).toEqual([Array(10).fill(200), { 200: 10 }])
  expect(e2e.servers.refreshes()).toMatchObject([{ status: 200 }])
  expect(await ask(tab, 'accessToken')).toBe(await tab.run(() => window.app.client.getAccessToken()))

  await tab.run(() => window.app.client.signOut({ endProviderSession: false }))
  await untilStatus(tab, 'signed-out')
  e2e.servers.forget()
  expect(await ask(tab, 'calls')).toEqual(Array(10).fill('ERR_AUTHORIZATION_REQUIRED'))
  expect(e2e.servers.apiCalls).toEqual([])
})

test('the page uses tokens that a service worker has refreshed', async () => {
  const tab = await signedInTab(e2e, await e2e.newProfile(), 1)
  await untilExpired(tab)
  e2e.servers.issueFor(3600)
  expect(await ask(tab, 'calls')).toEqual(Array(10).fill(200))
  expect(await tab.run(() => window.app.calls(10))).toEqual({ 200: 10 })
  expect(e2e.servers.refreshes()).toMatchObject([{ status: 200 }])
})
