import { type ChildProcess, spawn } from 'node:child_process'
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest'
import { createScriptedUserAgent } from '../../../examples/demo/scripted-user-agent.ts'
import {
  type AuthorizationServer,
  startAuthorizationServer,
} from '../../../examples/demo/servers/authorization-server.ts'
import { type Client, createClient, loopback, memory } from '../../../src/node.ts'
import { freePort } from '../../support/free-port.ts'
import { accepts } from '../../support/gateways.ts'

const NGINX = '/usr/sbin/nginx'
const NJS = '/usr/lib/nginx/modules/ngx_http_js_module.so'
const isThere = existsSync(NGINX) && existsSync(NJS)
const example = fileURLToPath(new URL('../../../examples/gateways/nginx/', import.meta.url))

const portOf = (server: { address(): unknown }) => (server.address() as AddressInfo).port
const listening = (server: Server) =>
  new Promise<number>(resolve => server.listen(0, '127.0.0.1', () => resolve(portOf(server))))

// the run installs nginx where it can; elsewhere only its configuration is checked
test("the example's configuration introspects each token at the authorization server", () => {
  expect(readFileSync(join(example, 'nginx.conf'), 'utf8')).toMatch(/auth_request/)
})

if (isThere)
  describe('an API behind nginx', () => {
    let server: AuthorizationServer
    let gateway: ChildProcess
    let url: string
    let folder = ''
    /** Sits between nginx and the provider, and counts nginx's requests. */
    let introspection: Server
    let introspections = 0
    let isDown = false
    let upstream: Server
    /** A sign-in page on another origin, and the tokens that it got to see. */
    let signInPage: Server
    let signInUrl = ''
    const visits: unknown[] = []
    const seen: { sub: unknown; authorization: unknown }[] = []
    const clients: Client[] = []

    beforeAll(async () => {
      server = await startAuthorizationServer({ accessTokenSeconds: 3600 })
      const { clientId, clientSecret } = server.introspectionCredentials
      introspection = createServer(async (request, response) => {
        introspections++
        if (isDown) return void request.socket.destroy()
        let body = ''
        for await (const part of request.setEncoding('utf8')) body += part
        const headers = {
          authorization: request.headers.authorization ?? '',
          'content-type': 'application/x-www-form-urlencoded',
        }
        const answer = await fetch(`${server.issuer}/token/introspection`, { method: 'POST', headers, body })
        response.writeHead(answer.status, { 'content-type': 'application/json' }).end(await answer.text())
      })
      signInPage = createServer((request, response) => {
        visits.push(request.headers.authorization)
        response.setHeader('content-type', 'text/html').end('<title>Sign in</title>')
      })
      signInUrl = `http://127.0.0.1:${await listening(signInPage)}/login`
      upstream = createServer((request, response) => {
        seen.push({ sub: request.headers['x-sub'], authorization: request.headers.authorization })
        const { pathname } = new URL(request.url ?? '/', 'http://localhost')
        if (pathname === '/broken') return void response.writeHead(500).end('of the API')
        if (pathname === '/portal') return void response.writeHead(302, { location: signInUrl }).end()
        response.end('notes')
      })
      const port = await freePort()
      folder = mkdtempSync(join(tmpdir(), 'latchkey-nginx-'))
      for (const name of ['cache', 'temp']) mkdirSync(join(folder, name))
      copyFileSync(join(example, 'introspect.js'), join(folder, 'introspect.js'))
      const credentials = Buffer.from(`${encodeURIComponent(clientId)}:${encodeURIComponent(clientSecret)}`)
      const configuration = readFileSync(join(example, 'nginx.conf'), 'utf8')
        .replace('load_module', `${process.getuid?.() === 0 ? 'user root;\n' : ''}load_module`)
        .replace('127.0.0.1:8080', `127.0.0.1:${port}`)
        .replace('127.0.0.1:8081', `127.0.0.1:${await listening(upstream)}`)
        .replace('127.0.0.1:8082', `127.0.0.1:${await listening(introspection)}`)
        .replace('bXktYXBpOnNlY3JldA==', credentials.toString('base64'))
        .replace('200 5s', '200 1s')
      writeFileSync(join(folder, 'nginx.conf'), configuration)
      gateway = spawn(NGINX, ['-p', folder, '-c', 'nginx.conf', '-e', 'stderr'], { stdio: 'ignore' })
      url = `http://127.0.0.1:${port}`
      await vi.waitUntil(() => accepts(port), { timeout: 20_000 })
    })
    afterEach(() => {
      isDown = false
      for (const client of clients.splice(0)) client.dispose()
    })
    afterAll(async () => {
      gateway?.kill('SIGTERM')
      if (gateway && gateway.exitCode === null) await new Promise(resolve => gateway.once('exit', resolve))
      for (const one of [introspection, upstream, signInPage]) one?.close()
      if (folder) rmSync(folder, { recursive: true, force: true })
      await server?.close()
    })

    const signedIn = async (scope = 'openid offline_access notes:read') => {
      const client = createClient({
        issuer: server.issuer,
        clientId: 'demo-cli',
        scope,
        allowedOrigins: [url],
        store: memory(),
        userAgent: loopback({ open: createScriptedUserAgent({ userName: 'alice' }) }),
      })
      clients.push(client)
      await client.signIn()
      const types: string[] = []
      client.events.subscribe(({ type }) => types.push(type))
      return { client, count: (type: string) => types.filter(one => one === type).length }
    }

    test('gets the caller instead of the token, and many calls cause one introspection', async () => {
      const { client } = await signedIn()
      introspections = 0
      const calls = await Promise.all(Array.from({ length: 15 }, () => client.fetch(`${url}/notes`)))
      expect(calls.map(({ status }) => status)).toEqual(Array(15).fill(200))
      expect(introspections).toBe(1)
      expect(seen.at(-1)).toEqual({ sub: 'alice', authorization: undefined })
    })

    test('does not let a client forge the caller', async () => {
      const { client } = await signedIn()
      await client.fetch(`${url}/notes`, { headers: { 'x-sub': 'mallory' } })
      expect(seen.at(-1)?.sub).toBe('alice')
    })

    test('rejects a call without a token with a plain challenge', async () => {
      const answer = await fetch(`${url}/notes`)
      expect([answer.status, answer.headers.get('www-authenticate')]).toEqual([401, 'Bearer'])
      expect(answer.headers.get('access-control-expose-headers')).toContain('WWW-Authenticate')
    })

    test('soon rejects a revoked token, and the client refreshes once', async () => {
      const { client, count } = await signedIn()
      expect((await client.fetch(`${url}/notes`)).status).toBe(200)
      await server.revokeAccessTokensOf('alice', 'demo-cli')
      await expect
        .poll(async () => {
          expect((await client.fetch(`${url}/notes`)).status).toBe(200)
          return count('token-request')
        })
        .toBe(1)
    })

    test('that requires a missing scope reaches the app as a step-up', async () => {
      const { client, count } = await signedIn('openid offline_access notes:write')
      const answer = await client.fetch(`${url}/notes`)
      expect([answer.status, answer.headers.get('www-authenticate')]).toEqual([
        403,
        'Bearer error="insufficient_scope", scope="notes:read"',
      ])
      expect([count('step-up-required'), count('token-request')]).toEqual([1, 0])
    })

    test('is unavailable while the authorization server does not respond, and no session ends', async () => {
      const { client, count } = await signedIn()
      isDown = true
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
      expect([answer.status, answer.redirected, answer.url]).toEqual([200, true, signInUrl])
      expect(visits).toEqual([undefined])
      const manual = await client.fetch(`${url}/portal`, { redirect: 'manual' })
      expect([manual.status, manual.headers.get('location')]).toEqual([302, signInUrl])
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
