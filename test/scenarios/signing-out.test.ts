import { describe, expect, test } from 'vitest'
import { hang, hold } from '../support/faults.ts'
import { pageAt } from '../support/leaving.ts'
import { API } from '../support/strict-api.ts'
import { type World, worlds } from '../support/world.ts'

const world = worlds()
const HOME = 'https://app.example.com/'
const OUT = { status: 'signed-out', reason: 'signed_out' }

/** A server that also ends its own sessions, and a page that controls when it may leave. */
function leaving(here: World) {
  Object.assign(here.as.metadata, { end_session_endpoint: `${here.as.issuer}/logout` })
  const left: string[] = []
  let leave = () => {}
  const page = {
    ...pageAt(HOME),
    leave: (url: string, gone = () => {}) =>
      new Promise<void>(resolve => {
        left.push(url)
        leave = () => {
          gone()
          resolve()
        }
      }),
  }
  return { page, left, leave: () => leave() }
}

describe('a sign-out in progress', () => {
  test('is shown immediately in every client until the page has left [F2.4]', async () => {
    const here = world()
    const { page, left, leave } = leaving(here)
    const one = await here.signedIn({ page, postLogoutRedirectUri: HOME })
    const other = here.client()
    await other.start()
    const seen: string[] = []
    other.subscribe(({ status }) => seen.push(status))
    const out = one.signOut()
    expect(one.session).toEqual({ status: 'signing-out' })
    await expect.poll(() => left.length).toBe(1)
    expect(one.session).toEqual({ status: 'signing-out' })
    expect(other.session).toEqual({ status: 'signing-out' })
    expect(await here.client().start()).toEqual({ status: 'signing-out' })
    leave()
    await out
    await expect.poll(() => other.session).toEqual(OUT)
    expect(seen).toEqual(['signing-out', 'signed-out'])
    expect(await here.client().start()).toEqual(OUT)
  })

  test('ends when its page returns, even if no other page saw it leave', async () => {
    const here = world()
    const { page, left } = leaving(here)
    const one = await here.signedIn({ page, postLogoutRedirectUri: HOME })
    void one.signOut()
    await expect.poll(() => left.length).toBe(1)
    one.dispose()
    const state = new URL(left[0] ?? '').searchParams.get('state')
    expect(await here.client({ page: pageAt(`${HOME}?state=${state}`) }).start()).toEqual(OUT)
  })

  test('ends for the other tabs after a limited time if its page dies', async () => {
    const here = world()
    const { page, left } = leaving(here)
    const one = await here.signedIn({ page, postLogoutRedirectUri: HOME })
    const other = here.client()
    await other.start()
    void one.signOut()
    await expect.poll(() => left.length).toBe(1)
    expect(other.session).toEqual({ status: 'signing-out' })
    one.dispose()
    here.clock.advance(20_001)
    expect(other.session).toEqual(OUT)
  })

  test('of nothing is over for the other clients when it is over here', async () => {
    const here = world()
    const one = await here.signedIn()
    const other = here.client()
    await other.start()
    for (const client of [one, one]) await client.signOut()
    await expect.poll(() => other.session).toEqual(OUT)
    expect(await here.client().start()).toEqual(OUT)
  })

  test('returns no token in any client', async () => {
    const here = world()
    here.as.failRevocation.push(hang)
    const one = await here.signedIn()
    const other = here.client()
    await other.start()
    void one.signOut()
    for (const client of [one, other]) {
      await expect(client.getAccessToken()).rejects.toMatchObject({ reason: 'signed_out' })
      await expect(client.fetch(`${API}/me`)).rejects.toMatchObject({ reason: 'signed_out' })
    }
    here.clock.advance(3000)
    await expect.poll(() => one.session).toEqual(OUT)
    expect(here.api.requests).toEqual([])
  })

  test('makes a sign-in from a typical route guard wait, in any client', async () => {
    const here = world()
    const { page, left, leave } = leaving(here)
    const begun: string[] = []
    const userAgent = {
      name: 'test',
      begin: (redirectUri: string) => ({
        redirectUri,
        authorize: async (url: string) => {
          begun.push(`after ${left.length} at the provider`)
          return here.as.approve(url)
        },
        close() {},
      }),
    }
    const one = await here.signedIn({ page, postLogoutRedirectUri: HOME })
    const other = here.client({ userAgent })
    await other.start()
    const out = one.signOut()
    await expect.poll(() => other.session.status).toBe('signing-out')
    const signedIn = other.signIn()
    await expect.poll(() => left.length).toBe(1)
    expect(begun).toEqual([])
    leave()
    await out
    expect(await signedIn).toMatchObject({ status: 'signed-in' })
    expect(begun).toEqual(['after 1 at the provider'])
  })

  test('that is requested twice runs once', async () => {
    const here = world()
    const client = await here.signedIn()
    await Promise.all([client.signOut(), client.signOut()])
    expect(here.as.revocations).toHaveLength(2)
    expect(client.session).toEqual(OUT)
  })
})

describe('a sign-out during a sign-in [F1.4]', () => {
  test.each(['the same client', 'another client of the store'])('by %s ends that sign-in too', async who => {
    const here = world()
    const one = here.client()
    const leaver = who === 'the same client' ? one : here.client()
    await Promise.all([one.start(), leaver.start()])
    const answer = hold()
    here.as.failNext.push(answer)
    const signIn = one.signIn().catch((error: unknown) => error)
    await answer.arrived
    await leaver.signOut()
    answer.release()
    expect(await signIn).toMatchObject({ code: 'ERR_AUTHORIZATION_REQUIRED', reason: 'signed_out' })
    expect(await here.stored()).toEqual([])
    await expect.poll(() => one.session).toEqual(OUT)
    // the late tokens are not used by any client, so latchkey revokes them
    await expect.poll(() => here.as.revocations.length).toBeGreaterThan(0)
  })

  test('ends a sign-in whose user is still at the provider and deletes its secrets [F5.4]', async () => {
    const here = world()
    const callbacks: string[] = []
    const leave = {
      name: 'redirect',
      begin: (redirectUri: string) => ({
        redirectUri,
        authorize: async (url: string) => {
          callbacks.push(here.as.approve(url))
          return undefined
        },
        close() {},
      }),
    }
    const one = await here.signedIn()
    await here.client({ userAgent: leave }).signIn()
    await one.signOut()
    expect(JSON.stringify(await here.stored(' transaction '))).not.toMatch(/codeVerifier":"[^"]/)
    const page = pageAt(callbacks[0] as string)
    expect(await here.client({ page }).start()).toEqual(OUT)
    expect(page.location()).not.toContain('code=')
    expect(here.as.count('authorization_code')).toBe(1)
  })

  test('does not affect a sign-in that starts after it', async () => {
    const here = world()
    const one = await here.signedIn()
    await one.signOut()
    expect(await one.signIn()).toMatchObject({ status: 'signed-in' })
    await one.signOut()
    expect(await here.client().signIn()).toMatchObject({ status: 'signed-in' })
  })
})
