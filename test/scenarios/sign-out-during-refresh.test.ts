import { expect, test } from 'vitest'
import { hang, hold, reset } from '../support/faults.ts'
import { API } from '../support/strict-api.ts'
import { worlds } from '../support/world.ts'

const world = worlds()

test('a token response that arrives after a sign-out is dropped and its refresh token revoked [RF15]', async () => {
  const { signedIn, as, stored, expire } = world()
  const client = await signedIn()
  expire()
  const answer = hold()
  as.failNext.push(answer)
  const call = client.fetch(`${API}/me`).catch((error: unknown) => error)
  await answer.arrived
  await client.signOut()
  expect(client.session).toEqual({ status: 'signed-out', reason: 'signed_out' })
  expect(await stored()).toEqual([])
  answer.release()
  expect(await call).toMatchObject({ code: 'ERR_AUTHORIZATION_REQUIRED', reason: 'signed_out' })
  const { sent } = as.tokenRequests.at(-1) ?? {}
  // the old refresh token and, when the response arrives, the one that replaced it
  await expect
    .poll(() => as.revocations.filter(({ hint, token }) => hint === 'refresh_token' && token !== sent))
    .toHaveLength(1)
  expect(await stored()).toEqual([])
  expect(client.session).toEqual({ status: 'signed-out', reason: 'signed_out' })
  expect(client.types().filter(type => type === 'session-ended')).toHaveLength(1)
})

test('callers that wait for a refresh are rejected immediately by a sign-out', async () => {
  const { signedIn, as, expire } = world()
  const client = await signedIn()
  expire()
  as.failNext.push(hang)
  const call = client.fetch(`${API}/me`).catch((error: unknown) => error)
  await expect.poll(() => as.count('refresh_token')).toBe(1)
  await client.signOut()
  expect(await call).toMatchObject({ code: 'ERR_AUTHORIZATION_REQUIRED', reason: 'signed_out' })
})

test('a sign-out in another client reaches the one that refreshes', async () => {
  const { signedIn, client, as, stored, expire } = world()
  const one = await signedIn()
  const other = client()
  await other.start()
  expire()
  const answer = hold()
  as.failNext.push(answer)
  const call = one.fetch(`${API}/me`).catch((error: unknown) => error)
  await answer.arrived
  await other.signOut()
  answer.release()
  expect(await call).toMatchObject({ code: 'ERR_AUTHORIZATION_REQUIRED', reason: 'signed_out' })
  expect(await stored()).toEqual([])
  await expect.poll(() => one.session.status).toBe('signed-out')
})

test('a sign-in as another user during a refresh keeps the new session and revokes the late tokens [RF16]', async () => {
  let user = 'alice'
  const { signedIn, as, api, stored, expire } = world()
  const client = await signedIn({ subject: () => user })
  expire()
  const answer = hold()
  as.failNext.push(answer)
  const call = client.fetch(`${API}/me`).catch((error: unknown) => error)
  await answer.arrived
  user = 'bob'
  await client.signIn()
  const [bobs] = await stored()
  answer.release()
  expect(await call).toMatchObject({ code: 'ERR_AUTHORIZATION_REQUIRED', reason: 'replaced' })
  await expect.poll(() => as.revocations.length).toBe(1)
  expect(await stored()).toEqual([bobs])
  expect(client.session).toMatchObject({ status: 'signed-in', claims: { sub: 'bob' } })
  expect(await (await client.fetch(`${API}/me`)).json()).toMatchObject({ who: 'bob' })
  // no request of alice was sent with bob's token
  expect(api.requests).toHaveLength(1)
})

test('a sign-out revokes both tokens, empties the store, and later calls reject [LO01]', async () => {
  const { signedIn, as, stored } = world()
  const client = await signedIn()
  await client.signOut()
  expect(as.revocations.map(({ hint }) => hint)).toEqual(['refresh_token', 'access_token'])
  expect(await stored()).toEqual([])
  expect(JSON.stringify(await stored(''))).not.toMatch(/access-|refresh-/)
  await expect(client.fetch(`${API}/me`)).rejects.toMatchObject({ code: 'ERR_AUTHORIZATION_REQUIRED' })
  await expect(client.getAccessToken()).rejects.toMatchObject({ code: 'ERR_AUTHORIZATION_REQUIRED' })
  await client.signOut()
  expect(as.revocations).toHaveLength(2)
})

test('a sign-out succeeds while the server is down or does not respond [LO03]', async () => {
  const { client, as, clock, stored } = world()
  const one = client()
  for (const fault of [reset, hang]) {
    await one.signIn()
    as.failRevocation.push(fault, fault)
    const before = as.revocations.length
    const out = one.signOut()
    await expect.poll(() => as.revocations.length).toBeGreaterThan(before)
    expect(one.session.status).toMatch(fault === hang ? 'signing-out' : /^sign(ing|ed)-out$/)
    expect(await stored()).toEqual([])
    clock.advance(3000)
    await out
    expect(one.session).toEqual({ status: 'signed-out', reason: 'signed_out' })
    as.failRevocation.length = 0
  }
  await expect
    .poll(() => one.told.filter(event => event.type === 'revocation-response' && !event.ok).length)
    .toBeGreaterThan(0)
})
