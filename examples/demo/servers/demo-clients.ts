import type { ClientMetadata } from 'oidc-provider'

/** All scopes that the demo's clients may ask for. */
export const demoScopes = ['openid', 'profile', 'offline_access', 'notes:read', 'notes:write'] as const

/** The demo page: a public client in a browser. */
export const demoSpa = (pageOrigin: string): ClientMetadata => ({
  client_id: 'demo-spa',
  client_name: 'latchkey demo page',
  application_type: 'web',
  token_endpoint_auth_method: 'none',
  grant_types: ['authorization_code', 'refresh_token'],
  redirect_uris: [`${pageOrigin}/callback`],
  post_logout_redirect_uris: [`${pageOrigin}/`, pageOrigin],
})

/** The terminal: a public native client, whose loopback redirect may use any port (RFC 8252 section 7.3). */
export const demoCli: ClientMetadata = {
  client_id: 'demo-cli',
  client_name: 'latchkey in a terminal',
  application_type: 'native',
  token_endpoint_auth_method: 'none',
  grant_types: ['authorization_code', 'refresh_token'],
  redirect_uris: ['http://127.0.0.1/callback', 'http://127.0.0.1/', 'http://127.0.0.1'],
}
