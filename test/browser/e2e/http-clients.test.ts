import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { fillForms, until } from '../../support/e2e.ts'
import { type E2eBrowser, launchE2eBrowser, type Profile, type Tab } from '../../support/e2e-browser.ts'
import { driversByName } from '../../support/http-clients/drivers.ts'
import { expectReplays, manyNotes, ROUND, refusalsAt, TEXT } from '../../support/http-clients/expectations.ts'
import { type LibrariesPage, startLibrariesPage } from '../../support/http-clients/start-page.ts'

const MANY = 20

let page: LibrariesPage
let browser: E2eBrowser
let profile: Profile

beforeAll(async () => {
  page = await startLibrariesPage()
  browser = await launchE2eBrowser()
})
afterEach(async () => {
  await profile?.close()
  forget()
})
afterAll(async () => {
  await browser?.close()
  await page?.close()
})

const forget = () => {
  page.servers.forget()
  page.api.forget()
}

const statusIs = (tab: Tab, status: string) =>
  until(`this tab is ${status}`, async () =>
    tab.run(wanted => window.libraries.client.session.status === wanted, status),
  )

/** A page whose user has just signed in, with access tokens that last `seconds`. */
async function signedInTab(seconds = 3600): Promise<Tab> {
  page.servers.issueFor(seconds)
  profile = await browser.newProfile()
  const tab = await profile.newTab(page.url)
  await statusIs(tab, 'signed-out')
  await tab.click('#sign-in')
  await fillForms(tab)
  await statusIs(tab, 'signed-in')
  return tab
}

const untilExpired = (tab: Tab) =>
  until('the access token has expired', () =>
    tab.run(() => {
      const { session } = window.libraries.client
      return session.status === 'signed-in' && Date.now() >= (session.accessTokenExpiresAt ?? Infinity)
    }),
  )

const connect = (tab: Tab, example: string) => tab.run(name => window.libraries.connect(name), example)

const round = (tab: Tab, library: number) =>
  tab.run(call => window.libraries.round(call), [library, TEXT] as const)

describe.each(driversByName)('%s over client.fetch in a page', (_, { example }) => {
  test('continues with one refresh when its token expires, and with one more when it is revoked', async () => {
    const { servers, api } = page
    const tab = await signedInTab(1)
    const library = await connect(tab, example)
    expect(await round(tab, library)).toEqual(ROUND)
    await untilExpired(tab)
    forget() // from here on, access tokens last an hour
    expect(await round(tab, library)).toEqual(ROUND)
    expect(refusalsAt(api)).toEqual([])
    expect(servers.refreshes()).toMatchObject([{ status: 200 }])

    await servers.revokeAccessTokensOf('alice')
    api.forget()
    expect(await tab.run(call => window.libraries.write(call), [library, TEXT] as const)).toEqual(ROUND[1])
    expect(refusalsAt(api).filter(({ method }) => method === 'POST')).toHaveLength(1)
    await expectReplays(api)
    expect(servers.refreshes()).toMatchObject([{ status: 200 }, { status: 200 }])

    await servers.revokeAccessTokensOf('alice')
    api.forget()
    const notes = manyNotes(MANY)
    const texts = notes.map(({ text }) => text)
    expect(await tab.run(call => window.libraries.many(call), [library, texts] as const)).toEqual(notes)
    expect(refusalsAt(api).length).toBeGreaterThan(0)
    await expectReplays(api)
    expect(servers.refreshes()).toHaveLength(3)
    expect(servers.replays()).toEqual([])
    await tab.run(index => window.libraries.close(index), library)
    expect(profile.console.filter(line => line.startsWith('uncaught'))).toEqual([])
  })
})

test.each(driversByName.filter(([, { example }]) => example === 'openai'))(
  '%s in a page reads a streamed response whose first request got a 401',
  async (_, { example }) => {
    const { servers, api } = page
    const tab = await signedInTab()
    const library = await connect(tab, example)
    await servers.revokeAccessTokensOf('alice')
    expect(await tab.run(call => window.libraries.stream(call), [library, TEXT] as const)).toBe(TEXT)
    expect(refusalsAt(api)).toMatchObject([{ method: 'POST' }])
    expect(servers.refreshes()).toMatchObject([{ status: 200 }])
  },
)
