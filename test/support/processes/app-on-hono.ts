import { serve } from '@hono/node-server'
import { createClient, memory, type UserAgent } from '../../../src/node.ts'
import { CLIENT_ID } from '../../servers/scripted-server.ts'

// An app whose own server is Hono's, which replaces the global `Response` of the process by a class of its own. The user
// agrees to everything at once.

const [issuer = ''] = process.argv.slice(2)
const own = serve({ fetch: () => new Response('own'), port: 0, hostname: '127.0.0.1' })

const agrees: UserAgent = {
  name: 'agrees',
  begin: redirectUri => ({
    redirectUri,
    authorize: async url => (await fetch(url, { redirect: 'manual' })).headers.get('location') ?? undefined,
    close() {},
  }),
}
const client = createClient({
  issuer,
  clientId: CLIENT_ID,
  redirectUri: 'http://127.0.0.1:8400/callback',
  allowedOrigins: [issuer],
  store: memory(),
  userAgent: agrees,
  logger: false,
})
await client.start()
await client.signIn().catch(({ message }) => console.log(message))
if (client.session.status === 'signed-in') console.log(await (await client.fetch(`${issuer}/me`)).text())
own.close()
