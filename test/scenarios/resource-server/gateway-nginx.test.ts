import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { startNginx } from '../../support/gateway-programs.ts'
import { createGatewayWorld, type GatewayWorld, gatewayConfiguration } from '../../support/gateways.ts'
import { hasService } from '../../support/services.ts'

// the run installs nginx where it can; elsewhere only its configuration is checked
test("the example's configuration introspects each token at the authorization server", () => {
  expect(gatewayConfiguration('nginx/nginx.conf', {})).toMatch(/auth_request/)
})

if (hasService('nginx'))
  describe('an API behind nginx', () => {
    let world: GatewayWorld
    let gateway: Awaited<ReturnType<typeof startNginx>>
    let url: string

    beforeAll(async () => {
      world = await createGatewayWorld()
      url = world.url
      gateway = await startNginx({ ...world, credentials: world.server.introspectionCredentials })
    })
    afterEach(() => {
      world.introspections.isDown = false
      world.disposeClients()
    })
    afterAll(async () => {
      await gateway?.close()
      await world?.close()
    })

    const signedIn = (scope = 'notes:read') => world.signedIn(scope)

    test('gets the caller instead of the token, and many calls cause one introspection', async () => {
      const { client } = await signedIn()
      world.introspections.count = 0
      const calls = await Promise.all(Array.from({ length: 15 }, () => client.fetch(`${url}/notes`)))
      expect(calls.map(({ status }) => status)).toEqual(Array(15).fill(200))
      expect(world.introspections.count).toBe(1)
      expect(world.seen.at(-1)).toEqual({ sub: 'alice', scope: expect.any(String), authorization: undefined })
    })

    test('does not let a client forge the caller', async () => {
      const { client } = await signedIn()
      await client.fetch(`${url}/notes`, { headers: { 'x-sub': 'mallory' } })
      expect(world.seen.at(-1)?.sub).toBe('alice')
    })

    test('rejects a call without a token with a plain challenge', async () => {
      const answer = await fetch(`${url}/notes`)
      expect([answer.status, answer.headers.get('www-authenticate')]).toEqual([401, 'Bearer'])
      expect(answer.headers.get('access-control-expose-headers')).toContain('WWW-Authenticate')
    })

    test('soon rejects a revoked token, and the client refreshes once', async () => {
      const { client, count } = await signedIn()
      expect((await client.fetch(`${url}/notes`)).status).toBe(200)
      await world.server.revokeAccessTokensOf('alice', 'demo-cli')
      await expect
        .poll(async () => {
          expect((await client.fetch(`${url}/notes`)).status).toBe(200)
          return count('token-request')
        })
        .toBe(1)
    })

    test('that requires a missing scope reaches the app as a step-up', async () => {
      const { client, count } = await signedIn('notes:write')
      const answer = await client.fetch(`${url}/notes`)
      expect([answer.status, answer.headers.get('www-authenticate')]).toEqual([
        403,
        'Bearer error="insufficient_scope", scope="notes:read"',
      ])
      expect([count('step-up-required'), count('token-request')]).toEqual([1, 0])
    })

    test('is unavailable while the authorization server does not respond, and no session ends', async () => {
      const { client, count } = await signedIn()
      world.introspections.isDown = true
      const answer = await client.fetch(`${url}/notes`)
      expect([answer.status, answer.headers.get('retry-after')]).toEqual([503, '1'])
      expect([client.session.status, count('token-request')]).toEqual(['signed-in', 0])
    })

    test('responds with its own errors', async () => {
      const { client } = await signedIn()
      const answer = await client.fetch(`${url}/broken`)
      expect([answer.status, await answer.text()]).toEqual([500, 'of the API'])
    })

    test('is redirected to a sign-in page, which gets no token, and no session ends', async () => {
      const { client, count } = await signedIn()
      const answer = await client.fetch(`${url}/portal`)
      expect([answer.status, answer.redirected, answer.url]).toEqual([200, true, world.signInUrl])
      expect(world.visits).toEqual([undefined])
      const manual = await client.fetch(`${url}/portal`, { redirect: 'manual' })
      expect([manual.status, manual.headers.get('location')]).toEqual([302, world.signInUrl])
      expect([client.session.status, count('token-request')]).toEqual(['signed-in', 0])
    })

    test('takes a long token, and refuses a header that is too large with 400, which is no reason to refresh', async () => {
      const { client, count } = await signedIn()
      const call = (bytes: number) =>
        client.fetch(`${url}/notes`, { headers: { 'x-long': 'a'.repeat(bytes) } })
      expect((await call(12_000)).status).toBe(200)
      const answer = await call(20_000)
      expect([answer.status, await answer.text()]).toEqual([
        400,
        expect.stringContaining('Request Header Or Cookie Too Large'),
      ])
      expect([client.session.status, count('token-request')]).toEqual(['signed-in', 0])
      expect((await client.fetch(`${url}/notes`)).status).toBe(200)
    })

    test('responds to too many calls with 429, and the client does not refresh', async () => {
      const { client, count } = await signedIn()
      const calls = await Promise.all(Array.from({ length: 90 }, () => client.fetch(`${url}/notes`)))
      const refused = calls.filter(({ status }) => status !== 200)
      expect(refused.length).toBeGreaterThan(0)
      expect(
        new Set(refused.map(({ status, headers }) => `${status} ${headers.get('retry-after')}`)),
      ).toEqual(new Set(['429 1']))
      expect([client.session.status, count('token-request')]).toEqual(['signed-in', 0])
    })
  })
