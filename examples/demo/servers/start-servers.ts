import { startAuthorizationServer } from './authorization-server.ts'
import type { AuthorizationServerLogEntry } from './authorization-server-log.ts'
import { demoCli, demoSpa } from './demo-clients.ts'
import type { Listening } from './listen.ts'
import { startPageServer } from './page-server.ts'
import { type ResourceServerLogEntry, startResourceServer } from './resource-server.ts'

export interface ServersOptions {
  authorizationServerPort?: number
  apiPort?: number
  pagePort?: number
  /** How long the page's access tokens live. Default 20. */
  accessTokenSeconds?: number
  authorizationServerLog?: (entry: AuthorizationServerLogEntry) => void
  resourceServerLog?: (entry: ResourceServerLogEntry) => void
}

export interface Servers {
  readonly issuer: string
  readonly apiUrl: string
  readonly pageUrl: string
  revokeAccessTokensOf(subject: string, clientId: string): Promise<number>
  close(): Promise<void>
}

/** Short, so that the terminal part finishes quickly. */
const CLI_ACCESS_TOKEN_SECONDS = 4

/** Starts the demo's three servers. If one cannot start, it stops the others. */
export async function startServers(options: ServersOptions = {}): Promise<Servers> {
  const running: Pick<Listening, 'close'>[] = []
  const close = async () => {
    await Promise.all(running.map(server => server.close()))
  }
  const config = { issuer: '', clientId: 'demo-spa', apiUrl: '' }
  try {
    const page = await startPageServer({
      port: options.pagePort,
      portOption: '--page-port or LATCHKEY_PAGE_PORT',
      config: () => config,
      revokeAccessTokensOf: subject => authorizationServer.revokeAccessTokensOf(subject, 'demo-spa'),
    })
    running.push(page)
    const authorizationServer = await startAuthorizationServer({
      port: options.authorizationServerPort,
      portOption: '--as-port or LATCHKEY_AS_PORT',
      clients: [demoCli, demoSpa(page.origin)],
      accessTokenSeconds: clientId =>
        clientId === demoCli.client_id ? CLI_ACCESS_TOKEN_SECONDS : (options.accessTokenSeconds ?? 20),
      log: options.authorizationServerLog,
    })
    running.push(authorizationServer)
    const resourceServer = await startResourceServer({
      port: options.apiPort,
      portOption: '--api-port or LATCHKEY_API_PORT',
      issuer: authorizationServer.issuer,
      credentials: authorizationServer.introspectionCredentials,
      allowedOrigins: [page.origin],
      log: options.resourceServerLog,
    })
    running.push(resourceServer)
    config.issuer = authorizationServer.issuer
    config.apiUrl = `${resourceServer.origin}/notes`
    return {
      issuer: config.issuer,
      apiUrl: config.apiUrl,
      pageUrl: page.origin,
      revokeAccessTokensOf: authorizationServer.revokeAccessTokensOf,
      close,
    }
  } catch (error) {
    await close()
    throw error
  }
}
