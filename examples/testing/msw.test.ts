import { createClient, memory } from 'latchkey'
import { createTestServer, mswHandlers } from 'latchkey/testing'
import { HttpResponse, http } from 'msw'
import { setupServer } from 'msw/node'
import { afterAll, beforeAll, expect, test } from 'vitest'

const server = createTestServer()
const msw = setupServer(
  http.get(`${server.api}/public`, () => HttpResponse.json({ hello: 'everybody' })), // your own handlers come first
  ...mswHandlers(server, http),
)
beforeAll(() => msw.listen({ onUnhandledRequest: 'error' }))
afterAll(() => msw.close())

test('the app signs in and calls the API with its own fetch', async () => {
  const { fetch: _, ...options } = server.options('ada') // the client sends with the global fetch, which msw intercepts
  const client = createClient({ ...options, store: memory() })
  await client.signIn()
  const response = await client.fetch(`${server.api}/notes`)
  expect(await response.json()).toMatchObject({ subject: 'ada', path: '/notes' })
  expect(server.apiRequests.map(({ url }) => url)).toEqual(['https://api.example.com/notes'])
})
