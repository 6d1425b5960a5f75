import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { ClientMetadata } from 'oidc-provider'
import { Provider } from 'oidc-provider/lib/provider.js'
import { createAccounts } from '../../examples/demo/servers/accounts.ts'
import { demoSpa } from '../../examples/demo/servers/demo-clients.ts'
import { createInteractions } from '../../examples/demo/servers/interactions.ts'
import { listen } from '../../examples/demo/servers/listen.ts'
import { createProviderMemory } from '../../examples/demo/servers/memory-adapter.ts'
import { providerConfiguration } from '../../examples/demo/servers/provider-configuration.ts'
import { startResourceServer } from '../../examples/demo/servers/resource-server.ts'
import { peek } from '../../test/support/server.ts'

/** What happens to the next refresh request: 503; reset before the provider sees it; reset after it committed. */
export type RefreshFault = 'unavailable' | 'reset-before' | 'reset-after'

export interface BenchProvider {
  readonly issuer: string
  readonly clientId: string
  /** Introspects every token. */
  readonly apiUrl: string
  /** Refresh requests since the last `forget()`, those that met a fault among them. */
  refreshes(): number
  /** How often the provider was given a refresh token that it had been given before. */
  replays(): number
  /** When the last refresh was answered, in ms since 1970. */
  answeredAt(): number
  forget(): void
  issueFor(seconds: number): void
  failNext(fault: RefreshFault): void
  revokeAccessTokens(): Promise<void>
  close(): Promise<void>
}

/** Where Auth0 has them, for its SDK: nothing but the paths differs. */
const auth0Paths: Readonly<Record<string, string>> = { '/authorize': '/auth', '/oauth/token': '/token' }

/**
 * The real oidc-provider with rotation and reuse detection, for pages on this origin. Its issuer ends in a slash
 * because auth0-spa-js accepts no other, and it closes every connection because Chromium sends a POST again by itself
 * when a reused connection breaks: what is counted here is what the libraries do.
 */
export async function startBenchProvider(pageOrigin: string): Promise<BenchProvider> {
  let handle = (_request: IncomingMessage, response: ServerResponse) => void response.writeHead(503).end()
  const listening = await listen(
    createServer((request, response) => handle(request, response)),
    { name: 'benchmark provider' },
  )
  const introspector = { clientId: 'bench-api', clientSecret: randomBytes(24).toString('base64url') }
  const api: ClientMetadata = {
    client_id: introspector.clientId,
    client_secret: introspector.clientSecret,
    token_endpoint_auth_method: 'client_secret_basic',
    grant_types: [],
    response_types: [],
    redirect_uris: [],
  }
  const spa = demoSpa(pageOrigin)
  const memory = createProviderMemory()
  const accounts = createAccounts()
  let lifetime = 3600
  const provider = new Provider(
    `${listening.origin}/`,
    providerConfiguration({
      adapter: memory.adapter,
      clients: [spa, api],
      introspectors: [introspector.clientId],
      findAccount: accounts.find,
      signingKey: generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({ format: 'jwk' }),
      accessTokenSeconds: () => lifetime,
      refreshTokenSeconds: 3600,
      resources: [],
      dpopNonce: false,
    }),
  )

  let sent: string[] = []
  let presented: string[] = []
  let fault: RefreshFault | undefined
  let answeredAt = Number.NaN

  /** @returns whether the request went no further. */
  const tokenRequest = async (request: IncomingMessage, response: ServerResponse): Promise<boolean> => {
    const form = new URLSearchParams(await peek(request))
    if (form.get('grant_type') !== 'refresh_token') return false
    const refreshToken = form.get('refresh_token') ?? ''
    const met = fault
    fault = undefined
    sent.push(refreshToken)
    if (met === 'reset-before') request.socket.destroy()
    if (met === 'unavailable')
      response.writeHead(503, { 'access-control-allow-origin': request.headers.origin ?? '*' }).end()
    if (met === 'reset-before' || met === 'unavailable') return true
    presented.push(refreshToken)
    response.once('finish', () => {
      answeredAt = performance.timeOrigin + performance.now()
    })
    if (met === 'reset-after')
      response.end = () => {
        request.socket.destroy()
        return response
      }
    return false
  }

  const interact = createInteractions(provider, accounts)
  const provide = provider.callback()
  const answer = async (request: IncomingMessage, response: ServerResponse) => {
    response.setHeader('connection', 'close')
    const [path = '', query] = (request.url ?? '/').split('?')
    const own = auth0Paths[path]
    if (own) request.url = query === undefined ? own : `${own}?${query}`
    if (request.method === 'POST' && (own ?? path) === '/token' && (await tokenRequest(request, response)))
      return
    if (await interact(request, response)) return
    await provide(request, response)
  }
  handle = (request, response) => void answer(request, response).catch(() => response.destroy())

  const resourceServer = await startResourceServer({
    issuer: `${listening.origin}/`,
    credentials: introspector,
    allowedOrigins: [pageOrigin],
  })

  return {
    issuer: `${listening.origin}/`,
    clientId: spa.client_id,
    apiUrl: `${resourceServer.origin}/notes`,
    refreshes: () => sent.length,
    replays: () => presented.length - new Set(presented).size,
    answeredAt: () => answeredAt,
    forget() {
      sent = []
      presented = []
      fault = undefined
    },
    issueFor(seconds) {
      lifetime = seconds
    },
    failNext(kind) {
      fault = kind
    },
    async revokeAccessTokens() {
      for (const id of memory.idsOf('AccessToken', 'alice'))
        await (await provider.AccessToken.find(id))?.destroy()
    },
    async close() {
      await Promise.all([resourceServer.close(), listening.close()])
    },
  }
}
