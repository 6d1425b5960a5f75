import type Provider from 'oidc-provider'
import type { KoaContextWithOIDC } from 'oidc-provider'

/** Events of the authorization server. They contain only the first four characters of a token. */
export type AuthorizationServerLogEntry =
  /** The server answered a token request. */
  | {
      readonly type: 'token-request'
      readonly clientId: string
      readonly grantType: string
      readonly status: number
      readonly error?: string
    }
  | { readonly type: 'access-token-issued'; readonly clientId: string; readonly accessToken: string }
  /** Its client or the server itself revoked it. */
  | { readonly type: 'access-token-revoked'; readonly clientId: string; readonly accessToken: string }
  | {
      readonly type: 'refresh-token-issued'
      readonly clientId: string
      readonly refreshToken: string
      /** 0 for the first refresh token of a grant; it increases by one at each rotation. */
      readonly rotation: number
    }
  /** The client used it. It works only once. */
  | { readonly type: 'refresh-token-consumed'; readonly clientId: string; readonly refreshToken: string }
  | { readonly type: 'refresh-token-revoked'; readonly clientId: string; readonly refreshToken: string }
  /** Everything from one consent has ended: after a revocation, a sign-out, or the second use of a refresh token. */
  | { readonly type: 'grant-revoked'; readonly route: string }
  | { readonly type: 'failure'; readonly message: string }

/** The part of a secret that may be shown. */
export const hint = (secret: string) => `${secret.slice(0, 4)}…`

export function logAuthorizationServer(
  provider: Provider,
  log: (entry: AuthorizationServerLogEntry) => void,
) {
  const tokenRequest = (ctx: KoaContextWithOIDC, status: number, error?: string) =>
    log({
      type: 'token-request',
      clientId: ctx.oidc.client?.clientId ?? 'unknown',
      grantType: String(ctx.oidc.params?.grant_type),
      status,
      error,
    })
  provider.on('grant.success', ctx => tokenRequest(ctx, 200))
  provider.on('grant.error', (ctx, error) => tokenRequest(ctx, error.statusCode, error.error))
  provider.on('access_token.saved', ({ clientId = '', jti }) =>
    log({ type: 'access-token-issued', clientId, accessToken: hint(jti) }),
  )
  provider.on('access_token.destroyed', ({ clientId = '', jti }) =>
    log({ type: 'access-token-revoked', clientId, accessToken: hint(jti) }),
  )
  provider.on('refresh_token.saved', ({ clientId = '', jti, rotations = 0 }) =>
    log({ type: 'refresh-token-issued', clientId, refreshToken: hint(jti), rotation: rotations }),
  )
  provider.on('refresh_token.consumed', ({ clientId = '', jti }) =>
    log({ type: 'refresh-token-consumed', clientId, refreshToken: hint(jti) }),
  )
  provider.on('refresh_token.destroyed', ({ clientId = '', jti }) =>
    log({ type: 'refresh-token-revoked', clientId, refreshToken: hint(jti) }),
  )
  provider.on('grant.revoked', ctx => log({ type: 'grant-revoked', route: ctx.oidc.route }))
  provider.on('server_error', (_ctx, error) => log({ type: 'failure', message: error.message }))
}
