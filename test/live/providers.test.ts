import { createClient } from 'latchkey/node'
import { google, readSpotifyError, spotify } from 'latchkey/providers'
import { describe, expect, test } from 'vitest'

/**
 * The first run of each opens the system's browser; later runs restore that session from latchkey's own private file.
 * Register `http://127.0.0.1` (Google, a desktop client) and `http://127.0.0.1/callback` (Spotify).
 */
const {
  LATCHKEY_LIVE_GOOGLE_CLIENT_ID: googleId,
  LATCHKEY_LIVE_GOOGLE_CLIENT_SECRET: googleSecret,
  LATCHKEY_LIVE_SPOTIFY_CLIENT_ID: spotifyId,
} = process.env

const missing = (...names: string[]) => `skipped: set ${names.join(' and ')}`

describe.skipIf(!googleId || !googleSecret)(
  `Google (${googleId && googleSecret ? 'live' : missing('LATCHKEY_LIVE_GOOGLE_CLIENT_ID', 'LATCHKEY_LIVE_GOOGLE_CLIENT_SECRET')})`,
  () => {
    const client = () =>
      createClient({
        ...google({ clientId: googleId ?? '', clientSecret: googleSecret ?? '' }),
        redirectUri: 'http://127.0.0.1',
        allowedOrigins: ['https://openidconnect.googleapis.com'],
      })

    test('a session starts or is restored, the API responds, and another process restores it', async () => {
      const first = client()
      await first.start()
      if (first.session.status === 'signed-out') await first.signIn()
      expect(first.session).toMatchObject({
        status: 'signed-in',
        scope: expect.arrayContaining(['openid', 'email']),
      })
      const response = await first.fetch('https://openidconnect.googleapis.com/v1/userinfo')
      expect(response.status).toBe(200)
      first.dispose()
      const second = client()
      await second.start()
      expect(second.session.status).toBe('signed-in')
      second.dispose()
    })
  },
)

describe.skipIf(!spotifyId)(
  `Spotify (${spotifyId ? 'live' : missing('LATCHKEY_LIVE_SPOTIFY_CLIENT_ID')})`,
  () => {
    test('a session is restored or starts, the API responds, and its errors are read', async () => {
      const client = createClient({
        ...spotify({ clientId: spotifyId ?? '', scope: 'user-read-email' }),
        redirectUri: 'http://127.0.0.1/callback',
        allowedOrigins: ['https://api.spotify.com'],
      })
      await client.start()
      if (client.session.status === 'signed-out') await client.signIn()
      expect((await client.fetch('https://api.spotify.com/v1/me')).status).toBe(200)
      const unknown = await client.fetch('https://api.spotify.com/v1/tracks/none')
      expect(await readSpotifyError(unknown)).toMatchObject({
        status: unknown.status,
        message: expect.any(String),
      })
      client.dispose()
    })
  },
)
