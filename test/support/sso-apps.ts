import { createServer } from 'node:http'
import type { Configuration, Grant } from 'oidc-provider'
import { startAuthorizationServer } from '../../examples/demo/servers/authorization-server.ts'
import { type Listening, listen } from '../../examples/demo/servers/listen.ts'
import { startResourceServer } from '../../examples/demo/servers/resource-server.ts'
import { createBackChannelLogout, type LoggedOut } from '../../src/back-channel-logout.ts'
import type { SessionLimitsOptions } from '../../src/session-limits.ts'
import { appPage, bundle } from './e2e-pages.ts'

/** The configuration of an app's page. */
export interface SsoConfig {
  readonly issuer: string
  readonly clientId: string
  readonly apiUrl: string
  readonly limits?: SessionLimitsOptions
}

/** Two apps on two origins, a service, and their common provider. */
export interface SsoApps {
  readonly issuer: string
  readonly one: string
  readonly two: string
  /** The provider's back-channel logout requests to the service. */
  readonly loggedOut: readonly LoggedOut[]
  /** Sets the limits of pages that load from now on. */
  limit(limits: SessionLimitsOptions | undefined): void
  close(): Promise<void>
}

/** Configures a provider that needs no consent for its own apps, and puts a `sid` into ID Tokens. */
const withoutConsent = (configuration: Configuration): Configuration => ({
  ...configuration,
  extraParams: ['organization'],
  expiresWithSession: async () => true,
  // the provider's own `fetch` refuses loopback addresses, where the service runs
  fetch: (url, { method, headers, body, redirect, signal }: RequestInit = {}) =>
    fetch(url, { method, headers, body, redirect, signal }),
  async loadExistingGrant({ oidc }): Promise<Grant | undefined> {
    const { session, client, provider, account } = oidc
    if (!session || !client || !account) return undefined
    const known = session.grantIdFor(client.clientId)
    const found = known ? await provider.Grant.find(known) : undefined
    if (found) return found
    const { accountId } = account
    const grant = new provider.Grant({ accountId, clientId: client.clientId })
    grant.addOIDCScope('openid profile notes:read')
    await grant.save()
    return grant
  },
  features: { ...configuration.features, backchannelLogout: { enabled: true } },
})

const clientAt = (origin: string, clientId: string, service: string) => ({
  client_id: clientId,
  application_type: 'web' as const,
  token_endpoint_auth_method: 'none' as const,
  grant_types: ['authorization_code', 'refresh_token'],
  redirect_uris: [`${origin}/callback`],
  post_logout_redirect_uris: [`${origin}/`],
  backchannel_logout_uri: `${service}/${clientId}`,
  backchannel_logout_session_required: true,
})

export async function startSsoApps(): Promise<SsoApps> {
  const script = await bundle('test/support/sso-page.ts')
  const running: Pick<Listening, 'close'>[] = []
  const close = async () => void (await Promise.all(running.map(server => server.close())))
  const shared = { issuer: '', apiUrl: '' }
  let limits: SessionLimitsOptions | undefined
  const keep = <S extends Pick<Listening, 'close'>>(server: S): S => {
    running.push(server)
    return server
  }
  const startApp = async (clientId: string) =>
    keep(
      await listen(
        createServer((request, response) => {
          if (request.url === '/app.js')
            return response.writeHead(200, { 'content-type': 'text/javascript' }).end(script)
          response.writeHead(200, { 'content-type': 'text/html; charset=utf-8' })
          response.end(appPage({ ...shared, clientId, limits } satisfies SsoConfig))
        }),
        { name: clientId },
      ),
    )
  try {
    const [one, two] = [await startApp('app-one'), await startApp('app-two')]
    const loggedOut: LoggedOut[] = []
    const logouts = new Map<string, ReturnType<typeof createBackChannelLogout>>()
    const service = keep(
      await listen(
        createServer(async (request, response) => {
          let body = ''
          for await (const chunk of request) body += chunk
          const headers = { 'content-type': request.headers['content-type'] ?? '' }
          const answer = await logouts
            .get(request.url ?? '')
            ?.handle(new Request('http://service.invalid/', { method: 'POST', headers, body }))
          response.writeHead(answer?.status ?? 404).end()
        }),
        { name: 'service' },
      ),
    )
    const provider = keep(
      await startAuthorizationServer({
        clients: [
          clientAt(one.origin, 'app-one', service.origin),
          clientAt(two.origin, 'app-two', service.origin),
        ],
        accessTokenSeconds: 3600,
        configure: withoutConsent,
      }),
    )
    shared.issuer = provider.issuer
    for (const clientId of ['app-one', 'app-two']) {
      const endSessions = (who: LoggedOut) => void loggedOut.push(who)
      logouts.set(`/${clientId}`, createBackChannelLogout({ issuer: provider.issuer, clientId, endSessions }))
    }
    const api = keep(
      await startResourceServer({
        issuer: provider.issuer,
        credentials: provider.introspectionCredentials,
        allowedOrigins: [one.origin, two.origin],
      }),
    )
    shared.apiUrl = `${api.origin}/notes`
    return {
      issuer: provider.issuer,
      one: `${one.origin}/`,
      two: `${two.origin}/`,
      loggedOut,
      limit(next) {
        limits = next
      },
      close,
    }
  } catch (error) {
    await close()
    throw error
  }
}
