import { createServer, type Server } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import express from 'express'
import express4 from 'express4'
import { fastify } from 'fastify'
import { Hono } from 'hono'
import { afterEach, describe, expect, test } from 'vitest'
import { expressGuard } from '../../../src/resource-server/adapters/express.ts'
import { fastifyGuard } from '../../../src/resource-server/adapters/fastify.ts'
import { honoGuard } from '../../../src/resource-server/adapters/hono.ts'
import { nodeGuard } from '../../../src/resource-server/adapters/node.ts'
import { createProtect, type Protect, requireScope } from '../../../src/resource-server/protect.ts'
import {
  API,
  createTestIssuer,
  ISSUER,
  proof,
  testKey,
  thumbprint,
} from '../../support/resource-server/issuer.ts'

const closing: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closing.splice(0)) await close()
})

const listen = async (server: Server): Promise<string> => {
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  closing.push(() => new Promise(resolve => server.close(resolve)))
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

function inExpress(version: typeof express, api: Protect): Promise<string> {
  const app = version()
  const [guard, admins] = [expressGuard(api), expressGuard(requireScope(api, 'notes:admin'))]
  const router = version.Router()
  router.get(
    '/notes',
    guard,
    (request, response) => void response.json({ who: guard.callerOf(request).subject }),
  )
  router.post(
    '/notes',
    admins,
    (request, response) => void response.json({ who: admins.callerOf(request).subject }),
  )
  app.use('/.well-known', guard)
  app.use('/v1', router)
  return listen(createServer(app))
}

/** Each serves `GET /v1/notes`, which returns the caller, and `POST /v1/notes`, which requires another scope. */
const servers: Record<string, (api: Protect) => Promise<string>> = {
  'node:http': api => {
    const guards = { GET: nodeGuard(api), POST: nodeGuard(requireScope(api, 'notes:admin')) }
    return listen(
      createServer(async (request, response) => {
        const guard = guards[request.method as keyof typeof guards] ?? guards.GET
        const caller = await guard(request, response)
        if (caller) response.end(JSON.stringify({ who: caller.subject }))
      }),
    )
  },
  'Express 5': api => inExpress(express, api),
  'Express 4': api => inExpress(express4, api),
  Fastify: async api => {
    const app = fastify()
    const [guard, admins] = [fastifyGuard(api), fastifyGuard(requireScope(api, 'notes:admin'))]
    app.get('/v1/notes', { onRequest: guard }, async request => ({ who: guard.callerOf(request).subject }))
    app.post('/v1/notes', { onRequest: admins }, async request => ({ who: admins.callerOf(request).subject }))
    app.get('/.well-known/*', { onRequest: guard }, async () => 'never')
    closing.push(() => app.close())
    return app.listen({ host: '127.0.0.1', port: 0 })
  },
  Hono: api => {
    const app = new Hono()
    const [guard, admins] = [honoGuard(api), honoGuard(requireScope(api, 'notes:admin'))]
    app.get('/v1/notes', guard, context => context.json({ who: guard.callerOf(context).subject }))
    app.post('/v1/notes', admins, context => context.json({ who: admins.callerOf(context).subject }))
    app.use('/.well-known/*', guard)
    return listen(
      createServer(async ({ method, url = '/', rawHeaders }, response) => {
        const headers = new Headers()
        for (let at = 0; at < rawHeaders.length; at += 2)
          headers.append(rawHeaders[at] ?? '', rawHeaders[at + 1] ?? '')
        const answer = await app.fetch(
          new Request(`http://${headers.get('host')}${url}`, { method: method ?? 'GET', headers }),
        )
        response.writeHead(answer.status, Object.fromEntries(answer.headers)).end(await answer.text())
      }),
    )
  },
}

const world = async (serve: (api: Protect) => Promise<string>) => {
  const issuer = createTestIssuer()
  const api = createProtect({ issuer: ISSUER, resource: `${API}/v1`, audience: API, dpopNonce: true }, issuer)
  const url = await serve(api)
  const call = (headers: Record<string, string> = {}, method = 'GET') =>
    fetch(`${url}/v1/notes`, { method, headers })
  return { issuer, url, call }
}

/** Sends these header lines unchanged, which `fetch` would refuse to do. */
const sendRaw = (url: string, lines: string[]): Promise<string> =>
  new Promise((resolve, reject) => {
    const { hostname, port, host } = new URL(url)
    const socket = connect(Number(port), hostname)
    const head = ['GET /v1/notes HTTP/1.1', `Host: ${host}`, 'Connection: close', ...lines, '', '']
    let text = ''
    socket.setEncoding('utf8').on('data', part => {
      text += part
    })
    socket.on('end', () => resolve(text.split('\r\n')[0] ?? '')).on('error', reject)
    socket.write(head.join('\r\n'))
  })

describe.each(Object.entries(servers))('%s', (_name, serve) => {
  test('accepts a valid token, and the handler knows the caller', async () => {
    const { issuer, call } = await world(serve)
    const answer = await call({ authorization: `Bearer ${issuer.accessToken()}` })
    expect([answer.status, await answer.json()]).toEqual([200, { who: 'alice' }])
  })

  test('responds to a request without a token with 401 and its challenge', async () => {
    const { call } = await world(serve)
    const answer = await call()
    expect(answer.status).toBe(401)
    expect(answer.headers.get('www-authenticate')).toMatch(/^Bearer resource_metadata="/)
    expect(answer.headers.get('access-control-expose-headers')).toBe('WWW-Authenticate, DPoP-Nonce')
    expect(await answer.json()).toEqual({ error_description: 'An access token is needed.' })
  })

  test('responds with 403 if a route requires more scope', async () => {
    const { issuer, call } = await world(serve)
    const answer = await call({ authorization: `Bearer ${issuer.accessToken()}` }, 'POST')
    expect(answer.status).toBe(403)
    expect(answer.headers.get('www-authenticate')).toContain('scope="notes:admin"')
    const admin = issuer.accessToken({ scope: 'notes:admin' })
    expect((await call({ authorization: `Bearer ${admin}` }, 'POST')).status).toBe(200)
  })

  test('accepts a DPoP proof for the whole URL and returns the next nonce with each response', async () => {
    const { issuer, call } = await world(serve)
    const key = testKey('device', 'ES256')
    const token = issuer.accessToken({ cnf: { jkt: thumbprint(key.jwk) } })
    const present = (nonce?: string | null) =>
      call({
        authorization: `DPoP ${token}`,
        dpop: proof(token, key, issuer.now(), { htu: `${API}/v1/notes`, ...(nonce && { nonce }) }),
      })
    const first = await present()
    expect(first.status).toBe(401)
    const second = await present(first.headers.get('dpop-nonce'))
    expect(second.status).toBe(200)
    expect(second.headers.get('dpop-nonce')).toBe(first.headers.get('dpop-nonce'))
    expect(second.headers.get('access-control-expose-headers')).toContain('DPoP-Nonce')
  })

  test('rejects two Authorization headers even if one is valid', async () => {
    const { issuer, url } = await world(serve)
    const good = `Authorization: Bearer ${issuer.accessToken()}`
    expect(await sendRaw(url, [good])).toContain('200')
    expect(await sendRaw(url, [good, 'Authorization: Bearer x'])).toMatch(/ 40[01] /)
    expect(await sendRaw(url, ['Authorization: Bearer x', good])).toMatch(/ 40[01] /)
  })

  test('serves the metadata of the API', async () => {
    const { url } = await world(serve)
    const answer = await fetch(`${url}/.well-known/oauth-protected-resource/v1`)
    expect(await answer.json()).toMatchObject({ resource: `${API}/v1`, authorization_servers: [ISSUER] })
  })

  test('responds with 503 and Retry-After while the issuer is down', async () => {
    const { issuer, call } = await world(serve)
    const answer = () => new Response(null, { status: 503, headers: { 'retry-after': '7' } })
    for (let times = 0; times < 2; times++) issuer.failNext.push({ path: '/jwks', answer })
    const response = await call({ authorization: `Bearer ${issuer.accessToken()}` })
    expect([response.status, response.headers.get('retry-after')]).toEqual([503, '7'])
    expect(response.headers.has('www-authenticate')).toBe(false)
  })
})

test('a handler that reads the caller without the guard gets an error that says so', () => {
  const guard = expressGuard(createProtect({ issuer: ISSUER, audience: API }, createTestIssuer()))
  expect(() => guard.callerOf({})).toThrow('put it before the handler')
})
