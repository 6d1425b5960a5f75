// An API that accepts users of Firebase, and a user who calls it. Run it with `npx tsx examples/providers/firebase.ts`. Set
// FIREBASE_PROJECT_ID and FIREBASE_API_KEY (project settings, "Web API key"), and allow anonymous users under "Sign-in
// method". With the Auth emulator, set FIREBASE_EMULATOR to its address and use a project whose id begins with "demo-".
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createClient, memory } from 'latchkey/node'
import { anonymously, firebase } from 'latchkey/providers'
import { nodeGuard, protect } from 'latchkey/resource-server'

const { FIREBASE_PROJECT_ID: projectId, FIREBASE_API_KEY: apiKey, FIREBASE_EMULATOR: emulator } = process.env
if (!projectId || !apiKey) throw new Error('Set FIREBASE_PROJECT_ID and FIREBASE_API_KEY.')

const keys = 'https://www.googleapis.com/service_accounts/v1/jwk/securetoken@system.gserviceaccount.com'
const guard = nodeGuard(
  protect({
    issuer: {
      issuer: `https://securetoken.google.com/${projectId}`,
      ...(emulator ? { acceptUnsignedTokensOfEmulator: emulator } : { jwksUri: keys }),
    },
    audience: projectId,
    acceptAnyJwt: true,
  }),
)
const api = createServer(async (request, response) => {
  const caller = await guard(request, response)
  if (caller) response.end(`hello ${caller.subject}`)
})
await new Promise<void>(resolve => api.listen(0, '127.0.0.1', resolve))
const url = `http://127.0.0.1:${(api.address() as AddressInfo).port}`

const client = createClient({
  ...firebase({ projectId, apiKey, ...(emulator && { emulator }) }),
  allowedOrigins: [url],
  store: memory(), // a new anonymous user in each run
})
try {
  console.log(`without a token: ${(await fetch(url)).status}`)
  await client.signIn({ userAgent: anonymously() })
  console.log(`with one: ${await (await client.fetch(url)).text()}`)
} finally {
  client.dispose()
  api.closeAllConnections()
  api.close()
}
