import { createServer } from 'node:http'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import { createBackChannelLogout, type LoggedOut } from 'latchkey/back-channel-logout'
import type { SessionLimitsOptions } from 'latchkey/session-limits'
import type { Configuration, Grant } from 'oidc-provider'
import { startAuthorizationServer } from '../demo/servers/authorization-server.ts'
import { type Listening, listen } from '../demo/servers/listen.ts'
import { startResourceServer } from '../demo/servers/resource-server.ts'

/** The configuration of an app's page. */
export interface AppConfig {
  readonly name: string
  readonly issuer: string
  readonly clientId: string
  readonly apiUrl: string
  readonly limits?: SessionLimitsOptions
}

/** Two apps on two origins, a service, and their common provider. */
export interface Apps {
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

const html = (config: AppConfig) => `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="config" content="${JSON.stringify(config).replaceAll('"', '&quot;')}">
<title>${config.name}</title>
<link rel="icon" href="data:,">
<script type="module" src="/app.js"></script>
</head>
<body>
<h1>${config.name}</h1>
<p id="state"></p>
<button id="sign-in">Sign in</button>
<button id="call">Call the API</button>
<button id="switch">Switch account</button>
<button id="sign-out">Sign out everywhere</button>
</body>
</html>
`

const page = fileURLToPath(new URL('page.ts', import.meta.url))

async function bundle(script: string): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [script],
    bundle: true,
    write: false,
    format: 'esm',
    target: 'es2022',
    logLevel: 'error',
  })
  return outputFiles[0]?.text ?? ''
}

/**
 * Starts two apps, each on its own origin, their API, the service that both have, and their provider.
 * @param options.script of the pages. Default: page.ts.
 * @param options.told the provider's back-channel logout requests to the service.
 */
export async function startApps({
  script = page,
  told = () => {},
}: {
  script?: string
  told?: (who: LoggedOut) => void
} = {}): Promise<Apps> {
  const code = await bundle(script)
  const running: Pick<Listening, 'close'>[] = []
  const close = async () => void (await Promise.all(running.map(server => server.close())))
  const shared = { issuer: '', apiUrl: '' }
  let limits: SessionLimitsOptions | undefined
  const keep = <S extends Pick<Listening, 'close'>>(server: S): S => {
    running.push(server)
    return server
  }
  const startApp = async (clientId: string, name: string) =>
    keep(
      await listen(
        createServer((request, response) => {
          if (request.url === '/app.js')
            return response.writeHead(200, { 'content-type': 'text/javascript' }).end(code)
          response.writeHead(200, { 'content-type': 'text/html; charset=utf-8' })
          response.end(html({ ...shared, name, clientId, limits }))
        }),
        { name },
      ),
    )
  try {
    const [one, two] = [await startApp('app-one', 'App one'), await startApp('app-two', 'App two')]
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
      const endSessions = (who: LoggedOut) => {
        loggedOut.push(who)
        told(who)
      }
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
