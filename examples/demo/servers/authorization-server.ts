import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type ProviderClass from 'oidc-provider'
import type { ClientMetadata, Configuration } from 'oidc-provider'
import { Provider } from 'oidc-provider/lib/provider.js'
import { createAccounts } from './accounts.ts'
import { type AuthorizationServerLogEntry, logAuthorizationServer } from './authorization-server-log.ts'
import { demoCli } from './demo-clients.ts'
import { createInteractions } from './interactions.ts'
import { listen } from './listen.ts'
import { createProviderMemory } from './memory-adapter.ts'
import { providerConfiguration } from './provider-configuration.ts'

export interface AuthorizationServerOptions {
  /** Default 0: any free port. */
  port?: number
  /** How the reader of a message about a taken port chooses another one. */
  portOption?: string
  /** The clients that may ask for tokens. Default: the terminal's client `demo-cli`. */
  clients?: readonly ClientMetadata[]
  /** How long access tokens live, for all clients or for each. Default 20. */
  accessTokenSeconds?: number | ((clientId: string) => number)
  /** How long refresh tokens live. Default one day. */
  refreshTokenSeconds?: number
  /** The resource indicators that the server knows (RFC 8707). Default: none. */
  resources?: readonly string[]
  /** Changes the provider's configuration. Default: no change. */
  configure?: (configuration: Configuration) => Configuration
  /** Whether DPoP proofs need a nonce of the server (RFC 9449 section 8). Default false. */
  dpopNonce?: boolean
  /** Runs before the provider. It returns `true` if it answered the request itself. */
  before?: (request: IncomingMessage, response: ServerResponse) => boolean | Promise<boolean>
  log?: (entry: AuthorizationServerLogEntry) => void
}

export interface AuthorizationServer {
  readonly issuer: string
  readonly port: number
  readonly provider: ProviderClass
  /** The credentials for introspection by a resource server. */
  readonly introspectionCredentials: { readonly clientId: string; readonly clientSecret: string }
  /** Revokes one access token at the server, and nothing else from its grant. */
  revokeAccessToken(accessToken: string): Promise<void>
  /** Revokes every access token of a user. @returns their number. */
  revokeAccessTokensOf(subject: string, clientId?: string): Promise<number>
  close(): Promise<void>
}

/** Starts a real OpenID provider on 127.0.0.1. It signs in anyone who enters a name. */
export async function startAuthorizationServer(
  options: AuthorizationServerOptions = {},
): Promise<AuthorizationServer> {
  let handle = (_request: IncomingMessage, response: ServerResponse) => {
    response.writeHead(503).end()
  }
  const server = createServer((request, response) => handle(request, response))
  const { port, portOption } = options
  const listening = await listen(server, { name: 'authorization server', port, portOption })

  const clientId = 'notes-api'
  const clientSecret = randomBytes(24).toString('base64url')
  const resourceServer: ClientMetadata = {
    client_id: clientId,
    client_secret: clientSecret,
    token_endpoint_auth_method: 'client_secret_basic',
    grant_types: [],
    response_types: [],
    redirect_uris: [],
  }
  const memory = createProviderMemory()
  const accounts = createAccounts()
  const { accessTokenSeconds = 20 } = options
  const { configure = (configuration: Configuration) => configuration } = options
  const provider = new Provider(
    listening.origin,
    configure(
      providerConfiguration({
        adapter: memory.adapter,
        clients: [...(options.clients ?? [demoCli]), resourceServer],
        introspectors: [clientId],
        findAccount: accounts.find,
        signingKey: generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({ format: 'jwk' }),
        accessTokenSeconds:
          typeof accessTokenSeconds === 'number' ? () => accessTokenSeconds : accessTokenSeconds,
        refreshTokenSeconds: options.refreshTokenSeconds ?? 24 * 3600,
        resources: options.resources ?? [],
        dpopNonce: options.dpopNonce ?? false,
      }),
    ),
  )
  if (options.log) logAuthorizationServer(provider, options.log)

  const interact = createInteractions(provider, accounts)
  const provide = provider.callback()
  const answer = async (request: IncomingMessage, response: ServerResponse) => {
    if (await options.before?.(request, response)) return
    if (await interact(request, response)) return
    await provide(request, response)
  }
  handle = (request, response) => {
    answer(request, response).catch(error => {
      options.log?.({ type: 'failure', message: String(error) })
      response.destroy()
    })
  }

  const revokeAccessToken = async (accessToken: string) => {
    const found = await provider.AccessToken.find(accessToken)
    await found?.destroy()
  }

  return {
    issuer: listening.origin,
    port: listening.port,
    provider,
    introspectionCredentials: { clientId, clientSecret },
    revokeAccessToken,
    revokeAccessTokensOf: async (subject, ofClient) => {
      const accessTokens = memory.idsOf('AccessToken', subject, ofClient)
      await Promise.all(accessTokens.map(revokeAccessToken))
      return accessTokens.length
    },
    close: listening.close,
  }
}
