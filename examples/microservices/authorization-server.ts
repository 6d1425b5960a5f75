import { protect } from 'latchkey/resource-server'
import type {
  Configuration,
  KoaContextWithOIDC,
  ResourceServer,
  TokenEndpointGrantContext,
} from 'oidc-provider'
import { InvalidRequest, InvalidScope, InvalidTarget } from 'oidc-provider/lib/helpers/errors.js'
import { startAuthorizationServer } from '../demo/servers/authorization-server.ts'
import { demoCli } from '../demo/servers/demo-clients.ts'
import { AUTHORIZATION_SERVER, type Trace, tokenName } from './trace.ts'

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

/** How the pictures name the grants. */
const purposes: Readonly<Record<string, string>> = {
  authorization_code: 'sign in',
  [EXCHANGE]: 'exchange a token (RFC 8693)',
  client_credentials: 'client credentials (RFC 6749)',
}

/** The name of a token that the server issues: its tokens are JWTs. */
function issuedToken(accessToken: unknown): string {
  const payload = JSON.parse(Buffer.from(String(accessToken).split('.')[1] ?? '', 'base64url').toString())
  return tokenName({ subject: payload.sub, audience: payload.aud, isBound: payload.cnf !== undefined })
}

/**
 * A real oidc-provider for services. It has client credentials, also bound to a key by DPoP. Token exchange (RFC 8693) is
 * registered with it, because it has none: the user's token must be for the service that exchanges it, the user must still
 * agree, and the new token is for the one API that this service calls.
 * @param secrets of the services, by their `client_id`.
 */
export async function startExchangingServer({
  secrets,
  trace,
}: {
  secrets: Readonly<Record<'orders' | 'billing', string>>
  trace: Trace
}) {
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
  // this server's own check of the tokens that `orders` presents
  const check = protect({ issuer, audience: 'orders' })

  const exchange = async (ctx: TokenEndpointGrantContext<ExchangeParameters>) => {
    const { client, params } = ctx.oidc
    const api = apiOf(client.clientId)
    if (params.subject_token_type !== ACCESS_TOKEN) throw new InvalidRequest('wrong subject_token_type')
    if (!api || params.audience !== api) throw new InvalidTarget()
    if (params.scope !== apis[api].scope) throw new InvalidScope('not for this service', params.scope ?? '')
    const authorization = `Bearer ${params.subject_token}`
    const verdict = await check(new Request(issuer, { headers: { authorization } }))
    if (!verdict.valid) throw new InvalidRequest('the subject_token is not valid here')
    const grantId = String(verdict.claims.consent)
    if (!(await provider.Grant.find(grantId))) throw new InvalidRequest('the user has signed out')
    const token = new provider.AccessToken({
      ...{ client, accountId: String(verdict.subject), grantId, scope: params.scope, gty: EXCHANGE },
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

  const note = ({ oidc, req }: KoaContextWithOIDC, result: string) => {
    const { client, account, params } = oidc
    const grant = String(params?.grant_type)
    const from = grant === 'authorization_code' ? account?.accountId : client?.clientId
    const purpose = purposes[grant] ?? grant
    trace.ask(
      from ?? 'nobody',
      AUTHORIZATION_SERVER,
      req.headers.dpop ? `${purpose}, with a proof of its key (RFC 9449)` : purpose,
    )
    trace.answer(AUTHORIZATION_SERVER, from ?? 'nobody', result)
  }
  provider.on('grant.success', ctx => note(ctx, issuedToken(Object(ctx.body).access_token)))
  provider.on('grant.error', (ctx, error) => note(ctx, error.error))
  return server
}
