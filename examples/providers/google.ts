// Lists the files of your Google Drive that this program has created or opened.
// Run it with `npx tsx examples/providers/google.ts`. Set GOOGLE_CLIENT_ID and GOOGLE_CLIENT_SECRET: create an OAuth client
// of the type "Desktop app" in the Google Cloud console, and enable the Google Drive API.
import { createClient } from 'latchkey/node'
import { google } from 'latchkey/providers'

const { GOOGLE_CLIENT_ID: clientId, GOOGLE_CLIENT_SECRET: clientSecret } = process.env
if (!clientId || !clientSecret) throw new Error('Set GOOGLE_CLIENT_ID and GOOGLE_CLIENT_SECRET.')

const DRIVE = 'https://www.googleapis.com/auth/drive.file'
const client = createClient({
  ...google({ clientId, clientSecret, scope: ['openid', 'email', DRIVE] }),
  redirectUri: 'http://127.0.0.1', // with any free port
  allowedOrigins: ['https://www.googleapis.com'],
})
try {
  await client.start() // the next run restores the session from a private file
  if (client.session.status === 'signed-out') await client.signIn() // opens the system's browser
  const { session } = client
  if (session.status === 'signed-in' && session.missingScope?.includes(DRIVE)) {
    console.log('You did not allow access to Google Drive. Google asks again.')
    await client.signIn({ stepUp: { scope: DRIVE } })
  }
  const response = await client.fetch('https://www.googleapis.com/drive/v3/files?pageSize=10')
  const { files = [], error } = await response.json()
  if (error) throw new Error(`Google answered ${response.status}: ${error.message}`)
  for (const { name } of files) console.log(name)
} finally {
  client.dispose()
}
