import type { RequestListener } from 'node:http'
import { createServer, type ServerOptions, request as send } from 'node:https'
import type { AddressInfo } from 'node:net'
import { getRequestListener } from '@hono/node-server'
import express from 'express'
import { fastify } from 'fastify'
import { Hono } from 'hono'
import { afterEach, describe, expect, test } from 'vitest'
import { expressGuard } from '../../../src/resource-server/adapters/express.ts'
import { fastifyGuard } from '../../../src/resource-server/adapters/fastify.ts'
import { honoGuard } from '../../../src/resource-server/adapters/hono.ts'
import { nodeGuard } from '../../../src/resource-server/adapters/node.ts'
import { createProtect, type Protect } from '../../../src/resource-server/protect.ts'
import { selfSigned } from '../../support/certificate.ts'
import { API, createTestIssuer, ISSUER } from '../../support/resource-server/issuer.ts'

const closing: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closing.splice(0)) await close()
})

const alice = selfSigned('alice')
const mallory = selfSigned('mallory')

// the certificates are self-signed: the token says which one it belongs to (RFC 8705 section 4)
const tls: ServerOptions = { ...selfSigned('localhost'), requestCert: true, rejectUnauthorized: false }

async function listening(listener: RequestListener): Promise<number> {
  const one = createServer(tls, listener)
  await new Promise<void>(resolve => one.listen(0, '127.0.0.1', resolve))
  closing.push(() => new Promise(resolve => one.close(resolve)))
  return (one.address() as AddressInfo).port
}

const inNode =
  (api: Protect): RequestListener =>
  async (request, response) => {
    const caller = await nodeGuard(api)(request, response)
    if (caller) response.end(`${caller.subject} by ${caller.binding}`)
  }

/** Each answers with the caller and the binding of the token. */
const servers: Record<string, (api: Protect) => Promise<number>> = {
  'node:https': api => listening(inNode(api)),
  Express: api => {
    const guard = expressGuard(api)
    return listening(
      express().get('/notes', guard, (request, response) => {
        const { subject, binding } = guard.callerOf(request)
        response.send(`${subject} by ${binding}`)
      }),
    )
  },
  Fastify: async api => {
    const app = fastify({ https: tls })
    const guard = fastifyGuard(api)
    app.get('/notes', { onRequest: guard }, async request => {
      const { subject, binding } = guard.callerOf(request)
      return `${subject} by ${binding}`
    })
    closing.push(() => app.close())
    await app.listen({ host: '127.0.0.1', port: 0 })
    return (app.server.address() as AddressInfo).port
  },
  'Hono on Node': api => {
    const app = new Hono()
    const guard = honoGuard(api)
    app.get('/notes', guard, context => {
      const { subject, binding } = guard.callerOf(context)
      return context.text(`${subject} by ${binding}`)
    })
    return listening(getRequestListener(app.fetch))
  },
}

interface Answer {
  readonly status: number | undefined
  readonly challenge: string | undefined
  readonly text: string
}

const call = (port: number, accessToken: string, certificate?: typeof alice) =>
  new Promise<Answer>((resolve, reject) => {
    const headers = { authorization: `Bearer ${accessToken}` }
    const own = certificate && { cert: certificate.cert, key: certificate.key }
    send(
      { host: '127.0.0.1', port, path: '/notes', headers, agent: false, rejectUnauthorized: false, ...own },
      async answer => {
        let text = ''
        for await (const part of answer.setEncoding('utf8')) text += part
        resolve({ status: answer.statusCode, challenge: answer.headers['www-authenticate'], text })
      },
    )
      .on('error', reject)
      .end()
  })

const issuer = createTestIssuer()
const api = createProtect({ issuer: ISSUER, resource: API }, issuer)
const bound = () => issuer.accessToken({ cnf: { 'x5t#S256': alice.thumbprint } })

describe.each(Object.entries(servers))('a token that is bound to a certificate, at %s', (_name, start) => {
  test('is valid on a connection with that certificate', async () => {
    expect(await call(await start(api), bound(), alice)).toMatchObject({
      status: 200,
      text: 'alice by certificate',
    })
  })

  test.each([
    ['without a certificate', undefined],
    ['with another certificate', mallory],
  ])('is refused on a connection %s', async (_what, certificate) => {
    const { status, challenge } = await call(await start(api), bound(), certificate)
    expect([status, challenge]).toEqual([401, expect.stringContaining('error="invalid_token"')])
  })

  test('is not needed: a token without a binding is valid with any certificate and with none', async () => {
    const port = await start(api)
    for (const certificate of [mallory, undefined])
      expect(await call(port, issuer.accessToken(), certificate)).toMatchObject({
        status: 200,
        text: 'alice by none',
      })
  })
})
