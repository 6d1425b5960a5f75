import { afterAll, beforeAll, expect, test } from 'vitest'
import { createScriptedUserAgent } from '../../examples/demo/scripted-user-agent.ts'
import {
  type AuthorizationServer,
  startAuthorizationServer,
} from '../../examples/demo/servers/authorization-server.ts'
import type { Fetch } from '../../src/core/ports.ts'
import { createClient, loopback, memory } from '../../src/node.ts'

const [NOTES, PHOTOS] = ['https://notes.example.com/', 'https://photos.example.com/v2']
let server: AuthorizationServer

beforeAll(async () => {
  server = await startAuthorizationServer({
    resources: ['urn:notes', 'urn:photos'],
    accessTokenSeconds: 3600,
  })
})
afterAll(() => server?.close())

/** APIs that do not need to run: the provider shows which tokens they would receive. */
const apis = () => {
  const sent: { url: string; audience: unknown }[] = []
  const fetch: Fetch = async (input, init) => {
    const request = new Request(input, init)
    if (request.url.startsWith(server.issuer)) return globalThis.fetch(request)
    const accessToken = request.headers.get('authorization')?.replace('Bearer ', '') ?? ''
    const found = await server.provider.AccessToken.find(accessToken)
    sent.push({ url: request.url, audience: found?.aud })
    return new Response(null, { status: found ? 204 : 401 })
  }
  return { fetch, sent }
}

const createApp = (fetch: Fetch, resources: Record<string, { resource: string; scope?: string }>) =>
  createClient({
    issuer: server.issuer,
    clientId: 'demo-cli',
    scope: 'openid offline_access notes:read',
    allowedOrigins: [],
    resources,
    fetch,
    store: memory(),
    userAgent: loopback({ open: createScriptedUserAgent({ userName: 'alice' }) }),
  })

test('oidc-provider gives each API an access token for its own audience, from one rotating refresh token', async () => {
  const { fetch, sent } = apis()
  const client = createApp(fetch, {
    [NOTES]: { resource: 'urn:notes' },
    [PHOTOS]: { resource: 'urn:photos' },
  })
  await client.signIn()
  const urls = [`${NOTES}all`, `${PHOTOS}/all`, `${NOTES}one`, `${PHOTOS}/one`]
  const answers = await Promise.all(urls.map(url => client.fetch(url)))
  expect(answers.map(({ status }) => status)).toEqual([204, 204, 204, 204])
  for (const { url, audience } of sent) {
    expect(audience).toBe(url.startsWith(NOTES) ? 'urn:notes' : 'urn:photos')
  }
  // revoked at the server: its 401 refreshes this one
  await server.revokeAccessToken(await client.getAccessToken({ resource: NOTES }))
  expect((await client.fetch(`${NOTES}again`)).status).toBe(204)
  expect(client.session.status).toBe('signed-in')
  client.dispose()
})

test('oidc-provider rejects an API that it does not know, and the session is kept', async () => {
  const { fetch, sent } = apis()
  const client = createApp(fetch, { [NOTES]: { resource: 'urn:notes' } })
  await client.signIn()
  const newer = createApp(fetch, { [NOTES]: { resource: 'urn:unknown' } })
  await expect(newer.signIn()).rejects.toMatchObject({ code: 'ERR_CALLBACK', error: 'invalid_target' })
  expect((await client.fetch(NOTES)).status).toBe(204)
  expect(sent).toHaveLength(1)
  client.dispose()
  newer.dispose()
})
