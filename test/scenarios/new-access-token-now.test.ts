import { expect, test } from 'vitest'
import { hold, oauthError } from '../support/faults.ts'
import { worlds } from '../support/world.ts'

const world = worlds()

test('getAccessToken({ forceRefresh }) returns a new access token and updates the claims [F8.3]', async () => {
  const { signedIn, as } = world()
  const client = await signedIn()
  const old = await client.getAccessToken()
  as.idTokenClaims = { roles: ['admin'] }
  const renewed = await client.getAccessToken({ forceRefresh: true })
  expect(renewed).not.toBe(old)
  expect(client.session).toMatchObject({ status: 'signed-in', claims: { roles: ['admin'] } })
  expect(await client.getAccessToken()).toBe(renewed)
  expect(as.count('refresh_token')).toBe(1)
})

test('ten callers of getAccessToken({ forceRefresh }) in two clients of one store share one refresh [F8.3]', async () => {
  const { signedIn, client, as } = world()
  const one = await signedIn()
  const other = client()
  await other.start()
  const all = [one, other].flatMap(some =>
    Array.from({ length: 5 }, () => some.getAccessToken({ forceRefresh: true })),
  )
  expect(new Set(await Promise.all(all)).size).toBe(1)
  expect(as.count('refresh_token')).toBe(1)
})

test('getAccessToken({ rejected }) refreshes only while that token is the newest [F8.3]', async () => {
  const { signedIn, client, as } = world()
  const one = await signedIn()
  const other = client()
  await other.start()
  const rejected = await one.getAccessToken()
  const renewed = await one.getAccessToken({ rejected })
  expect(renewed).not.toBe(rejected)
  expect(await one.getAccessToken({ rejected })).toBe(renewed)
  expect(await other.getAccessToken({ rejected })).toBe(renewed)
  expect(as.count('refresh_token')).toBe(1)
})

test('a forced refresh that the server rejects twice keeps a session whose access token still works [F8.3]', async () => {
  const { signedIn, as, clock } = world()
  const client = await signedIn()
  const old = await client.getAccessToken()
  for (let tries = 0; tries < 2; tries++) {
    as.failNext.push(oauthError('invalid_request'))
    const refused = client.getAccessToken({ forceRefresh: true })
    await expect(refused).rejects.toMatchObject({ code: 'ERR_SERVER', error: 'invalid_request' })
    clock.advance(70_000)
  }
  expect(client.session.status).toBe('signed-in')
  expect(await client.getAccessToken()).toBe(old)
})

test('a forced refresh without a refresh token rejects, and the session stays [F8.3]', async () => {
  const { signedIn, as } = world()
  as.moreMembers = { refresh_token: undefined }
  const client = await signedIn()
  const forced = client.getAccessToken({ forceRefresh: true })
  await expect(forced).rejects.toMatchObject({ reason: 'no_refresh_token' })
  expect(client.session.status).toBe('signed-in')
})

test('the signal of one caller ends only its own wait for a forced refresh [F8.3]', async () => {
  const { signedIn, as } = world()
  const client = await signedIn()
  const slow = hold()
  as.failNext.push(slow)
  const controller = new AbortController()
  const aborted = client.getAccessToken({ forceRefresh: true, signal: controller.signal })
  const other = client.getAccessToken({ forceRefresh: true })
  await slow.arrived
  controller.abort()
  await expect(aborted).rejects.toMatchObject({ name: 'AbortError' })
  slow.release()
  expect(await other).toBe(await client.getAccessToken())
})

test('getAccessToken({ forceRefresh }) for one API leaves the access tokens of other APIs unchanged [F8.3]', async () => {
  const { signedIn, as } = world()
  const billing = 'https://billing.example.com'
  const client = await signedIn({ resources: { [billing]: { resource: billing } } })
  const general = await client.getAccessToken()
  const old = await client.getAccessToken({ resource: billing })
  const renewed = await client.getAccessToken({ resource: billing, forceRefresh: true })
  expect(renewed).not.toBe(old)
  expect(await client.getAccessToken()).toBe(general)
  expect(as.tokenRequests.at(-1)).toMatchObject({ resource: billing, outcome: 'ok' })
})
