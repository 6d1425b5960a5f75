// Runs on workerd: an app whose tokens are in a Durable Object, by the store of docs/extending.md.
import { DurableObject } from 'cloudflare:workers'
import { createClient } from 'latchkey'
import { adopt } from 'latchkey/adopt'
import { clientSecretBasic } from 'latchkey/client-authentication'
import { clientCredentials } from 'latchkey/grants'
import { hostStore } from './host-store.ts'

/** Entries with versions. What was deleted keeps its version, so that no version comes twice. */
export class Tokens extends DurableObject {
  async read(key) {
    const { text, version = 0 } = (await this.ctx.storage.get(key)) ?? {}
    return { text, version }
  }
  async write(key, text, version) {
    const { version: found } = await this.read(key)
    if (found !== version) return false
    await this.ctx.storage.put(key, { text, version: version + 1 })
    return true
  }
  async keys() {
    const entries = await this.ctx.storage.list()
    return [...entries].filter(([, { text }]) => text !== undefined).map(([key]) => key)
  }
}

const outcomeOf = work =>
  work.then(
    response => response.status,
    error => error.code ?? String(error),
  )

export default {
  async fetch(request, { TOKENS, ISSUER, API, SECRET }) {
    const tokens = TOKENS.get(TOKENS.idFromName('all'))
    const host = {
      read: key => tokens.read(key),
      write: (key, text, version) => tokens.write(key, text, version),
      keys: () => tokens.keys(),
    }
    const common = { issuer: ISSUER, scope: 'read', allowedOrigins: [API], store: hostStore(host) }
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
    const call = async client => {
      await client.start()
      const outcome = await outcomeOf(client.fetch(`${API}/notes`))
      client.dispose()
      return Response.json(outcome)
    }
    const { pathname } = new URL(request.url)
    if (pathname === '/service') return call(service())
    if (pathname === '/user') return call(user())
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
