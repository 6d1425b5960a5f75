import { createRemoteJWKSet, jwtVerify } from 'jose'
import {
  type Configuration,
  errors,
  type KoaContextWithOIDC,
  type ResourceServer,
  type TokenEndpointGrantContext,
} from 'oidc-provider'
import { startAuthorizationServer } from '../../../examples/demo/servers/authorization-server.ts'
import { demoCli } from '../../../examples/demo/servers/demo-clients.ts'

const EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange'
const ACCESS_TOKEN = 'urn:ietf:params:oauth:token-type:access_token'
const LIFETIME_SECONDS = 300

/** The APIs, with what can be done there, and the one client that gets tokens for each. */
const apis = {
  orders: { scope: 'orders:write', client: 'shop' },
  billing: { scope: 'bills:write', client: 'orders' },
  ledger: { scope: 'entries:write', client: 'billing' },
} as const
type Api = keyof typeof apis

const apiOf = (client: string) => (Object.keys(apis) as Api[]).find(api => apis[api].client === client)

/** Tokens are JWTs (RFC 9068), because each API checks them by itself. */
const resourceServerOf = (api: Api): ResourceServer => ({
  scope: apis[api].scope,
  audience: api,
  accessTokenTTL: LIFETIME_SECONDS,
  accessTokenFormat: 'jwt',
  jwt: { sign: { alg: 'RS256' } },
})
const PREFIX = 'urn:example:'

const configure = (configuration: Configuration): Configuration => ({
  ...configuration,
  scopes: [...(configuration.scopes ?? []), ...Object.values(apis).map(({ scope }) => scope)],
  ttl: { ...configuration.ttl, ClientCredentials: LIFETIME_SECONDS },
  // the consent of the user that a token comes from, and who acts for the user (RFC 8693 section 4.1)
  extraTokenClaims: (_ctx, token) =>
    'grantId' in token
      ? {
          consent: token.grantId,
          ...(token.gty === EXCHANGE && token.clientId && { act: { sub: token.clientId } }),
        }
      : undefined,
  features: {
    ...configuration.features,
    clientCredentials: { enabled: true },
    resourceIndicators: {
      enabled: true,
      defaultResource: (_ctx, client) => {
        const api = apiOf(client.clientId)
        return api ? PREFIX + api : []
      },
      useGrantedResource: () => true,
      getResourceServerInfo: (_ctx, resource) => resourceServerOf(resource.slice(PREFIX.length) as Api),
    },
  },
})

type ExchangeParameters = Record<'subject_token' | 'subject_token_type' | 'audience', string>

/**
 * A real oidc-provider for services. It has client credentials, also bound to a key by DPoP. Token exchange (RFC 8693) is
 * registered with it, because it has none: the user's token must be for the service that exchanges it, the user must still
 * agree, and the new token is for the one API that this service calls.
 * @param secrets of the services, by their `client_id`.
 */
export async function startExchangingProvider(secrets: Readonly<Record<'orders' | 'billing', string>>) {
  const service = (client_id: 'orders' | 'billing', grant: string) => ({
    ...{ client_id, client_secret: secrets[client_id], grant_types: [grant] },
    ...{ response_types: [], redirect_uris: [], scope: apis[apiOf(client_id) as Api].scope },
  })
  const server = await startAuthorizationServer({
    accessTokenSeconds: LIFETIME_SECONDS,
    clients: [
      { ...demoCli, client_id: 'shop' },
      service('orders', EXCHANGE),
      service('billing', 'client_credentials'),
    ],
    configure,
  })
  const { provider, issuer } = server
  const keys = createRemoteJWKSet(new URL(`${issuer}/jwks`))

  const exchange = async (ctx: TokenEndpointGrantContext<ExchangeParameters>) => {
    const { client, params } = ctx.oidc
    const api = apiOf(client.clientId)
    if (params.subject_token_type !== ACCESS_TOKEN)
      throw new errors.InvalidRequest('wrong subject_token_type')
    if (!api || params.audience !== api) throw new errors.InvalidTarget()
    if (params.scope !== apis[api].scope)
      throw new errors.InvalidScope('not for this service', params.scope ?? '')
    const { payload } = await jwtVerify(params.subject_token, keys, {
      ...{ issuer, audience: client.clientId, typ: 'at+jwt' },
    }).catch(() => {
      throw new errors.InvalidRequest('the subject_token is not valid here')
    })
    const grantId = String(payload.consent)
    if (!(await provider.Grant.find(grantId))) throw new errors.InvalidRequest('the user has signed out')
    const token = new provider.AccessToken({
      ...{ client, accountId: String(payload.sub), grantId, scope: params.scope, gty: EXCHANGE },
      resourceServer: new provider.ResourceServer(PREFIX + api, resourceServerOf(api)),
    })
    ctx.body = {
      ...{ access_token: await token.save(), issued_token_type: ACCESS_TOKEN, token_type: token.tokenType },
      ...{ expires_in: token.expiration, scope: token.scope },
    }
  }
  provider.registerGrantType<ExchangeParameters>(
    EXCHANGE,
    exchange,
    new Set(['subject_token', 'subject_token_type', 'audience', 'scope']),
  )

  /** Requests to the token endpoint, as `client: grant: outcome`. */
  const requests: string[] = []
  const note = (ctx: KoaContextWithOIDC, outcome: string) =>
    requests.push(
      `${ctx.oidc.client?.clientId}: ${String(ctx.oidc.params?.grant_type).split(':').at(-1)}: ${outcome}`,
    )
  provider.on('grant.success', ctx => note(ctx, 'ok'))
  provider.on('grant.error', (ctx, error) => note(ctx, error.error))
  return { ...server, requests }
}
