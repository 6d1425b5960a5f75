import { afterAll, afterEach, beforeAll } from 'vitest'
import type { SessionRecord } from '../../src/core/session.ts'
import { type E2eBrowserOptions, launchE2eBrowser, type Profile, type Tab } from './e2e-browser.ts'
import { type E2ePages, startE2ePages } from './e2e-pages.ts'
import type { TestServers } from './server.ts'

/** The servers of the end-to-end tests. */
export interface Stage {
  readonly servers: TestServers
  readonly pages: E2ePages
}

export interface E2e<P = Profile> extends Stage {
  /** Creates a user with an empty browser. It is closed after the test. */
  newProfile(): Promise<P>
}

interface Launched<P> {
  newProfile(): Promise<P>
  close(): Promise<void>
}

/** Starts Chromium and one set of servers for the tests of a file. */
export const endToEnd = (options: E2eBrowserOptions = {}): E2e => endToEndIn(() => launchE2eBrowser(options))

/** Starts any browser and one set of servers for the tests of a file or a `describe`. */
export function endToEndIn<P extends { close(): Promise<void> }>(launch: () => Promise<Launched<P>>): E2e<P> {
  let browser: Launched<P> | undefined
  let pages: E2ePages | undefined
  let profiles: P[] = []

  const up = (): E2ePages => {
    if (!pages) throw new Error('The servers are up while tests run, and only then.')
    return pages
  }

  beforeAll(async () => {
    pages = await startE2ePages()
    browser = await launch()
  })
  afterEach(async () => {
    up().servers.fault(undefined)
    const closing = profiles.map(profile => profile.close())
    profiles = []
    // Chromium has once not answered here for minutes; at the end of the file, the whole browser is closed anyway
    await within(CLOSING_MS, Promise.all(closing))
    up().servers.forget()
    up().setMode('start')
    up().setPrelude('')
    up().setLazy(false)
    up().serveHost('host')
    up().allowWorkers("'self'")
    up().failSecondHalf(false)
  })
  afterAll(async () => {
    await browser?.close()
    await pages?.close()
  })

  return {
    get servers() {
      return up().servers
    },
    get pages() {
      return up()
    },
    async newProfile() {
      if (!browser) throw new Error('The browser is up while tests run, and only then.')
      const profile = await browser.newProfile()
      profiles.push(profile)
      return profile
    },
  }
}

/** Browsers work for 5 ms for each look, so a longer wait looks less often. */
const looksAgainAfter = (waitedMs: number) => Math.min(Math.max(25, waitedMs / 8), 150)
const CLOSING_MS = 10_000

/** Waits for `work`, but at most `ms` milliseconds. */
async function within(ms: number, work: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise(resolve => {
    timer = setTimeout(resolve, ms)
  })
  await Promise.race([work, late]).finally(() => clearTimeout(timer))
}

/**
 * Waits until `check` resolves with true. An error counts as false, because pages are replaced meanwhile.
 * @throws Error that contains `what`.
 */
export async function until(
  what: string,
  check: () => boolean | Promise<boolean>,
  timeoutMs = 30_000,
): Promise<void> {
  const from = performance.now()
  const waitedMs = () => performance.now() - from
  let last: unknown
  while (waitedMs() < timeoutMs) {
    try {
      if (await check()) return
      last = undefined
    } catch (error) {
      last = error
    }
    await new Promise(resolve => setTimeout(resolve, looksAgainAfter(waitedMs())))
  }
  throw new Error(`Waited ${timeoutMs} ms in vain until ${what}.`, { cause: last })
}

/** A tab of any engine. */
type Reachable = Pick<Tab, 'run' | 'click' | 'fill'>

/** The text of the element; '' if there is none. */
export const textOf = (tab: Reachable, selector: string): Promise<string> =>
  tab.run(where => document.querySelector(where)?.textContent?.trim() ?? '', selector)

/** Waits for the page with this heading. */
export const untilShown = (tab: Reachable, heading: string): Promise<void> =>
  until(`"${heading}" is shown`, async () => (await textOf(tab, 'h1')) === heading)

/** Fills in the authorization server's forms: enters a name, and allows everything if asked. The server then redirects. */
export async function fillForms(tab: Reachable, userName = 'alice', isAsked = true): Promise<void> {
  await untilShown(tab, 'Sign in')
  await tab.fill('#user', userName)
  await tab.click('button.yes')
  if (!isAsked) return
  await untilShown(tab, 'Allow access?')
  await tab.click('button.yes')
}

export const addressOf = (tab: Reachable): Promise<string> => tab.run(() => location.href)

export const statusOf = (tab: Pick<Tab, 'run'>): Promise<string> =>
  tab.run(() => window.app.client.session.status)

/** Waits for the session of the test app in this tab. */
export const untilStatus = (tab: Pick<Tab, 'run'>, status: 'signed-in' | 'signed-out'): Promise<void> =>
  until(`this tab is ${status}`, async () => (await statusOf(tab)) === status)

/**
 * Opens the test app and signs in by redirect.
 * @param seconds see `shorten`; if left out, access tokens live for an hour.
 */
export async function signedInTab<T extends Reachable>(
  { servers, pages }: Stage,
  profile: { newTab(url: string): Promise<T> },
  seconds?: number,
  userName = 'alice',
): Promise<T> {
  servers.issueFor(3600)
  const tab = await profile.newTab(pages.appUrl)
  await untilStatus(tab, 'signed-out')
  await tab.click('#sign-in')
  await fillForms(tab, userName)
  await untilStatus(tab, 'signed-in')
  if (seconds !== undefined) await shorten(servers, tab, seconds)
  return tab
}

/**
 * Refreshes in this tab, and lets access tokens live for `seconds` from then on: not from the sign-in, because pages may take
 * longer than that to load. The requests so far are forgotten.
 */
export async function shorten(servers: TestServers, tab: Pick<Tab, 'run'>, seconds: number): Promise<void> {
  servers.issueFor(seconds)
  await tab.run(async () => void (await window.app.client.getAccessToken({ forceRefresh: true })))
  servers.forgetRequests()
}

/** Waits until this tab's access token has expired. */
export const untilExpired = (tab: Reachable): Promise<void> =>
  until('the access token has expired', () => tab.run(() => window.app.isExpired()))

/** Reads the stored records of sessions of this tab's origin. */
export const storedRecords = (tab: Reachable): Promise<SessionRecord[]> =>
  tab.run(
    () =>
      new Promise((resolve, reject) => {
        const opening = indexedDB.open('latchkey')
        opening.onerror = () => reject(opening.error)
        opening.onsuccess = () => {
          const all = opening.result.transaction('latchkey').objectStore('latchkey').getAll()
          all.onsuccess = () => {
            opening.result.close()
            resolve(all.result.filter(record => record.tokens))
          }
        }
      }),
  )

/** Makes a page of alice start a refresh that the server has processed, but whose response it holds back. */
export async function beginRefresh(
  { servers }: Pick<Stage, 'servers'>,
  tab: Pick<Tab, 'run'>,
): Promise<void> {
  await servers.revokeAccessTokensOf('alice')
  const before = servers.refreshes().length
  servers.fault('late')
  await tab.run(() => void window.app.call())
  await until('the token request has arrived', () => servers.refreshes().length > before)
}
