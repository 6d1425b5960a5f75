import { createClient, memory } from 'latchkey'
import { createTestServer, handClock, lostAnswer, status } from 'latchkey/testing'
import { expect, test } from 'vitest'

/** Creates a signed-in client with its server and clock. */
async function signedIn() {
  const clock = handClock({ skipUpToMs: 1500 }) // skips the short pauses before a retry
  const server = createTestServer({ clock, accessTokenSeconds: 300 })
  const client = createClient({ ...server.options('ada'), store: memory() })
  await client.signIn()
  return { clock, server, client }
}

test('an expired access token is refreshed before the call', async () => {
  const { clock, server, client } = await signedIn()
  clock.advance(301_000)
  expect((await client.fetch(`${server.api}/notes`)).status).toBe(200)
  expect(server.count('refresh_token')).toBe(1)
})

test('an outage of the token endpoint keeps the session', async () => {
  const { clock, server, client } = await signedIn()
  clock.advance(301_000)
  server.faults.token.push(status(503), status(503), status(503))
  await expect(client.fetch(`${server.api}/notes`)).rejects.toMatchObject({ code: 'ERR_NETWORK' })
  expect(client.session.status).toBe('signed-in')
})

test('a lost answer ends the session at a server without a grace period', async () => {
  const { clock, server, client } = await signedIn()
  clock.advance(301_000)
  server.faults.token.push(lostAnswer) // the server has rotated the refresh token, and nobody knows the new one
  await expect(client.fetch(`${server.api}/notes`)).rejects.toMatchObject({ reason: 'refresh_interrupted' })
  expect(server.reuses).toBe(1)
})

test('a server that ends the session signs the user out', async () => {
  const { server, client } = await signedIn()
  server.revokeAccessTokens()
  server.endSessions()
  await client.fetch(`${server.api}/notes`)
  expect(client.session).toEqual({ status: 'signed-out', reason: 'expired' })
})
