import { expect, test } from 'vitest'
import type { Store, UserAgent } from '../../src/core/ports.ts'
import { sharedStore } from '../support/tabs.ts'
import { type TestClient, type World, worlds } from '../support/world.ts'

const world = worlds()

const storeOf = (here: World, name: string): Store => ({ ...sharedStore(here.clock), name })

/** Two clients of one issuer and `client_id`, each with its own store. */
const accounts = (here: World) => {
  const stores = [storeOf(here, 'work'), storeOf(here, 'private')] as const
  return { stores, work: here.client({ store: stores[0] }), own: here.client({ store: stores[1] }) }
}

/** Starts a sign-in by redirect. The callback URL arrives later. */
async function callbackOf(here: World, client: TestClient, subject: string): Promise<string> {
  let callback = ''
  const redirect: UserAgent = {
    name: 'redirect',
    begin: redirectUri => ({
      redirectUri,
      async authorize(url) {
        callback = here.as.approve(url, subject)
        return undefined
      },
      close() {},
    }),
  }
  await client.signIn({ userAgent: redirect })
  return callback
}

test('each of two accounts at one issuer and client gets only the response to its own sign-in [F8.14]', async () => {
  const here = world()
  const { work, own } = accounts(here)
  const [forWork, forOwn] = [await callbackOf(here, work, 'alice'), await callbackOf(here, own, 'bob')]
  // a page passes every response to all of its clients, in any order
  expect(await own.handleCallback(forWork)).toEqual({ handled: false })
  expect(await work.handleCallback(forOwn)).toEqual({ handled: false })
  expect(here.as.tokenRequests).toEqual([])
  expect(await own.handleCallback(forOwn)).toMatchObject({ handled: true })
  expect(await work.handleCallback(forWork)).toMatchObject({ handled: true })
  expect(work.session).toMatchObject({ claims: { sub: 'alice' } })
  expect(own.session).toMatchObject({ claims: { sub: 'bob' } })
  expect(here.as.count('authorization_code')).toBe(2)
})

test('a client that is signed in ignores the response to another account [F8.14]', async () => {
  const here = world()
  const { work, own } = accounts(here)
  await work.signIn()
  const forOwn = await callbackOf(here, own, 'bob')
  expect(await work.handleCallback(forOwn)).toEqual({ handled: false })
  expect(work.session).toMatchObject({ claims: { sub: 'alice' } })
})

test('a client reports a response to its own forgotten sign-in as lost [F8.14]', async () => {
  const here = world()
  const { work, stores } = accounts(here)
  const callback = await callbackOf(here, work, 'alice')
  const [{ keyValue }] = stores
  for (const key of await keyValue.keys('')) await keyValue.update(key, () => undefined)
  await expect(work.handleCallback(callback)).rejects.toMatchObject({ reason: 'state_not_found' })
})
