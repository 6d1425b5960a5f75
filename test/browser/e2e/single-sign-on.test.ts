import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { type Apps, startApps } from '../../../examples/single-sign-on/servers.ts'
import { textOf, until, untilShown } from '../../support/e2e.ts'
import { type E2eBrowser, launchE2eBrowser, type Profile, type Tab } from '../../support/e2e-browser.ts'

const script = fileURLToPath(new URL('../../support/sso-page.ts', import.meta.url))
let apps: Apps
let browser: E2eBrowser
let profile: Profile
beforeAll(async () => {
  apps = await startApps({ script })
  browser = await launchE2eBrowser()
})
afterEach(async () => {
  apps.limit(undefined)
  await profile?.close()
})
afterAll(async () => {
  await browser?.close()
  await apps?.close()
})

const subjectOf = (tab: Tab) => tab.run(() => window.sso.subject())
const untilSubject = (tab: Tab, subject: string) =>
  until(`this tab is signed in as ${subject}`, async () => (await subjectOf(tab)) === subject)
const untilSignedOut = (tab: Tab, reason: string) =>
  until(
    `this tab is signed out (${reason})`,
    async () => (await tab.run(() => window.sso.reason())) === reason,
  )
const ends = (tab: Tab) =>
  tab.run(() => window.sso.events.flatMap(event => (event.type === 'session-ended' ? [event.reason] : [])))

/** The pages that the browser visited at the provider, by path. */
const visits = (path: string) =>
  profile.requests.map(({ url }) => new URL(url)).filter(url => url.pathname.startsWith(path))

async function opened(url: string): Promise<Tab> {
  const tab = await profile.newTab(url)
  await until('the app has started', () => tab.run(() => window.sso?.start !== undefined))
  return tab
}

const signIn = (tab: Tab, parameters?: Record<string, string>, silentFirst = true) =>
  tab.run(
    ([authorizationParameters, isSilent]) =>
      void window.sso.client.signIn({
        silentFirst: isSilent,
        returnTo: '/notes?id=7#top',
        ...(authorizationParameters && { authorizationParameters }),
      }),
    [parameters, silentFirst] as const,
  )

async function giveName(tab: Tab, name: string): Promise<void> {
  await untilShown(tab, 'Sign in')
  await tab.fill('#user', name)
  await tab.click('button.yes')
}

/** The first app, at which this user has signed in. */
async function signedIn(name = 'alice', parameters?: Record<string, string>): Promise<Tab> {
  profile = await browser.newProfile()
  const tab = await opened(apps.one)
  await signIn(tab, parameters)
  await giveName(tab, name)
  await untilSubject(tab, name)
  return tab
}

describe('two apps on two origins with one provider', () => {
  test('signing in to the first app signs the user in to the second without a provider page, at the same location [F8.18]', async () => {
    const one = await signedIn()
    // the provider did not know the user: first a prompt=none request, then an interactive one
    expect(visits('/auth').map(({ searchParams }) => searchParams.get('prompt'))).toContain('none')
    expect(one.url()).toBe(`${apps.one}notes?id=7#top`)
    const pages = visits('/interaction/').length
    const two = await opened(apps.two)
    expect(await subjectOf(two)).toBeUndefined()
    await signIn(two)
    await untilSubject(two, 'alice')
    expect(two.url()).toBe(`${apps.two}notes?id=7#top`)
    expect(visits('/interaction/')).toHaveLength(pages)
    for (const tab of [one, two]) expect(await tab.run(() => window.sso.call())).toBe(200)
    expect(await two.run(() => document.querySelectorAll('iframe').length)).toBe(0)
  })

  test('a user who cancels at the provider is not asked again', async () => {
    profile = await browser.newProfile()
    const tab = await opened(apps.one)
    await signIn(tab)
    await untilShown(tab, 'Sign in')
    await tab.click('button[value=deny]')
    await until('the app says so', async () => (await tab.run(() => window.sso.start)) === 'access_denied')
    expect(tab.url()).toBe(`${apps.one}notes?id=7#top`)
    const asked = visits('/auth').filter(({ searchParams }) => searchParams.has('client_id'))
    expect(asked.map(({ searchParams }) => searchParams.get('prompt'))).toEqual(['none', null])
  })

  test('signing out of the first app signs out of all: its service is notified, and the second app notices at its next refresh', async () => {
    const one = await signedIn()
    const two = await opened(apps.two)
    await signIn(two)
    await untilSubject(two, 'alice')
    const sid = await two.run(() => {
      const { session } = window.sso.client
      return session.status === 'signed-in' ? session.claims?.sid : undefined
    })
    await one.run(() => void window.sso.client.signOut())
    await untilSignedOut(one, 'signed_out')
    await until('the provider has told the service', () => apps.loggedOut.length >= 2)
    expect(apps.loggedOut).toContainEqual(expect.objectContaining({ sessionId: sid }))
    expect(await two.run(() => window.sso.refresh())).toBe('expired')
    await untilSignedOut(two, 'expired')
    expect(await ends(two)).toEqual(['expired'])
    // the provider's own session has ended
    await signIn(two)
    await untilShown(two, 'Sign in')
  })

  test("the provider's front-channel frame signs out the other app immediately, in all its tabs", async () => {
    const one = await signedIn()
    const two = await opened(apps.two)
    await signIn(two)
    await untilSubject(two, 'alice')
    const another = await opened(apps.two)
    await untilSubject(another, 'alice')
    const { iss, sid } = await two.run(() => {
      const { session } = window.sso.client
      return { ...(session.status === 'signed-in' && session.claims) } as { iss: string; sid: string }
    })
    const frame = `${apps.two}front-channel-logout?${new URLSearchParams({ iss, sid })}`
    await one.run(
      src => void document.body.append(Object.assign(document.createElement('iframe'), { src })),
      frame,
    )
    for (const tab of [two, another]) {
      await untilSignedOut(tab, 'signed_out')
      expect(await ends(tab)).toEqual(['signed_out'])
    }
    expect(await subjectOf(one)).toBe('alice') // the frame belonged to the other app
  })

  test('another user at the provider does not change a session silently, and replaces it completely when signing in', async () => {
    const one = await signedIn()
    const two = await opened(apps.two)
    await signIn(two, { prompt: 'login' }, false)
    await giveName(two, 'bob')
    await untilSubject(two, 'bob')
    await one.run(
      () =>
        void window.sso.client.signIn({ authorizationParameters: { prompt: 'none' }, returnTo: '/notes' }),
    )
    await until('the answer was handled', async () => {
      const [start, events] = await one.run(() => [window.sso.start, window.sso.events] as const)
      return one.url() === `${apps.one}notes` && start === 'signed-in' && events.length > 0
    })
    expect(await subjectOf(one)).toBe('alice')
    await signIn(one)
    await untilSubject(one, 'bob')
  })
})

test("a user needs only the pages' buttons for all of that", async () => {
  profile = await browser.newProfile()
  const [one, two] = [await opened(apps.one), await opened(apps.two)]
  const untilText = (tab: Tab, text: string) =>
    until(`the page says "${text}"`, async () => (await textOf(tab, '#state')) === text)
  await one.click('#sign-in')
  await giveName(one, 'alice')
  await untilText(one, 'Signed in as alice.')
  await two.click('#sign-in')
  await untilText(two, 'Signed in as alice.')
  await two.click('#call')
  await untilText(two, 'The API answered 200.')
  await one.click('#switch')
  await giveName(one, 'bob')
  await untilText(one, 'Signed in as bob.')
  await one.click('#sign-out')
  await untilText(one, 'Signed out (signed_out).')
})

test('the example starts with one command', async () => {
  const child = spawn(process.execPath, ['--import', 'tsx', 'examples/single-sign-on/start.ts'], {
    cwd: fileURLToPath(new URL('../../..', import.meta.url)),
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const ended = once(child, 'exit')
  try {
    let said = ''
    child.stdout.setEncoding('utf8').on('data', text => {
      said += text
    })
    await until('it prints the addresses', () => said.includes('Ctrl-C'))
    const [, address = ''] = /^App two +(\S+)$/m.exec(said) ?? []
    profile = await browser.newProfile()
    const tab = await profile.newTab(address)
    await until('the app has started', async () => (await textOf(tab, '#state')) === 'Signed out.')
  } finally {
    child.kill('SIGTERM')
  }
  expect(await ended).toEqual([0, null])
})

test('switching accounts and organisations leaves nothing of the previous one in any tab', async () => {
  const one = await signedIn('alice', { login_hint: 'alice', organization: 'org-of-alice' })
  const other = await opened(apps.one)
  await untilSubject(other, 'alice')
  const before = await one.run(async () => ({
    accessToken: await window.sso.client.getAccessToken(),
    kept: await window.sso.kept(),
  }))
  expect(before.kept).toContain(before.accessToken)
  const refreshToken = /"refreshToken":"([^"]+)"/.exec(before.kept)?.[1]
  await signIn(one, { prompt: 'login', login_hint: 'bob', organization: 'org-of-bob' }, false)
  await giveName(one, 'bob')
  for (const tab of [one, other]) await untilSubject(tab, 'bob')
  const kept = await one.run(() => window.sso.kept())
  for (const trace of ['alice', before.accessToken, refreshToken ?? 'no refresh token'])
    expect(kept.includes(trace), trace).toBe(false)
  expect(kept).toContain('org-of-bob')
  for (const tab of [one, other]) expect(await tab.run(() => window.sso.call())).toBe(200)
  expect(await ends(other)).toEqual(['replaced'])
  const asked = visits('/auth').filter(({ searchParams }) => searchParams.has('client_id'))
  expect(asked.at(-1)?.searchParams.get('organization')).toBe('org-of-bob')
})

/** Two tabs of the first app, signed in, with an idle limit. */
async function twoTabs(limits: Parameters<Apps['limit']>[0]): Promise<[Tab, Tab]> {
  apps.limit(limits)
  const one = await signedIn()
  const two = await opened(apps.one)
  await untilSubject(two, 'alice')
  return [one, two]
}

test('two tabs share an idle limit: a click in one withdraws the warning in both', async () => {
  // the warning comes after 4 s; the machine may stop for a while before it is withdrawn, and a later one be shown
  const [one, two] = await twoTabs({ maxIdleSeconds: 64, warnSeconds: 60 })
  const endOf = (tab: Tab) => tab.run(() => window.sso.limits?.ending?.endsAt ?? Infinity)
  const reasonOf = (tab: Tab) => tab.run(() => window.sso.limits?.ending?.reason)
  for (const tab of [one, two])
    await until('the warning is shown', async () => (await reasonOf(tab)) === 'idle_limit')
  const announced = await endOf(two)
  await one.click('body')
  expect(await reasonOf(one)).toBeUndefined()
  await until('the other tab takes it back', async () => (await endOf(two)) > announced + 1000)
  for (const tab of [one, two]) expect(await subjectOf(tab)).toBe('alice')
})

test('two tabs share an idle limit: clicks in one keep both, and both end together', async () => {
  const [one, two] = await twoTabs({ maxIdleSeconds: 10, warnSeconds: 0 })
  const clickFor = performance.now() + 11_000
  while (performance.now() < clickFor) {
    await one.click('body')
    await new Promise(resolve => setTimeout(resolve, 250))
  }
  for (const tab of [one, two]) expect(await subjectOf(tab)).toBe('alice')
  for (const tab of [one, two]) {
    await untilSignedOut(tab, 'idle_limit')
    expect(await ends(tab)).toEqual(['idle_limit'])
  }
  await one.reload()
  await until('the app has started', () => one.run(() => window.sso?.start !== undefined))
  expect(await one.run(() => window.sso.reason())).toBe('idle_limit')
})
