import { expect, test } from 'vitest'
import { type ClientEvent, NetworkError, type Session } from '../../../src/index.ts'
import { createTestClient, handClock } from '../../../src/testing.ts'
import { userInfo } from '../../../src/userinfo.ts'

const ok = async () => Response.json({})

test('the session is available immediately, frozen, and the same object until something changes', () => {
  const client = createTestClient()
  expect(client.session).toEqual({ status: 'signed-out' })
  expect(client.session).toBe(client.session)
  client.signInAs('alice', 'openid notes')
  expect(Object.isFrozen(client.session)).toBe(true)
  expect(client.session).toMatchObject({
    status: 'signed-in',
    claims: { sub: 'alice' },
    scope: ['openid', 'notes'],
  })
})

test('an initial session may have any status, and start() only leaves "starting"', async () => {
  const signingOut = createTestClient({ session: { status: 'signing-out' } })
  expect((await signingOut.start()).status).toBe('signing-out')
  const starting = createTestClient({ session: { status: 'starting' } })
  expect(starting.session.status).toBe('starting')
  expect((await starting.start()).status).toBe('signed-out')
})

test('subscribers receive every change, and none after they have unsubscribed or the client is disposed', async () => {
  const client = createTestClient()
  const seen: Session['status'][] = []
  const stop = client.subscribe(({ status }) => seen.push(status))
  await client.signIn()
  await client.signOut()
  expect(seen).toEqual(['signing-in', 'signed-in', 'signed-out'])
  stop()
  client.signInAs('bob')
  client.subscribe(({ status }) => seen.push(status))
  client.dispose()
  client.endSession()
  expect(seen).toHaveLength(3)
})

test('an expired access token is refreshed by the next call, once', async () => {
  const clock = handClock()
  const client = createTestClient({ clock, fetch: ok, accessTokenSeconds: 60 })
  const told: ClientEvent[] = []
  client.events.subscribe(event => told.push(event))
  client.signInAs('alice')
  const first = await client.getAccessToken()
  clock.advance(30_000)
  client.expire()
  expect(client.session).toMatchObject({ status: 'signed-in', accessTokenExpiresAt: clock.now() })
  await client.fetch('https://api.example.com/me')
  expect(client.session).toMatchObject({ accessTokenExpiresAt: clock.now() + 60_000 })
  expect(await client.getAccessToken()).not.toBe(first)
  expect(told.map(({ type }) => type)).toEqual(['session-started', 'token-request', 'token-response'])
})

test('a call without a session rejects like a real client', async () => {
  const client = createTestClient({ fetch: ok })
  await expect(client.fetch('/me')).rejects.toMatchObject({ reason: 'no_session' })
  client.signInAs('alice')
  client.endSession('refresh_interrupted')
  await expect(client.getAccessToken()).rejects.toMatchObject({ reason: 'refresh_interrupted' })
  await expect(client.recover()).resolves.toMatchObject({ status: 'signed-in' })
  await client.signOut()
  await expect(client.recover()).rejects.toMatchObject({ reason: 'signed_out' })
})

test('trouble keeps the session, fails the next refresh, and ends automatically', async () => {
  const client = createTestClient({ fetch: ok })
  client.signInAs('alice')
  const error = new NetworkError('The server is away.', 'unavailable')
  client.setTrouble(error)
  client.expire()
  expect(client.session).toMatchObject({ status: 'signed-in', trouble: { error } })
  await expect(client.fetch('/me')).rejects.toBe(error)
  client.setTrouble(undefined)
  expect((await client.fetch('/me')).status).toBe(200)
  expect(client.session).not.toHaveProperty('trouble')
})

test('calls are recorded with their arguments, and the test can make the next one fail', async () => {
  const client = createTestClient({ fetch: ok })
  const error = new Error('cancelled')
  client.failNext('signIn', error)
  await expect(client.signIn({ returnTo: '/notes' })).rejects.toBe(error)
  await client.signIn()
  await client.fetch('/notes', { method: 'POST' })
  expect(client.calls).toEqual([
    { method: 'signIn', args: [{ returnTo: '/notes' }] },
    { method: 'signIn', args: [] },
    { method: 'fetch', args: ['/notes', { method: 'POST' }] },
  ])
})

test('a callback signs in, and any other address is ignored', async () => {
  const client = createTestClient()
  expect(await client.handleCallback('https://app.example.com/?code=1')).toEqual({ handled: false })
  const result = await client.handleCallback('https://app.example.com/callback?code=1&state=2')
  expect(result).toMatchObject({ handled: true, session: { status: 'signed-in' } })
})

test('explain() returns the events, and a client without a prepared response names the request', async () => {
  const client = createTestClient()
  client.signInAs('alice')
  client.endSession()
  expect(client.explain()).toMatchObject({
    session: { status: 'signed-out', reason: 'expired' },
    events: [
      { type: 'session-started', subject: 'alice' },
      { type: 'session-ended', reason: 'expired' },
    ],
  })
  client.signInAs('alice')
  await expect(client.fetch('https://api.example.com/me')).rejects.toThrow('https://api.example.com/me')
})

test('an action that requires a real client says so', async () => {
  await expect(userInfo(createTestClient())).rejects.toMatchObject({ code: 'ERR_CONFIGURATION' })
})
