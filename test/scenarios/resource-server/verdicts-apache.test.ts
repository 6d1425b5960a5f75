import { createServer, request as httpRequest, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { deviceClock } from '../../../src/platform/device.ts'
import { freePort } from '../../support/free-port.ts'
import { startApache } from '../../support/gateway-programs.ts'
import { apache, type Case, createKit, groups, keys } from '../../support/resource-server/cases.ts'
import { createTestIssuer, ISSUER } from '../../support/resource-server/issuer.ts'
import { hasService } from '../../support/services.ts'

const issuer = createTestIssuer({ clock: deviceClock as never })
const kit = createKit(issuer)
// Apache caches the keys: all are there from the start
issuer.published.push(keys.other)

test('every difference in the table refers to an existing case', () => {
  const names = Object.values(groups).flatMap(cases => cases.map(({ name }) => name))
  expect(Object.keys(apache).filter(name => !names.includes(name))).toEqual([])
})

if (hasService('Apache'))
  describe.each(Object.entries(groups))('mod_oauth2, %s', (group, cases) => {
    let keyServer: Server
    let upstream: Server
    let gateway: Awaited<ReturnType<typeof startApache>>
    let port: number
    const listening = async (server: Server) => {
      await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
      return (server.address() as AddressInfo).port
    }

    beforeAll(async () => {
      keyServer = createServer(async (_request, response) => {
        const answer = await issuer.fetch(`${ISSUER}/jwks`)
        response.setHeader('content-type', 'application/json').end(await answer.text())
      })
      upstream = createServer((_request, response) => response.end('notes'))
      port = await freePort()
      const keysPort = await listening(keyServer)
      const bearer = { 'type=dpop&': '', 'OAuth2AcceptTokenIn header name=Authorization&type=DPoP': '' }
      gateway = await startApache({
        port,
        upstreamPort: await listening(upstream),
        issuer: ISSUER,
        changes: {
          'https://id.example.com/jwks': `http://127.0.0.1:${keysPort}/jwks`,
          'RequestHeader unset X-Forwarded-Proto early': '',
          '!(^|\\s)notes:read(\\s|$)': '^never$',
          ...(group !== 'bindings' && bearer),
        },
      })
    })
    afterAll(async () => {
      await gateway?.close()
      keyServer?.close()
      upstream?.close()
    })

    const statusOf = ({ url, headers, method }: Request) =>
      new Promise<number | undefined>((resolve, reject) => {
        const { pathname, search, host } = new URL(url)
        // as behind a proxy that ends TLS: proofs are for an https URL
        const sent = {
          ...Object.fromEntries(headers),
          host,
          connection: 'close',
          'x-forwarded-proto': 'https',
        }
        httpRequest({ host: '127.0.0.1', port, path: pathname + search, method, headers: sent }, answer => {
          answer.resume().on('end', () => resolve(answer.statusCode))
        })
          .on('error', reject)
          .end()
      })

    test.each(cases as Case[])('$name: the same, or the table says why not', async one => {
      const { request } = one.make(kit)
      const verdict = (await statusOf(request)) === 200 ? 'valid' : 'refused'
      const ours = one.expected === 'valid' ? 'valid' : 'refused'
      expect(verdict).toBe(apache[one.name]?.verdict ?? ours)
    })
  })
