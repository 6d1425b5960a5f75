import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { dpop } from '../../../src/dpop.ts'
import { startApache } from '../../support/gateway-programs.ts'
import { createGatewayWorld, type GatewayWorld, gatewayConfiguration } from '../../support/gateways.ts'
import { hasService } from '../../support/services.ts'

// the run installs Apache where it can; elsewhere only its configuration is checked
test("the example's configuration requires a DPoP proof with each token", () => {
  expect(gatewayConfiguration('apache/apache.conf', {})).toMatch(/type=dpop/)
})

if (hasService('Apache'))
  describe('an API with DPoP behind Apache', () => {
    let world: GatewayWorld
    let gateway: Awaited<ReturnType<typeof startApache>>
    let url: string

    beforeAll(async () => {
      world = await createGatewayWorld({ audience: 'https://api.example.com' })
      url = world.url
      gateway = await startApache({ ...world, issuer: world.server.issuer })
    })
    afterEach(() => world.disposeClients())
    afterAll(async () => {
      await gateway?.close()
      await world?.close()
    })
    const bound = (scope = 'notes:read') => world.signedIn(scope, { extensions: [dpop()] })

    test('gets the caller instead of the token and its proof, and a client cannot forge it', async () => {
      const { client } = await bound()
      for (let call = 0; call < 3; call++) {
        const answer = await client.fetch(`${url}/notes?call=${call}`, { headers: { 'x-sub': 'mallory' } })
        expect([answer.status, await answer.text()]).toEqual([200, 'notes'])
      }
      expect(world.seen.at(-1)).toEqual({ sub: 'alice', scope: 'notes:read', authorization: undefined })
    })

    test('rejects a call without a token with a plain DPoP challenge that pages can read', async () => {
      const answer = await fetch(`${url}/notes`)
      expect([answer.status, answer.headers.get('www-authenticate')]).toEqual([
        401,
        expect.stringMatching(/^DPoP algs="ES256"/),
      ])
      expect(answer.headers.get('access-control-expose-headers')).toContain('WWW-Authenticate')
    })

    test('rejects a stolen token without its proof, and with a reused proof', async () => {
      let sent: Headers | undefined
      const { client } = await world.signedIn('notes:read', {
        extensions: [dpop()],
        fetch: (input, init) => {
          const request = new Request(input, init)
          if (request.url.startsWith(url)) sent = request.headers
          return fetch(request)
        },
      })
      expect((await client.fetch(`${url}/notes`)).status).toBe(200)
      const authorization = sent?.get('authorization') ?? ''
      const stolen: Record<string, string>[] = [
        { authorization },
        { authorization, dpop: sent?.get('dpop') ?? '' },
        { authorization: authorization.replace('DPoP', 'Bearer') },
      ]
      for (const headers of stolen) {
        const answer = await fetch(`${url}/notes`, { headers })
        expect([answer.status, answer.headers.get('www-authenticate')]).toEqual([
          401,
          expect.stringMatching(/^DPoP /),
        ])
      }
    })

    test('does not let a client choose the URL that a proof must match', async () => {
      const { client } = await bound()
      const elsewhere = { 'x-forwarded-host': 'other.example.com', 'x-forwarded-proto': 'https' }
      expect((await client.fetch(`${url}/notes`, { headers: elsewhere })).status).toBe(200)
    })

    test('rejects a token that is not bound to a key; the client refreshes once and returns the 401', async () => {
      const { client, count } = await world.signedIn('notes:read')
      for (let call = 0; call < 3; call++) expect((await client.fetch(`${url}/notes`)).status).toBe(401)
      expect([client.session.status, count('token-request')]).toEqual(['signed-in', 1])
    })

    test('that requires a missing scope reaches the app as a step-up', async () => {
      const { client, count } = await bound('notes:write')
      const answer = await client.fetch(`${url}/notes`)
      expect([answer.status, answer.headers.get('www-authenticate')]).toEqual([
        403,
        'DPoP error="insufficient_scope", scope="notes:read"',
      ])
      expect([count('step-up-required'), count('token-request')]).toEqual([1, 0])
    })

    test.each([
      ['/broken', 500, null],
      ['/busy', 429, '7'],
    ])("passes on the API's response at %s", async (path, status, retryAfter) => {
      const { client, count } = await bound()
      const answer = await client.fetch(`${url}${path}`)
      expect([answer.status, answer.headers.get('retry-after')]).toEqual([status, retryAfter])
      expect([client.session.status, count('token-request')]).toEqual(['signed-in', 0])
    })

    test('that redirects calls to a sign-in page is not followed: a proof is valid for one URL', async () => {
      const { client, count } = await bound()
      await expect(client.fetch(`${url}/portal`)).rejects.toMatchObject({ code: 'ERR_CONFIGURATION' })
      expect(world.visits).toEqual([])
      expect((await client.fetch(`${url}/portal`, { redirect: 'manual' })).status).toBe(302)
      expect([client.session.status, count('token-request')]).toEqual(['signed-in', 0])
    })

    test('rejects a header that is too long, and the client does not refresh', async () => {
      const { client, count } = await bound()
      const answer = await client.fetch(`${url}/notes`, { headers: { 'x-long': 'x'.repeat(20_000) } })
      expect(answer.status).toBe(400)
      expect([client.session.status, count('token-request')]).toEqual(['signed-in', 0])
    })

    // the last test: the API does not restart
    test('is unavailable while the API is down, and no session ends', async () => {
      const { client, count } = await bound()
      world.upstream.closeAllConnections()
      world.upstream.close()
      const answer = await client.fetch(`${url}/notes`)
      expect([answer.status, answer.headers.get('retry-after')]).toEqual([503, '1'])
      expect([client.session.status, count('token-request')]).toEqual(['signed-in', 0])
    })
  })
