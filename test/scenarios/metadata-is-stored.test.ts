import { describe, expect, test } from 'vitest'
import type { Fetch } from '../../src/core/ports.ts'
import { clientSecretPost } from '../../src/extensions/client-authentication.ts'
import { type TestClient, type World, worlds } from '../support/world.ts'

const world = worlds()
const DAY_MS = 24 * 3_600_000

const requestsOf = ({ as }: World) =>
  as.requests.filter(request => request === 'GET /.well-known/openid-configuration').length

const keyOf = async ({ store }: World): Promise<string | undefined> =>
  (await store.keyValue.keys('latchkey')).find(name => name.endsWith(' metadata'))

const refresh = (client: TestClient) => client.getAccessToken({ forceRefresh: true })

/** A world with a session, in which one page has refreshed and stored the metadata. */
async function worldWithMetadata() {
  const here = world()
  await here.signedIn()
  await refresh(here.client())
  await expect.poll(() => keyOf(here)).toBeDefined()
  expect(requestsOf(here)).toBe(2)
  return here
}

/** Refreshes with another client of the same store, such as a later page. */
async function refreshLater(change: (here: World) => unknown = () => {}) {
  const here = await worldWithMetadata()
  await change(here)
  const later = here.client()
  await refresh(later)
  expect(later.session).toMatchObject({ status: 'signed-in', claims: { sub: 'alice' } })
  return { here, later, requests: requestsOf(here) - 2 }
}

describe('the metadata that an earlier page has stored', () => {
  test('is used by a page that refreshes: it needs one request instead of two [F7.2]', async () => {
    const { here, requests } = await refreshLater()
    expect(requests).toBe(0)
    expect(here.as.requests.filter(request => request === 'POST /token')).toHaveLength(3)
  })

  test('is fetched again in the background by the next request of that page', async () => {
    const { here, later } = await refreshLater()
    here.clock.advance(60_000)
    await refresh(later)
    await expect.poll(() => requestsOf(here)).toBe(3)
    here.clock.advance(60_000)
    await refresh(later)
    expect(requestsOf(here)).toBe(3)
  })

  test('is used for a day', async () => {
    expect((await refreshLater(({ clock }) => clock.advance(DAY_MS - 1000))).requests).toBe(0)
    expect((await refreshLater(({ clock }) => clock.advance(DAY_MS))).requests).toBe(1)
  })

  test.each<[string, (stored: object) => unknown]>([
    ['that is damaged', () => 'damaged'],
    ['without members', stored => ({ ...stored, metadata: [] })],
    ['of another issuer', stored => ({ ...stored, metadata: { issuer: 'https://other.example' } })],
    ['from the future', stored => ({ ...stored, until: Number.MAX_SAFE_INTEGER })],
    ['without a time', stored => ({ ...stored, until: undefined })],
  ])('%s is fetched again', async (_what, change) => {
    const { requests } = await refreshLater(async here => {
      const key = (await keyOf(here)) ?? ''
      expect(await here.store.keyValue.get(key)).toMatchObject({ metadata: { issuer: here.as.issuer } })
      await here.store.keyValue.update(key, stored => change(Object(stored)))
    })
    expect(requests).toBe(1)
  })

  test('is fetched again for a sign-in, which must not lead to an address of yesterday', async () => {
    const here = await worldWithMetadata()
    await here.client().signIn()
    expect(requestsOf(here)).toBe(3)
  })

  test('leads to the new endpoint if the server has moved since, and something else answers at the old one [F9.2]', async () => {
    const here = await worldWithMetadata()
    const fetch: Fetch = async (input, init) => {
      const request = new Request(input, init)
      const { pathname } = new URL(request.url)
      if (pathname === '/token') return new Response('<h1>Not here</h1>', { status: 404 })
      return here.fetch(pathname === '/new' ? new Request(`${here.as.issuer}/token`, request) : request)
    }
    here.as.metadata.token_endpoint = `${here.as.issuer}/new`
    const later = here.client({ fetch })
    await refresh(later)
    expect(later.session.status).toBe('signed-in')
  })

  test('is fetched again while its endpoint cannot be reached, and the session continues', async () => {
    const here = await worldWithMetadata()
    const fetch: Fetch = async (input, init) => {
      const request = new Request(input, init)
      const { pathname } = new URL(request.url)
      if (pathname === '/token') throw new TypeError('fetch failed')
      return here.fetch(pathname === '/new' ? new Request(`${here.as.issuer}/token`, request) : request)
    }
    here.as.metadata.token_endpoint = `${here.as.issuer}/new`
    const later = here.client({ fetch })
    for (let tries = 0; tries < 2; tries++) {
      await refresh(later).catch(() => {})
      here.clock.advance(60_000)
    }
    expect(await refresh(later)).toBeDefined()
    expect(later.session.status).toBe('signed-in')
    expect(later.session).not.toHaveProperty('trouble')
  })

  test.each<[string, object]>([
    [
      'with credentials: a store must not decide where they are sent',
      { clientAuthentication: clientSecretPost('secret') },
    ],
    ['that is strict', { strict: true }],
  ])('is not used by a client %s', async (_what, options) => {
    const here = await worldWithMetadata()
    await refresh(here.client(options))
    expect(requestsOf(here)).toBe(3)
  })

  test('is not stored by a sign-in, which may be cancelled', async () => {
    const here = world()
    await here.signedIn()
    expect(await keyOf(here)).toBeUndefined()
  })
})
