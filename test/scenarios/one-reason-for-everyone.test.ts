import { describe, expect, test } from 'vitest'
import { oauthError } from '../support/faults.ts'
import { pageAt } from '../support/leaving.ts'
import { API } from '../support/strict-api.ts'
import { type World, worlds } from '../support/world.ts'

const world = worlds()
const HERE = 'https://app.example.com/notes'
const reasonOf = async (work: Promise<unknown>) =>
  work.then(
    () => 'none',
    (error: { reason?: string }) => error.reason,
  )

async function endedByTheServer(here: World) {
  const one = await here.signedIn()
  const other = here.client()
  await other.start()
  here.expire()
  here.as.endSessions()
  expect(await reasonOf(one.fetch(`${API}/me`))).toBe('expired')
  return { one, other }
}

describe('the reason why a session ended [F2.3]', () => {
  test('is the same for every call, client and restart, until the next sign-in', async () => {
    const here = world()
    const { one, other } = await endedByTheServer(here)
    const ended = { status: 'signed-out', reason: 'expired' }
    await expect.poll(() => other.session).toEqual(ended)
    const restarted = here.client()
    expect(await restarted.start()).toEqual(ended)
    for (const client of [one, other, restarted]) {
      for (let call = 0; call < 2; call++) {
        expect(await reasonOf(client.fetch(`${API}/me`))).toBe('expired')
        expect(await reasonOf(client.getAccessToken())).toBe('expired')
      }
      expect(client.session).toEqual(ended)
    }
    await other.signIn()
    for (const client of [one, restarted]) await expect.poll(() => client.session.status).toBe('signed-in')
    await other.signOut()
    for (const client of [one, restarted]) {
      await expect.poll(() => client.session).toEqual({ status: 'signed-out', reason: 'signed_out' })
    }
  })

  test('is emitted once, in each client that showed the session', async () => {
    const here = world()
    const { one, other } = await endedByTheServer(here)
    await expect.poll(() => other.session.status).toBe('signed-out')
    for (const client of [one, other]) {
      const ends = client.told.filter(({ type }) => type === 'session-ended')
      expect(ends).toEqual([expect.objectContaining({ reason: 'expired' })])
    }
  })

  test('does not prevent another client from restoring the session, whichever client saw the end first', async () => {
    const here = world()
    const { other } = await endedByTheServer(here)
    await expect.poll(() => other.session.status).toBe('signed-out')
    const page = here.client({ page: pageAt(HERE) })
    expect(await page.recover()).toMatchObject({ status: 'signed-in' })
  })

  test('is kept for later pages after an attempt without the user', async () => {
    const here = world()
    await endedByTheServer(here)
    const refuse = {
      name: 'test',
      begin: (redirectUri: string) => ({
        redirectUri,
        authorize: async (url: string) => {
          const state = new URL(url).searchParams.get('state') ?? ''
          return `${redirectUri}?${new URLSearchParams({ error: 'login_required', state, iss: here.as.issuer })}`
        },
        close() {},
      }),
    }
    const tried = here.client({ userAgent: refuse })
    expect(await reasonOf(tried.recover())).toBe('interaction_required')
    expect(await reasonOf(here.client().recover())).toBe('interaction_required')
  })
})

test('a session whose store was cleared ends as signed out, for every call [F2.3]', async () => {
  const here = world()
  const client = await here.signedIn()
  for (const key of await here.store.keyValue.keys('')) await here.store.keyValue.update(key, () => undefined)
  here.expire()
  expect(await reasonOf(client.fetch(`${API}/me`))).toBe('signed_out')
  expect(await reasonOf(client.fetch(`${API}/me`))).toBe('signed_out')
  expect(client.session).toEqual({ status: 'signed-out', reason: 'signed_out' })
})

test('a disposed client receives messages from the others again after start() [F2.6]', async () => {
  const here = world()
  const one = await here.signedIn()
  const other = here.client()
  // what React's StrictMode does to an effect
  const stop = other.subscribe(() => {})
  await other.start()
  stop()
  other.dispose()
  const seen: string[] = []
  other.subscribe(({ status }) => seen.push(status))
  await other.start()
  await one.signOut()
  await expect.poll(() => seen).toEqual(['signing-out', 'signed-out'])
})

describe('recover()', () => {
  test("uses the client's own user agent [F2.7]", async () => {
    const here = world()
    const ways: string[] = []
    const own = {
      name: 'own',
      begin(redirectUri: string) {
        ways.push('own')
        return { redirectUri, authorize: async (url: string) => here.as.approve(url), close() {} }
      },
    }
    const client = await here.signedIn({ userAgent: own })
    here.expire()
    here.as.failNext.push(oauthError('invalid_grant'))
    expect(await reasonOf(client.fetch(`${API}/me`))).toBe('expired')
    expect(await client.recover()).toMatchObject({ status: 'signed-in' })
    expect(ways).toEqual(['own', 'own'])
  })

  test('leaves the page if the own user agent is a window, which a browser would block', async () => {
    const here = world()
    const popup = { name: 'popup', begin: () => Promise.reject(new Error('blocked')) as never }
    const client = await here.signedIn({ page: pageAt(HERE), userAgent: undefined })
    here.expire()
    here.as.failNext.push(oauthError('invalid_grant'))
    expect(await reasonOf(client.fetch(`${API}/me`))).toBe('expired')
    const next = here.client({ page: pageAt(HERE), userAgent: popup })
    expect(await next.recover()).toMatchObject({ status: 'signed-in' })
  })
})

describe('two simultaneous calls of signIn()', () => {
  test('make one request if they ask for the same, even with different returnTo values', async () => {
    const here = world()
    const client = here.client()
    await Promise.all([client.signIn({ returnTo: '/a' }), client.signIn({ returnTo: '/b' }), client.signIn()])
    expect(here.as.count('authorization_code')).toBe(1)
  })

  test('make two requests if one asks for more [F2.12]', async () => {
    const here = world()
    const asked: (string | null)[] = []
    const userAgent = {
      name: 'test',
      begin: (redirectUri: string) => ({
        redirectUri,
        authorize: async (url: string) => {
          asked.push(new URL(url).searchParams.get('acr_values'))
          return here.as.approve(url)
        },
        close() {},
      }),
    }
    const client = here.client({ userAgent })
    await Promise.all([client.signIn(), client.signIn({ stepUp: { acrValues: 'gold' } })])
    // in any order: each derives its code challenge, and Web Crypto promises no order
    expect(asked.map(String).sort()).toEqual(['gold', 'null'])
    expect(client.session).toMatchObject({ status: 'signed-in' })
  })
})
