import { generateKeyPairSync } from 'node:crypto'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { dpop } from '../../../src/dpop.ts'
import { freePort } from '../../support/free-port.ts'
import { startHaproxy } from '../../support/gateway-programs.ts'
import { createGatewayWorld, type GatewayWorld, gatewayConfiguration } from '../../support/gateways.ts'
import { hasService } from '../../support/services.ts'

const AUDIENCE = 'https://api.example.com'

// the run installs HAProxy where it can; elsewhere only its configuration is checked
test("the example's configuration checks the signature of each token", () => {
  expect(gatewayConfiguration('haproxy/haproxy.cfg', {})).toMatch(/jwt_verify/)
})

if (hasService('HAProxy'))
  describe('an API behind HAProxy', () => {
    let world: GatewayWorld
    let gateway: Awaited<ReturnType<typeof startHaproxy>>
    let url: string

    beforeAll(async () => {
      world = await createGatewayWorld({ audience: AUDIENCE })
      url = world.url
      gateway = await startHaproxy({ ...world, issuer: world.server.issuer })
    })
    afterEach(() => world.disposeClients())
    afterAll(async () => {
      await gateway?.close()
      await world?.close()
    })

    test('gets the caller instead of the token, and a client cannot forge it', async () => {
      const { client } = await world.signedIn('notes:read')
      const answer = await client.fetch(`${url}/notes`, { headers: { 'x-sub': 'mallory' } })
      expect([answer.status, await answer.text()]).toEqual([200, 'notes'])
      expect(world.seen.at(-1)).toEqual({ sub: 'alice', scope: 'notes:read', authorization: undefined })
    })

    test('rejects a call without a token with a plain challenge that pages can read', async () => {
      const answer = await fetch(`${url}/notes`)
      expect([answer.status, answer.headers.get('www-authenticate')]).toEqual([401, 'Bearer'])
      expect(answer.headers.get('access-control-expose-headers')).toContain('WWW-Authenticate')
    })

    test.each([
      ['text that is not a token', 'Bearer x'],
      ['another scheme', 'Basic YTpi'],
      ['alg none', `Bearer ${btoa('{"alg":"none","typ":"at+jwt"}')}.e30.`],
    ])('rejects %s', async (_what, authorization) => {
      const answer = await fetch(`${url}/notes`, { headers: { authorization } })
      expect([answer.status, answer.headers.get('www-authenticate')]).toEqual([
        401,
        'Bearer error="invalid_token"',
      ])
    })

    test('rejects a token that is bound to a key, because it checks no proofs', async () => {
      const { client } = await world.signedIn('notes:read', { extensions: [dpop()] })
      const authorization = `Bearer ${await client.getAccessToken()}`
      const answer = await fetch(`${url}/notes`, { headers: { authorization } })
      expect(answer.status).toBe(401)
    })

    test('rejects tokens signed with an unknown key; the client refreshes once and returns the 401', async () => {
      const port = await freePort()
      const other = generateKeyPairSync('rsa', { modulusLength: 2048 }).publicKey
      const pem = String(other.export({ type: 'spki', format: 'pem' }))
      const stale = await startHaproxy({ ...world, issuer: world.server.issuer, port, pem })
      try {
        const { client, count } = await world.signedIn('notes:read', {
          allowedOrigins: [`http://127.0.0.1:${port}`],
        })
        for (let call = 0; call < 3; call++)
          expect((await client.fetch(`http://127.0.0.1:${port}/notes`)).status).toBe(401)
        expect([client.session.status, count('token-request')]).toEqual(['signed-in', 1])
      } finally {
        await stale.close()
      }
    })

    test('that requires a missing scope reaches the app as a step-up', async () => {
      const { client, count } = await world.signedIn('notes:write')
      const answer = await client.fetch(`${url}/notes`)
      expect([answer.status, answer.headers.get('www-authenticate')]).toEqual([
        403,
        'Bearer error="insufficient_scope", scope="notes:read"',
      ])
      expect([count('step-up-required'), count('token-request')]).toEqual([1, 0])
    })

    test('responds to too many calls with 429, and the client does not refresh', async () => {
      const { client, count } = await world.signedIn('notes:read')
      const calls = await Promise.all(Array.from({ length: 90 }, () => client.fetch(`${url}/notes`)))
      const refused = calls.filter(({ status }) => status !== 200)
      expect(
        new Set(refused.map(({ status, headers }) => `${status} ${headers.get('retry-after')}`)),
      ).toEqual(new Set(['429 2']))
      expect([client.session.status, count('token-request')]).toEqual(['signed-in', 0])
    })

    test.each([
      ['/broken', 500, null],
      ['/busy', 429, '7'],
    ])("passes on the API's response at %s", async (path, status, retryAfter) => {
      const { client, count } = await world.signedIn('notes:read')
      const answer = await client.fetch(`${url}${path}`)
      expect([answer.status, answer.headers.get('retry-after')]).toEqual([status, retryAfter])
      expect([client.session.status, count('token-request')]).toEqual(['signed-in', 0])
    })

    test('that redirects calls to a sign-in page does not send the token there', async () => {
      const { client, count } = await world.signedIn('notes:read')
      const followed = await client.fetch(`${url}/portal`)
      expect([followed.redirected, await followed.text()]).toEqual([true, '<title>Sign in</title>'])
      expect(world.visits).toEqual([undefined])
      expect((await client.fetch(`${url}/portal`, { redirect: 'manual' })).status).toBe(302)
      expect([client.session.status, count('token-request')]).toEqual(['signed-in', 0])
    })

    test('rejects headers that are too long, and the client does not refresh', async () => {
      const { client, count } = await world.signedIn('notes:read')
      const answer = await client.fetch(`${url}/notes`, { headers: { 'x-long': 'x'.repeat(40_000) } })
      expect(answer.status).toBe(400)
      expect([client.session.status, count('token-request')]).toEqual(['signed-in', 0])
    })

    // the last test: the API does not restart
    test('is unavailable while the API is down, and no session ends', async () => {
      const { client, count } = await world.signedIn('notes:read')
      world.upstream.closeAllConnections()
      world.upstream.close()
      const answer = await client.fetch(`${url}/notes`)
      expect([answer.status, answer.headers.get('retry-after')]).toEqual([503, '1'])
      expect([client.session.status, count('token-request')]).toEqual(['signed-in', 0])
    })
  })
