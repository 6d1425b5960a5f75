import { expect, test } from 'vitest'
import { type World, worlds } from '../support/world.ts'

const world = worlds()
const HOUR_MS = 3_600_000

/** Counts the requests for the server's keys by all clients. */
function counting(here: World) {
  let requests = 0
  const client = (options: { session?: string } = {}) =>
    here.client({
      ...options,
      fetch(input, init) {
        if (String(input).endsWith('/jwks')) requests++
        return here.fetch(input, init)
      },
    })
  return { client, requests: () => requests }
}

/** Signs in with one client, then refreshes with another one of the same store, such as another tab or a later page. */
async function refreshInAnother(change: (here: World) => unknown = () => {}): Promise<number> {
  const here = world()
  const { client, requests } = counting(here)
  await client().signIn()
  expect(requests()).toBe(1)
  await change(here)
  const other = client()
  await other.getAccessToken({ forceRefresh: true })
  expect(other.session).toMatchObject({ status: 'signed-in', claims: { sub: 'alice' } })
  expect(other.types()).not.toContain('warning')
  return requests() - 1
}

const keysOf = async (here: World): Promise<string> => {
  const [key] = (await here.store.keyValue.keys('latchkey')).filter(name => name.endsWith(' keys'))
  return key ?? ''
}

test('the keys for ID Tokens are stored: another page does not request them [F7.2]', async () => {
  expect(await refreshInAnother()).toBe(0)
})

test('all sessions of an issuer in one store share its keys', async () => {
  const here = world()
  const { client, requests } = counting(here)
  await client({ session: 'alice' }).signIn()
  await client({ session: 'bob' }).signIn()
  expect(requests()).toBe(1)
  expect((await here.store.keyValue.keys('latchkey')).filter(name => name.endsWith(' keys'))).toHaveLength(1)
})

test('stored keys are used for an hour', async () => {
  expect(await refreshInAnother(here => here.clock.advance(HOUR_MS - 1000))).toBe(0)
  expect(await refreshInAnother(here => here.clock.advance(HOUR_MS))).toBe(1)
})

test.each([
  ['that are damaged', () => ({ jwksUri: 'x', until: 'soon', keys: 'none' })],
  ['of another address', (stored: unknown) => ({ ...Object(stored), jwksUri: 'https://other.example/jwks' })],
  [
    'whose time is too far ahead',
    (stored: unknown) => ({ ...Object(stored), until: Number.MAX_SAFE_INTEGER }),
  ],
])('stored keys %s are requested again', async (_what, change) => {
  expect(
    await refreshInAnother(async here => {
      expect(await here.store.keyValue.get(await keysOf(here))).toMatchObject({ keys: [{ kty: 'RSA' }] })
      await here.store.keyValue.update(await keysOf(here), change)
    }),
  ).toBe(1)
})

test('stored keys without the key of an ID Token are requested again', async () => {
  expect(
    await refreshInAnother(async here =>
      here.store.keyValue.update(await keysOf(here), stored => ({ ...Object(stored), keys: [] })),
    ),
  ).toBe(1)
})
