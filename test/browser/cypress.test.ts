import { createClient, memory } from 'latchkey'
import { dpop } from 'latchkey/dpop'
import { createTestServer, cypressIntercepts, lostAnswer } from 'latchkey/testing'
import { expect, test } from 'vitest'
import { cypressDouble } from '../support/cypress-double.ts'

// a test file of Cypress runs in the browser, where `Request` drops headers such as `Origin`
function inCypress() {
  const server = createTestServer()
  const double = cypressDouble('https://app.example.com')
  cypressIntercepts(server, double.cy)
  return { server, ...double }
}

test('in Cypress a page signs in with DPoP, and reads the nonces of the server and of the API', async () => {
  const { server, fetch } = inCypress()
  server.dpopNonce = 'nonce-1'
  const client = createClient({ ...server.options(), fetch, store: memory(), extensions: [dpop()] })
  await client.start()
  await client.signIn()
  const { status } = await client.fetch(`${server.api}/notes`)
  expect([status, server.apiRequests.map(request => request.status)]).toEqual([200, [401, 200]])
  client.dispose()
})

test('in Cypress a page without a token reads the challenge of the API', async () => {
  const { server, fetch } = inCypress()
  const response = await fetch(`${server.api}/notes`)
  expect([response.status, response.headers.get('www-authenticate')]).toEqual([401, 'Bearer realm="api"'])
})

test('in Cypress the server gets JSON, text and bytes as the page has sent them', async () => {
  const { server, fetch } = inCypress()
  const json = { 'content-type': 'application/json' }
  for (const [body, headers] of [
    ['{"text":"x"}', json],
    ['false', json],
    ['a=b', {}],
  ] as const)
    await fetch(`${server.api}/notes`, { method: 'POST', body, headers })
  expect(server.apiRequests.map(({ body }) => body)).toEqual(['{"text":"x"}', 'false', 'a=b'])
})

test('in Cypress an upload and a download keep every byte', async () => {
  const bytes = Uint8Array.from({ length: 256 }, (_, byte) => byte)
  const sent: Uint8Array[] = []
  const server = createTestServer({
    async respond(request) {
      const body = await request.arrayBuffer()
      sent.push(new Uint8Array(body))
      return new Response(body)
    },
  })
  const double = cypressDouble('https://app.example.com')
  cypressIntercepts(server, double.cy)
  const client = createClient({ ...server.options(), fetch: double.fetch, store: memory() })
  await client.start()
  await client.signIn()
  const response = await client.fetch(`${server.api}/photos`, { method: 'PUT', body: bytes })
  expect(sent).toEqual([bytes])
  expect(new Uint8Array(await response.arrayBuffer())).toEqual(bytes)
  client.dispose()
})

test('in Cypress the server breaks connections on request, and leaves other requests alone', async () => {
  const { server, send } = inCypress()
  const post = (body: string) => new Request(`${server.issuer}/token`, { method: 'POST', body })
  server.faults.token.push(lostAnswer)
  expect(await send(post('grant_type=refresh_token'))).toBe('destroyed')
  expect(await send(new Request(`${server.issuer}/logo.svg`))).toBe('not answered')
  expect(await send(new Request('https://id.example.com.evil.example/'))).toBe('not answered')
})
