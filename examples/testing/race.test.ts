import { createClient } from 'latchkey'
import { createTestServer, tabs } from 'latchkey/testing'
import { expect, test } from 'vitest'

test.each([1, 2, 3, 4, 5])(
  'five tabs whose token was revoked send one refresh, in the order %i',
  async seed => {
    const server = createTestServer()
    const clients = tabs(5, { server, seed }).map(tab => createClient(tab.options))
    await clients[0]?.signIn()
    await Promise.all(clients.map(client => client.start()))
    server.revokeAccessTokens()
    const responses = await Promise.all(clients.map(client => client.fetch(`${server.api}/notes`)))
    expect(responses.map(response => response.status)).toEqual([200, 200, 200, 200, 200])
    expect(server.count('refresh_token')).toBe(1)
  },
)
