import { generateKeyPairSync } from 'node:crypto'
import initializeKeyStore from 'oidc-provider/lib/helpers/initialize_keystore.js'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createScriptedUserAgent } from '../../examples/demo/scripted-user-agent.ts'
import {
  type AuthorizationServer,
  startAuthorizationServer,
} from '../../examples/demo/servers/authorization-server.ts'
import type { ClientEvent } from '../../src/core/events.ts'
import { createClient, loopback, memory } from '../../src/node.ts'

const API = 'https://api.example.com/'
let server: AuthorizationServer

beforeAll(async () => {
  server = await startAuthorizationServer({ accessTokenSeconds: 3600 })
})
afterAll(() => server?.close())

/** From now on, the provider signs with another key and publishes no other. */
function rotateKeys(kid: string) {
  const jwk = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({ format: 'jwk' })
  initializeKeyStore.call(server.provider, { keys: [{ ...jwk, kid, alg: 'RS256', use: 'sig' }] })
}

test('latchkey follows a key rotation of the provider immediately, at a refresh and at a sign-in [ID20, ID21]', async () => {
  const keyRequests: string[] = []
  const warnings: ClientEvent[] = []
  const client = createClient({
    issuer: server.issuer,
    clientId: 'demo-cli',
    scope: 'openid offline_access notes:read',
    allowedOrigins: ['https://api.example.com'],
    store: memory(),
    async fetch(input, init) {
      const request = new Request(input, init)
      if (request.url.endsWith('/jwks')) keyRequests.push(request.url)
      if (request.url.startsWith(server.issuer)) return fetch(request)
      const accessToken = request.headers.get('authorization')?.replace('Bearer ', '') ?? ''
      return new Response(null, { status: (await server.provider.AccessToken.find(accessToken)) ? 204 : 401 })
    },
    userAgent: loopback({ open: createScriptedUserAgent({ userName: 'alice' }) }),
  })
  client.events.subscribe(event => {
    if (event.type === 'warning' && event.about === 'id_token') warnings.push(event)
  })
  await client.signIn()
  expect(keyRequests).toHaveLength(1)

  rotateKeys('second')
  await server.revokeAccessToken(await client.getAccessToken())
  expect((await client.fetch(API)).status).toBe(204)
  expect(keyRequests).toHaveLength(2)

  rotateKeys('third')
  await client.signIn()
  expect((await client.fetch(API)).status).toBe(204)
  expect(keyRequests).toHaveLength(3)
  expect(warnings).toEqual([])
  client.dispose()
})
