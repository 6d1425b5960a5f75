import { expect, test } from 'vitest'
import { API } from '../support/strict-api.ts'
import { worlds } from '../support/world.ts'

const world = worlds()

test('headers that can be walked through only once arrive, with the first send and with the replay', async () => {
  const { signedIn, as, api } = world()
  const client = await signedIn()
  as.revokeAccessTokens()
  const headers = new Map([['x-mine', 'yes']]).entries() as unknown as [string, string][]
  expect((await client.fetch(`${API}/me`, { headers })).status).toBe(200)
  expect(api.requests.map(request => request.headers['x-mine'])).toEqual(['yes', 'yes'])
})

test('a Request in place of init is taken as fetch takes it', async () => {
  const { signedIn, api } = world()
  const client = await signedIn()
  const init = new Request(`${API}/other`, { method: 'PUT', headers: { 'x-mine': 'yes' }, body: 'text' })
  expect((await client.fetch(`${API}/me`, init)).status).toBe(200)
  expect(api.requests[0]).toMatchObject({ method: 'PUT', body: 'text', headers: { 'x-mine': 'yes' } })
})

test('it may be passed on unbound', async () => {
  const { signedIn } = world()
  const { fetch } = await signedIn()
  expect((await fetch(`${API}/me`)).status).toBe(200)
})

test('a call that is under way while the client is disposed still ends', async () => {
  const { signedIn, expire } = world()
  const client = await signedIn()
  expire()
  const call = client.fetch(`${API}/me`)
  client.dispose()
  expect((await call).status).toBe(200)
})

test('a call before start() finds the session that is stored', async () => {
  const { signedIn, client, as } = world()
  await signedIn()
  const later = client()
  expect(later.session).toEqual({ status: 'starting' })
  const calls = await Promise.all([
    later.fetch(`${API}/me`),
    later.fetch(`${API}/me`),
    later.getAccessToken(),
  ])
  expect(calls[0]).toMatchObject({ status: 200 })
  expect(as.count('refresh_token')).toBe(0)
  expect(later.session.status).toBe('signed-in')
})

test('a call of who is signed out rejects with a typed error, and nothing is sent', async () => {
  const { client, api, as } = world()
  await expect(client().fetch(`${API}/me`)).rejects.toMatchObject({
    code: 'ERR_AUTHORIZATION_REQUIRED',
    reason: 'no_session',
  })
  expect([api.requests.length, as.requests.length]).toEqual([0, 0])
})
