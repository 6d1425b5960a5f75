import { type JsonWebKey, randomBytes } from 'node:crypto'
import type { Account, AdapterFactory, ClientMetadata, Configuration, JWK } from 'oidc-provider'
import { InvalidTarget } from 'oidc-provider/lib/helpers/errors.js'
import { demoScopes } from './demo-clients.ts'
import { interactionPolicy, messagePage, signOutPage } from './interaction-pages.ts'

export interface ProviderSettings {
  adapter: AdapterFactory
  clients: ClientMetadata[]
  /** The clients that may introspect any token; others only their own. */
  introspectors: readonly string[]
  findAccount: (accountId: string) => Account
  signingKey: JsonWebKey
  accessTokenSeconds: (clientId: string) => number
  refreshTokenSeconds: number
  /** The resource indicators that the server knows (RFC 8707). */
  resources: readonly string[]
  /** Whether DPoP proofs need a nonce of the server (RFC 9449 section 8). */
  dpopNonce: boolean
}

const originOf = (uri: string) => (URL.canParse(uri) ? new URL(uri).origin : undefined)

/** oidc-provider as a strict server for public clients. It sets every option that would otherwise cause a warning. */
export const providerConfiguration = (settings: ProviderSettings): Configuration => ({
  adapter: settings.adapter,
  clients: settings.clients,
  jwks: { keys: [{ ...settings.signingKey, alg: 'RS256', use: 'sig' } as JWK] },
  cookies: { keys: [randomBytes(24).toString('base64url')] },
  scopes: demoScopes,
  responseTypes: ['code'],
  claims: { openid: ['sub'], profile: ['name', 'preferred_username'] },
  // so that the ID Token contains the user's name
  conformIdTokenClaims: false,
  findAccount: (_ctx, sub) => settings.findAccount(sub),
  interactions: { url: (_ctx, interaction) => `/interaction/${interaction.uid}` },
  pkce: { required: () => true },
  rotateRefreshToken: true,
  // oidc-provider honours `offline_access` only with `prompt=consent`; here every client that may refresh gets one
  issueRefreshToken: async (_ctx, client) => client.grantTypeAllowed('refresh_token'),
  expiresWithSession: async () => false,
  clientBasedCORS: (_ctx, origin, client) =>
    (client.redirectUris ?? []).some(uri => originOf(uri) === origin),
  ttl: {
    AccessToken: (_ctx, _token, client) => settings.accessTokenSeconds(client.clientId),
    RefreshToken: settings.refreshTokenSeconds,
    AuthorizationCode: 60,
    IdToken: 3600,
    Interaction: 600,
    Session: 24 * 3600,
    Grant: 24 * 3600,
  },
  features: {
    devInteractions: { enabled: false },
    dPoP: { enabled: true, nonceSecret: randomBytes(32), requireNonce: () => settings.dpopNonce },
    introspection: {
      enabled: true,
      allowedPolicy: async (_ctx, client, token) =>
        settings.introspectors.includes(client.clientId) || token.clientId === client.clientId,
    },
    revocation: {
      enabled: true,
      allowedPolicy: async (_ctx, client, token) => token.clientId === client.clientId,
    },
    resourceIndicators: {
      enabled: settings.resources.length > 0,
      getResourceServerInfo: async (_ctx, resource, client) => {
        if (!settings.resources.includes(resource)) throw new InvalidTarget()
        const accessTokenTTL = settings.accessTokenSeconds(client.clientId)
        return {
          scope: demoScopes.join(' '),
          audience: resource,
          accessTokenTTL,
          accessTokenFormat: 'opaque',
        }
      },
      useGrantedResource: async () => false,
    },
    rpInitiatedLogout: {
      enabled: true,
      // with an `id_token_hint`, the app has proved whose session it is, and the user has just signed out there
      logoutSource: async (ctx, form) => {
        ctx.set('content-security-policy', interactionPolicy)
        ctx.body = signOutPage(form, ctx.oidc.entities.IdTokenHint !== undefined)
      },
      postLogoutSuccessSource: async ctx => {
        ctx.set('content-security-policy', interactionPolicy)
        ctx.body = messagePage('Signed out', 'Your session at the authorization server is over.')
      },
    },
  },
  renderError: async (ctx, out) => {
    ctx.type = 'html'
    ctx.set('content-security-policy', interactionPolicy)
    ctx.body = messagePage('That did not work', `${out.error}: ${out.error_description ?? 'no description'}`)
  },
})
