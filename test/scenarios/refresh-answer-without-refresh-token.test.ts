import { expect, test } from 'vitest'
import { altered } from '../support/faults.ts'
import { API } from '../support/strict-api.ts'
import { worlds } from '../support/world.ts'

const world = worlds()

test.each([
  ['has none', undefined],
  ['has null', null],
  ['has an empty string', ''],
])('a refresh response that %s for a refresh token keeps the old one [RF02, RF03]', async (_what, value) => {
  const { signedIn, as, stored, expire } = world({ graceMs: 1e12 }) // this server accepts the old one
  const client = await signedIn()
  const [before] = (await stored()) as { tokens: { refreshToken: string } }[]
  expire()
  as.failNext.push(altered({ refresh_token: value }))
  expect((await client.fetch(`${API}/me`)).status).toBe(200)
  const [after] = (await stored()) as { version: number; tokens: { refreshToken: string } }[]
  expect(after?.tokens.refreshToken).toBe(before?.tokens.refreshToken)
  expect(after?.version).toBe(2)
  expect(
    client.told.find(event => event.type === 'token-response' && event.grantType === 'refresh_token'),
  ).toMatchObject({
    rotated: false,
  })
})

test.each([
  ['scope', undefined],
  ['scope', null],
  ['id_token', undefined],
  ['id_token', null],
])('a refresh response whose %s is %s keeps the old one', async (member, value) => {
  const { signedIn, as, expire } = world()
  const client = await signedIn()
  const before = client.session
  expire()
  as.failNext.push(altered({ [member]: value }))
  expect((await client.fetch(`${API}/me`)).status).toBe(200)
  const { claims, scope } = before as Extract<typeof before, { status: 'signed-in' }>
  expect(client.session).toMatchObject({ status: 'signed-in', scope })
  expect((client.session as typeof before & { claims: typeof claims }).claims?.sub).toBe(claims?.sub)
})

test.each([
  ['is missing', undefined],
  ['is null', null],
])('a token whose lifetime %s is used until a 401', async (_what, value) => {
  const { signedIn, as, clock, expire } = world()
  const client = await signedIn()
  expire()
  as.failNext.push(altered({ expires_in: value }))
  expect((await client.fetch(`${API}/me`)).status).toBe(200)
  expect(client.session).toMatchObject({ accessTokenExpiresAt: undefined })
  clock.advance(200_000)
  expect((await client.fetch(`${API}/me`)).status).toBe(200)
  expect(as.count('refresh_token')).toBe(1)
  expire()
  expect((await client.fetch(`${API}/me`)).status).toBe(200)
  expect(as.count('refresh_token')).toBe(2)
})

test('a session without a refresh token lasts as long as its access token', async () => {
  const { client, as, expire } = world()
  const one = client()
  as.failNext.push(altered({ refresh_token: undefined }))
  await one.signIn()
  expect((await one.fetch(`${API}/me`)).status).toBe(200)
  expire()
  await expect(one.fetch(`${API}/me`)).rejects.toMatchObject({
    code: 'ERR_AUTHORIZATION_REQUIRED',
    reason: 'no_refresh_token',
  })
  expect(one.session.status).toBe('signed-out')
  expect(as.count('refresh_token')).toBe(0)
})

test('a lifetime given as a string is understood, and an invalid one does not end the session', async () => {
  const { signedIn, as, clock, expire } = world()
  const client = await signedIn()
  expire()
  as.failNext.push(altered({ expires_in: '300' }))
  expect((await client.fetch(`${API}/me`)).status).toBe(200)
  expect(client.session).toMatchObject({ accessTokenExpiresAt: clock.now() + 300_000 })
})

test('a narrower scope in a refresh response is shown, and the next refresh can restore the full scope [RF13]', async () => {
  const { signedIn, as, expire } = world()
  const client = await signedIn({ scope: 'openid read write' })
  expire()
  as.failNext.push(altered({ scope: 'openid read' }))
  await client.fetch(`${API}/me`)
  expect(client.session).toMatchObject({ scope: ['openid', 'read'] })
  expire()
  await client.fetch(`${API}/me`)
  expect(client.session).toMatchObject({ scope: ['openid', 'read', 'write'] })
  expect(as.tokenRequests.map(({ scope }) => scope)).toEqual([undefined, undefined, undefined])
})
