import { parseUrl } from '../core/destination.ts'
import { ConfigurationError } from '../errors.ts'
import { type IssuerOptions, type ProviderOptions, type SecretOptions, withSecret } from './common.ts'

export interface KeycloakOptions extends ProviderOptions, SecretOptions {
  /** The URL of Keycloak, such as `https://id.example.com`. Add `/auth` for versions before 17, or if you kept that path. */
  url: string
  /** The realm, as in the admin console. */
  realm: string
}

/**
 * Keycloak. Add the origin of a page to the client's "Web origins". A session ends with the user's session at Keycloak; with
 * the scope `offline_access` it continues.
 * @param options `scope`: default `openid profile email`.
 * @returns options to spread into those of `createClient()`.
 * @throws ConfigurationError for an invalid `url` or an empty `realm`.
 */
export function keycloak({
  url,
  realm,
  clientId,
  clientSecret,
  scope = 'openid profile email',
  authorizationParameters = {},
}: KeycloakOptions): IssuerOptions {
  if (!parseUrl(url) || !realm)
    throw new ConfigurationError('keycloak() needs "url", such as "https://id.example.com", and "realm".')
  const issuer = `${url.replace(/\/+$/, '')}/realms/${encodeURIComponent(realm)}`
  return { issuer, clientId, scope, authorizationParameters, ...withSecret(clientSecret) }
}
