import { describe, expect, test } from 'vitest'
import { endToEnd, signedInTab, storedRecords, until, untilStatus } from '../../support/e2e.ts'
import type { Tab } from '../../support/e2e-browser.ts'
import type { HostFile } from '../../support/e2e-pages.ts'
import { signedInTabs, storm } from '../../support/e2e-storms.ts'

const e2e = endToEnd()

/** A prelude: the page has no service workers. */
const onlySharedWorkers = "Object.defineProperty(navigator, 'serviceWorker', { value: undefined });"
const kinds = [
  ['a service worker', 'service worker', ''],
  ['a SharedWorker', 'shared worker', onlySharedWorkers],
] as const

const warningsOf = (tab: Tab) =>
  tab.run(() => window.app.events.flatMap(event => (event.type === 'warning' ? [event.message] : [])))

const recordOf = async (tab: Tab) => (await storedRecords(tab))[0]

/** Two refreshes that this tab needs. */
async function refreshTwice(tab: Tab): Promise<void> {
  for (let round = 0; round < 2; round++) {
    await e2e.servers.revokeAccessTokensOf('alice')
    expect(await tab.run(() => window.app.call())).toBe(200)
  }
}

/** A prelude: remembers all messages that the page sends to workers, and the answers. */
const rememberMessages = `{
  window.messages = []
  for (const { prototype } of [MessagePort, ServiceWorker]) {
    const { postMessage } = prototype
    prototype.postMessage = function (message, ...rest) {
      messages.push(message)
      return postMessage.call(this, message, ...rest)
    }
  }
  const { set, get } = Object.getOwnPropertyDescriptor(MessagePort.prototype, 'onmessage')
  Object.defineProperty(MessagePort.prototype, 'onmessage', {
    get,
    set(listener) {
      set.call(this, event => {
        messages.push(event.data)
        listener.call(this, event)
      })
    },
  })
}`

/** A prelude: remembers how durable each write of the page must be. */
const rememberDurability = `{
  window.durabilities = []
  const { transaction } = IDBDatabase.prototype
  IDBDatabase.prototype.transaction = function (...args) {
    const made = transaction.apply(this, args)
    if (made.mode === 'readwrite') window.durabilities.push(made.durability)
    return made
  }
}`

declare global {
  interface Window {
    messages: unknown[]
    durabilities: string[]
  }
}

describe.each(kinds)('with %s', (_what, kind, prelude) => {
  test.each<[what: string, file: HostFile, warning: string]>([
    ['whose script throws', 'failure', 'could not be'],
    ['of another version of latchkey', 'other protocol', 'of another version of latchkey'],
  ])('a page refreshes without a worker %s, and warns once', async (_what, file, warning) => {
    e2e.pages.setMode('host')
    e2e.pages.setPrelude(prelude)
    e2e.pages.serveHost(file)
    const tab = await signedInTab(e2e, await e2e.newProfile())
    await refreshTwice(tab)
    expect(await warningsOf(tab)).toEqual([expect.stringContaining(warning)])
    expect(e2e.servers.refreshes()).toHaveLength(2)
    expect(e2e.servers.replays()).toEqual([])
  })

  test('a page whose policy forbids workers refreshes without one, and warns once', async () => {
    e2e.pages.setMode('host')
    e2e.pages.setPrelude(prelude)
    e2e.pages.allowWorkers("'none'")
    const tab = await signedInTab(e2e, await e2e.newProfile())
    await refreshTwice(tab)
    expect(await warningsOf(tab)).toEqual([expect.stringContaining('could not')])
    expect(e2e.servers.refreshes()).toHaveLength(2)
  })

  test('pages that were open before the file of the worker changed still refresh in a worker', async () => {
    e2e.pages.setMode('host')
    e2e.pages.setPrelude(prelude)
    const profile = await e2e.newProfile()
    const old = await signedInTab(e2e, profile)
    await refreshTwice(old)
    e2e.pages.serveHost('newer')
    const next = await profile.newTab(e2e.pages.appUrl)
    await untilStatus(next, 'signed-in')
    await refreshTwice(next)
    await refreshTwice(old)
    for (const tab of [old, next]) {
      expect(await warningsOf(tab)).toEqual([])
      expect(await tab.run(() => window.app.client.explain().host)).toBe(kind)
    }
    expect(e2e.servers.refreshes()).toHaveLength(6)
    expect(e2e.servers.replays()).toEqual([])
  })

  test('no message between pages and the worker contains a token', async () => {
    e2e.pages.setMode('host')
    e2e.pages.setPrelude(prelude + rememberMessages)
    const tabs = await signedInTabs(e2e, await e2e.newProfile(), 3)
    await storm(e2e, tabs, 'revoked')
    const [tab] = tabs as [Tab]
    await tab.run(() => window.app.client.signOut({ endProviderSession: false }))
    const messages = JSON.stringify(await Promise.all(tabs.map(each => each.run(() => window.messages))))
    expect(messages).toMatch(/"type":"refresh".*"type":"done"/)
    expect(messages).toMatch(/"type":"sign-out".*"type":"taken"/)
    for (const token of e2e.servers.issued) expect(messages).not.toContain(token)
    expect(messages).not.toMatch(/eyJ/) // the beginning of an ID Token
  })

  test('a worker with the extension of the page refreshes with its DPoP key, even if the page is reloaded meanwhile', async () => {
    e2e.pages.setMode('host-with-dpop')
    e2e.pages.setPrelude(prelude)
    e2e.pages.serveHost('with dpop')
    const tab = await signedInTab(e2e, await e2e.newProfile())
    const forceRefresh = () => void window.app.client.getAccessToken({ forceRefresh: true })
    e2e.servers.fault('late')
    await tab.run(forceRefresh)
    await until('the token request has arrived', () => e2e.servers.refreshes().length === 1)
    await tab.reload()
    e2e.servers.fault(undefined)
    await until('the worker has stored its response', async () => (await recordOf(tab))?.version === 2)
    // the page may not have heard of it yet: then these tokens would be new enough
    await tab.run(async () => {
      await window.app.client.start()
      await window.app.client.getAccessToken({ forceRefresh: true })
    })
    expect(await recordOf(tab)).toMatchObject({
      ...{ version: 3, tokenType: 'dpop', by: expect.stringMatching(new RegExp(`^${kind} `)) },
    })
    expect(e2e.servers.refreshes().map(({ status }) => status)).toEqual([200, 200])
    expect(await warningsOf(tab)).toEqual([])
  })
})

test('writes of a session to IndexedDB ask for strict durability', async () => {
  e2e.pages.setPrelude(rememberDurability)
  const tab = await signedInTab(e2e, await e2e.newProfile())
  await tab.run(() => {
    window.durabilities = []
  })
  await tab.run(async () => void (await window.app.client.getAccessToken({ forceRefresh: true })))
  // the mark before the token request, and the new tokens
  expect(await tab.run(() => window.durabilities)).toEqual(['strict', 'strict'])
})
