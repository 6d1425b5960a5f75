import { spawn } from 'node:child_process'
import { createPublicKey, type JsonWebKey } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { ClientMetadata, Configuration } from 'oidc-provider'
import { vi } from 'vitest'
import { createScriptedUserAgent } from '../../examples/demo/scripted-user-agent.ts'
import { startAuthorizationServer } from '../../examples/demo/servers/authorization-server.ts'
import { demoCli } from '../../examples/demo/servers/demo-clients.ts'
import { type ClientOptions, createClient, loopback, memory } from '../../src/node.ts'
import { freePort } from './free-port.ts'

/** The configuration of an example, with its addresses replaced. */
export const gatewayConfiguration = (example: string, changes: Readonly<Record<string, string>>): string =>
  Object.entries(changes).reduce(
    (text, [from, to]) => {
      if (!text.includes(from)) throw new Error(`${example} has no "${from}"`)
      return text.replaceAll(from, to)
    },
    readFileSync(fileURLToPath(new URL(`../../examples/gateways/${example}`, import.meta.url)), 'utf8'),
  )

export const accepts = (port: number) =>
  new Promise<boolean>(resolve => {
    const socket = connect(port, '127.0.0.1')
    socket.on('connect', () => resolve(true)).on('error', () => resolve(false))
    socket.on('connect', () => socket.destroy())
  })

/** Starts a gateway in a new folder, and waits until it accepts connections. */
export async function startGateway(
  port: number,
  files: Readonly<Record<string, string>>,
  command: (folder: string) => readonly string[],
) {
  const folder = mkdtempSync(join(tmpdir(), 'latchkey-gateway-'))
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text)
  const [program = '', ...args] = command(folder)
  const child = spawn(program, args, { cwd: folder, stdio: ['ignore', 'ignore', 'pipe'] })
  let said = ''
  child.stderr.setEncoding('utf8').on('data', text => {
    said += text
  })
  const close = async () => {
    if (child.exitCode === null && child.signalCode === null) {
      child.kill('SIGTERM')
      await once(child, 'exit')
    }
    rmSync(folder, { recursive: true, force: true })
  }
  try {
    await vi.waitUntil(
      () => {
        if (child.exitCode !== null) throw new Error(`${program} ended: ${said}`)
        return accepts(port)
      },
      { timeout: 20_000 },
    )
  } catch (error) {
    await close()
    throw error
  }
  return { close }
}

const portOf = (server: Server) => (server.address() as AddressInfo).port
/** Listens on a free port. */
export const listening = async (server: Server) => {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return portOf(server)
}

/** Changes a provider's configuration: its access tokens are JWTs for `audience`. */
const withJwts =
  (audience: string, isExpired: () => boolean) =>
  (configuration: Configuration): Configuration => ({
    ...configuration,
    formats: {
      customizers: {
        jwt(_ctx, _token, { payload }) {
          if (isExpired()) payload.exp = Number(payload.iat) - 60
        },
      },
    },
    features: {
      ...configuration.features,
      resourceIndicators: {
        enabled: true,
        defaultResource: () => audience,
        useGrantedResource: () => true,
        getResourceServerInfo: async () => ({
          audience,
          scope: 'notes:read notes:write',
          accessTokenTTL: 3600,
          accessTokenFormat: 'jwt',
          jwt: { sign: { alg: 'RS256' } },
        }),
      },
    },
  })

/**
 * Starts a provider, an API for behind the gateway, and clients.
 * @param options.audience access tokens are JWTs for it; opaque if left out.
 * @param options.clients more clients of the provider.
 */
export async function createGatewayWorld({
  audience,
  clients: more = [],
}: {
  audience?: string
  clients?: readonly ClientMetadata[]
} = {}) {
  let isExpired = false
  const server = await startAuthorizationServer({
    clients: [demoCli, ...more],
    accessTokenSeconds: 3600,
    ...(audience && { configure: withJwts(audience, () => isExpired) }),
  })
  const seen: { sub: unknown; scope: unknown; authorization: unknown }[] = []
  const signInPage: Server = createServer((request, response) => {
    visits.push(request.headers.authorization)
    response.setHeader('content-type', 'text/html').end('<title>Sign in</title>')
  })
  const visits: unknown[] = []
  const signInUrl = `http://127.0.0.1:${await listening(signInPage)}/login`
  const upstream = createServer((request, response) => {
    const { authorization, 'x-sub': sub, 'x-scope': scope } = request.headers
    seen.push({ sub, scope, authorization })
    response.setHeader('access-control-allow-origin', '*') // an API that does not know about its gateway
    const { pathname } = new URL(request.url ?? '/', 'http://localhost')
    if (pathname === '/broken') return void response.writeHead(500).end('of the API')
    if (pathname === '/busy') return void response.writeHead(429, { 'retry-after': '7' }).end()
    if (pathname === '/portal') return void response.writeHead(302, { location: signInUrl }).end()
    response.end('notes')
  })
  const upstreamPort = await listening(upstream)
  const introspection = createServer(async (request, response) => {
    introspections.count++
    if (introspections.isDown) return void request.socket.destroy()
    let body = ''
    for await (const part of request.setEncoding('utf8')) body += part
    const { authorization = '', 'content-type': type = '' } = request.headers
    const headers = { authorization, 'content-type': type }
    const answer = await fetch(`${server.issuer}/token/introspection`, { method: 'POST', headers, body })
    response.writeHead(answer.status, { 'content-type': 'application/json' }).end(await answer.text())
  })
  const introspections = { count: 0, isDown: false }
  const { keys } = (await (await fetch(`${server.issuer}/jwks`)).json()) as { keys: JsonWebKey[] }
  const clients: { dispose(): void }[] = []
  const port = await freePort()
  const url = `http://127.0.0.1:${port}`
  return {
    ...{ server, seen, visits, upstream, upstreamPort, signInUrl, port, url },
    /** A gateway's requests for introspection, which pass through this server on their way to the provider. */
    introspections,
    introspectionPort: await listening(introspection),
    /** Whether JWTs have already expired when they are issued, as for a gateway whose clock is ahead of the provider's. */
    issueExpired(next: boolean) {
      isExpired = next
    },
    /** The issuer's key in the format of HAProxy. */
    pem: String(
      createPublicKey({ key: keys[0] as JsonWebKey, format: 'jwk' }).export({ type: 'spki', format: 'pem' }),
    ),
    signedIn: async (
      scope: string,
      options: Partial<Pick<ClientOptions, 'extensions' | 'allowedOrigins' | 'fetch'>> = {},
    ) => {
      const client = createClient({
        issuer: server.issuer,
        clientId: 'demo-cli',
        scope: `openid offline_access ${scope}`,
        allowedOrigins: [url],
        store: memory(),
        userAgent: loopback({ open: createScriptedUserAgent({ userName: 'alice' }) }),
        ...options,
      })
      clients.push(client)
      await client.signIn()
      const types: string[] = []
      client.events.subscribe(({ type }) => types.push(type))
      return { client, count: (type: string) => types.filter(one => one === type).length }
    },
    disposeClients() {
      for (const client of clients.splice(0)) client.dispose()
    },
    async close() {
      for (const one of [upstream, signInPage, introspection]) {
        one.closeAllConnections()
        one.close()
      }
      await server.close()
    },
  }
}

export type GatewayWorld = Awaited<ReturnType<typeof createGatewayWorld>>
