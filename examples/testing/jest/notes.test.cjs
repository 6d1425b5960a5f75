const { createClient, memory } = require('latchkey')
const { createTestServer } = require('latchkey/testing')

test('the app signs in, calls its API, refreshes a rejected access token once and signs out', async () => {
  const server = createTestServer()
  const options = server.options('ada')
  await options.fetch(`${options.issuer}/jwks`) // a busy machine takes seconds to generate an RSA key
  const client = createClient({ ...options, store: memory() })
  await client.start()
  expect(await client.signIn()).toMatchObject({ status: 'signed-in', claims: { sub: 'ada' } })
  expect((await client.fetch(`${server.api}/notes`)).status).toBe(200)
  server.revokeAccessTokens()
  const calls = [1, 2, 3].map(() => client.fetch(`${server.api}/notes`))
  expect((await Promise.all(calls)).map(({ status }) => status)).toEqual([200, 200, 200])
  expect(server.count('refresh_token')).toBe(1)
  await client.signOut()
  expect(client.session.status).toBe('signed-out')
  client.dispose()
})
