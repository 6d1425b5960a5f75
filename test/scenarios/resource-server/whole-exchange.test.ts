import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { createScriptedUserAgent } from '../../../examples/demo/scripted-user-agent.ts'
import {
  type AuthorizationServer,
  startAuthorizationServer,
} from '../../../examples/demo/servers/authorization-server.ts'
import type { Fetch } from '../../../src/core/ports.ts'
import { dpop } from '../../../src/dpop.ts'
import { clientSecretBasic } from '../../../src/extensions/client-authentication.ts'
import { type Client, createClient, loopback, memory } from '../../../src/node.ts'
import { deviceClock } from '../../../src/platform/device.ts'
import { createProtect } from '../../../src/resource-server/protect.ts'
import type { Requirements, Verdict } from '../../../src/resource-server/verdict.ts'

const API = 'https://api.example.com'
let server: AuthorizationServer
const clients: Client[] = []

beforeAll(async () => {
  server = await startAuthorizationServer({ accessTokenSeconds: 3600, dpopNonce: true })
})
afterAll(() => server?.close())
afterEach(() => {
  for (const client of clients.splice(0)) client.dispose()
})

/** A client of the real provider, and an API that introspects each token there. */
function world(extensions = [dpop()]) {
  const { clientId, clientSecret } = server.introspectionCredentials
  const clientAuthentication = clientSecretBasic(clientSecret)
  const introspection = { clientId, clientAuthentication, cacheSeconds: 0, acceptWithoutAudience: true }
  const api = createProtect(
    { issuer: { issuer: server.issuer, introspection }, resource: API, dpopNonce: true },
    { fetch: globalThis.fetch, clock: deviceClock },
  )
  const verdicts: Verdict[] = []
  const requirements: Requirements = { scope: 'notes:read' }
  const fetch: Fetch = async (input, init) => {
    const request = new Request(input, init)
    if (!request.url.startsWith(API)) return globalThis.fetch(request)
    const needs = request.url.endsWith('/admin') ? { scope: 'notes:admin' } : requirements
    const verdict = await api(request, needs)
    verdicts.push(verdict)
    return verdict.valid
      ? Response.json({ who: verdict.subject }, { headers: verdict.headers })
      : verdict.response()
  }
  const client = createClient({
    issuer: server.issuer,
    clientId: 'demo-cli',
    scope: 'openid offline_access notes:read',
    allowedOrigins: [API],
    extensions,
    fetch,
    store: memory(),
    userAgent: loopback({ open: createScriptedUserAgent({ userName: 'alice' }) }),
  })
  clients.push(client)
  const outcomes = () => verdicts.map(verdict => (verdict.valid ? verdict.binding : verdict.reason))
  return { client, outcomes }
}

test('a client with DPoP and protect() agree on proofs and nonces, for tokens that a real provider has bound', async () => {
  const { client, outcomes } = world()
  await client.signIn()
  const answers = await Promise.all([1, 2, 3].map(page => client.fetch(`${API}/notes?page=${page}`)))
  expect(answers.map(({ status }) => status)).toEqual([200, 200, 200])
  expect(await answers[0]?.json()).toEqual({ who: 'alice' })
  expect((await client.fetch(`${API}/notes`, { method: 'PUT', body: 'text' })).status).toBe(200)
  expect(new Set(outcomes())).toEqual(new Set(['nonce_needed', 'dpop']))
  expect(outcomes().filter(outcome => outcome === 'dpop')).toHaveLength(4)
})

test('a revoked token causes one refresh, and the call succeeds', async () => {
  const { client, outcomes } = world([])
  await client.signIn()
  expect((await client.fetch(`${API}/notes`)).status).toBe(200)
  await server.revokeAccessTokensOf('alice', 'demo-cli')
  expect((await client.fetch(`${API}/notes`)).status).toBe(200)
  expect(outcomes()).toEqual(['none', 'inactive', 'none'])
})

test('a missing scope reaches the app as a step-up and causes no refresh', async () => {
  const { client, outcomes } = world([])
  await client.signIn()
  const events: unknown[] = []
  client.events.subscribe(event => events.push(event))
  const answer = await client.fetch(`${API}/admin`)
  expect(answer.status).toBe(403)
  expect(outcomes()).toEqual(['insufficient_scope'])
  expect(events).toContainEqual(expect.objectContaining({ type: 'step-up-required', scope: 'notes:admin' }))
})
