// Says who you are at Spotify. Run it with `npx tsx examples/providers/spotify.ts`. Set SPOTIFY_CLIENT_ID: create an app in
// Spotify's dashboard with the redirect URI http://127.0.0.1/callback. Spotify allows any port for it.
import { createClient } from 'latchkey/node'
import { readSpotifyError, spotify } from 'latchkey/providers'

const { SPOTIFY_CLIENT_ID: clientId } = process.env
if (!clientId) throw new Error('Set SPOTIFY_CLIENT_ID.')

const client = createClient({
  ...spotify({ clientId, scope: 'user-read-email' }),
  redirectUri: 'http://127.0.0.1/callback',
  allowedOrigins: ['https://api.spotify.com'],
})
try {
  await client.start() // the next run restores the session from a private file
  if (client.session.status === 'signed-out') await client.signIn() // opens the system's browser
  const response = await client.fetch('https://api.spotify.com/v1/me')
  if (response.ok) {
    const { display_name: name, id } = await response.json()
    console.log(`You are ${name ?? id}.`)
  } else {
    const { status, message, reason, retryAfterSeconds } = await readSpotifyError(response)
    console.error(`Spotify answered ${status}: ${reason ?? message ?? 'no message'}`)
    if (retryAfterSeconds !== undefined) console.error(`Try again after ${retryAfterSeconds} seconds.`)
    process.exitCode = 1
  }
} finally {
  client.dispose()
}
