import { expect, test } from 'vitest'
import { ConfigurationError } from '../../../src/errors.ts'
import { readSpotifyError, spotify } from '../../../src/providers/spotify.ts'
import { createSpotify, SPOTIFY_API } from '../../support/hosted/spotify.ts'
import { hostedWorlds } from '../../support/hosted/world.ts'

const clientId = 'spotify-app'
const ME = `${SPOTIFY_API}/v1/me`
const WEEK_MS = 7 * 24 * 3_600_000
const hosted = hostedWorlds()

const world = (redirectUri = 'http://127.0.0.1:5173/callback') => {
  const made = hosted(clock => createSpotify({ clock, clientId }))
  const app = { redirectUri, allowedOrigins: [SPOTIFY_API] }
  const options = { ...spotify({ clientId, scope: 'user-read-email' }), ...app }
  return { ...made, spotify: made.double, ...made.client(options) }
}

test('a sign-in with PKCE alone starts a session without claims, and each refresh rotates', async () => {
  const { client, spotify, clock } = world()
  await client.signIn()
  expect(client.session).toMatchObject({ scope: ['user-read-email'], claims: undefined })
  for (let hour = 0; hour < 3; hour++) {
    clock.advance(3_700_000)
    expect((await client.fetch(ME)).status).toBe(200)
  }
  const sent = spotify.forms.flatMap(form => form.get('refresh_token') ?? [])
  expect(new Set(sent).size).toBe(3)
  expect(spotify.forms.every(form => form.get('client_id') === clientId && !form.has('client_secret'))).toBe(
    true,
  )
})

test.each(['http://localhost:5173/callback', 'http://localhost/callback'])(
  'a redirect URI of %s is rejected before the user sees an error page',
  async redirectUri => {
    const { client, spotify } = world(redirectUri)
    const error = await client.signIn().catch(error => error)
    expect(error).toBeInstanceOf(ConfigurationError)
    expect(error.message).toContain(redirectUri.replace('localhost', '127.0.0.1'))
    expect(spotify.met).not.toContain('noLocalhost')
  },
)

test('a redirect URI of the app whose host only begins with localhost is accepted', async () => {
  const { client } = world('https://localhost.example.com/callback')
  await client.signIn()
  expect(client.session.status).toBe('signed-in')
})

test('a stale access token is refreshed once and the call is replayed', async () => {
  const { client, spotify } = world()
  await client.signIn()
  spotify.expireAccessTokens()
  expect((await client.fetch(ME)).status).toBe(200)
  expect(spotify.met).toContain('expired')
})

test('a spurious 401 causes one refresh, and the call succeeds', async () => {
  const { client, spotify } = world()
  await client.signIn()
  spotify.spurious401()
  expect((await client.fetch(ME)).status).toBe(200)
  expect(spotify.forms).toHaveLength(2)
})

test('a second spurious 401 in a row is returned to the caller without a loop', async () => {
  const { client, spotify } = world()
  await client.signIn()
  spotify.spurious401()
  spotify.spurious401()
  expect((await client.fetch(ME)).status).toBe(401)
  expect(spotify.forms).toHaveLength(2)
  expect(client.session.status).toBe('signed-in')
})

test('an HTML page from the token endpoint keeps the session, and the next refresh succeeds', async () => {
  const { client, spotify, clock } = world()
  await client.signIn()
  clock.advance(3_700_000)
  spotify.html()
  await expect(client.fetch(ME)).rejects.toMatchObject({ code: 'ERR_NETWORK', reason: 'not_the_server' })
  expect(client.session).toMatchObject({ status: 'signed-in', trouble: expect.anything() })
  clock.advance(60_000)
  expect((await client.fetch(ME)).status).toBe(200)
})

test('a session that is refreshed every week ends as expired six months after its sign-in', async () => {
  const { client, spotify, clock } = world()
  await client.signIn()
  let weeks = 0
  for (; weeks < 30 && client.session.status === 'signed-in'; weeks++) {
    clock.advance(WEEK_MS)
    await client.fetch(ME).catch(() => {})
  }
  expect(weeks).toBe(27)
  expect(client.session).toEqual({ status: 'signed-out', reason: 'expired' })
  expect(spotify.met).toContain('sixMonths')
})

test('a rate limit reaches the app with the time to wait, an exhausted quota without one', async () => {
  const { client, spotify } = world()
  await client.signIn()
  spotify.rateLimit()
  const limited = await client.fetch(ME)
  expect(await readSpotifyError(limited)).toEqual({
    status: 429,
    message: 'API rate limit exceeded',
    reason: undefined,
    retryAfterSeconds: 7,
  })
  expect(limited.bodyUsed).toBe(false)
  spotify.quota()
  expect(await readSpotifyError(await client.fetch(ME))).toMatchObject({
    reason: 'QUOTA_EXCEEDED',
    retryAfterSeconds: undefined,
  })
  expect(spotify.forms).toHaveLength(1)
})

test.each([
  ['HTML', new Response('<h1>Bad gateway</h1>', { status: 502 })],
  ['an empty body', new Response(null, { status: 502 })],
  ['an error that is a string', new Response('{"error":"server"}', { status: 502 })],
  ['null', new Response('null', { status: 502 })],
])('an error from the API with %s has a status and no message', async (_what, response) => {
  expect(await readSpotifyError(response)).toMatchObject({ status: 502, message: undefined })
})

test('a call with a 204 response has no body', async () => {
  const { client, spotify } = world()
  await client.signIn()
  const response = await client.fetch(`${SPOTIFY_API}/v1/me/player/pause`, { method: 'PUT' })
  expect(await response.text()).toBe('')
  expect(spotify.met).toContain('noContent')
})

test.each([
  ['a redirect URI at localhost', {}, 'http://localhost:5173/callback', 'noLocalhost'],
  ['the scope openid', { scope: 'openid' }, 'http://127.0.0.1:5173/callback', 'noIdToken'],
] as const)('Spotify itself refuses %s on a page of its own', async (_what, options, redirectUri, fact) => {
  const made = hosted(clock => createSpotify({ clock, clientId }))
  const { provider: _checks, ...unchecked } = spotify({ clientId, ...options })
  const { client } = made.client({ ...unchecked, redirectUri, allowedOrigins: [SPOTIFY_API] })
  await expect(client.signIn()).rejects.toThrow()
  expect(made.double.met).toContain(fact)
})

// the last test: the others have met them
test('each known fact of the double has affected a test', () => {
  expect(hosted.unmet()).toEqual([])
})
