// Runs on workerd: an app whose tokens are in a Durable Object, by the store of docs/extending.md.
import { createClient } from 'latchkey'
import { adopt } from 'latchkey/adopt'
import { clientSecretBasic } from 'latchkey/client-authentication'
import { clientCredentials } from 'latchkey/grants'
import { hostIn } from './entries.mjs'
import { hostStore } from './host-store.ts'

export { Entries } from './entries.mjs'

const outcomeOf = work =>
  work.then(
    response => response.status,
    error => error.code ?? String(error),
  )

export default {
  async fetch(request, { ENTRIES, ISSUER, API, SECRET }) {
    const store = hostStore(hostIn(ENTRIES, 'all'))
    const common = { issuer: ISSUER, scope: 'read', allowedOrigins: [API], store }
    const service = () =>
      createClient({
        ...common,
        clientId: 'my-service',
        clientAuthentication: clientSecretBasic(SECRET),
        grant: clientCredentials(),
      })
    const user = () =>
      createClient({
        ...common,
        clientId: 'my-service',
        scope: 'read offline_access',
        redirectUri: 'https://app.example.com/callback',
      })
    const call = async (client, input = `${API}/notes`) => {
      await client.start()
      const outcome = await outcomeOf(client.fetch(input))
      client.dispose()
      return Response.json(outcome)
    }
    const { pathname } = new URL(request.url)
    if (pathname === '/service') return call(service())
    if (pathname === '/user') return call(user())
    if (pathname === '/write') {
      return call(user(), new Request(`${API}/notes`, { method: 'PUT', body: await request.text() }))
    }
    if (pathname === '/adopt') {
      const client = user()
      await client.start()
      await adopt(client, { refreshToken: await request.text() })
      return Response.json(client.session.status)
    }
    if (pathname === '/sign-out') {
      const client = user()
      await client.start()
      await client.signOut()
      return Response.json(client.session.status)
    }
    return Response.json('ready')
  },
}
