import { ConfigurationError } from '../errors.ts'
import { type IssuerOptions, type ProviderOptions, type SecretOptions, withSecret } from './common.ts'

export interface KeycloakOptions extends ProviderOptions, SecretOptions {
  /** Where Keycloak runs, such as `https://id.example.com`; with `/auth` for versions before 17 and where it was kept. */
  url: string
  /** The realm, as in the admin console. */
  realm: string
}

/**
 * Keycloak. For pages, their origin must stand in the client's "Web origins". Sessions end with the user's session at
 * Keycloak; with the scope `offline_access` they outlive it.
 * @param options `scope`: default `openid profile email`.
 * @returns options to spread into those of `createClient()`.
 * @throws ConfigurationError for a `url` that is none.
 */
export function keycloak({
  url,
  realm,
  clientId,
  clientSecret,
  scope = 'openid profile email',
  authorizationParameters = {},
}: KeycloakOptions): IssuerOptions {
  if (!URL.canParse(url) || !realm)
    throw new ConfigurationError('keycloak() needs "url", such as "https://id.example.com", and "realm".')
  const issuer = `${url.replace(/\/+$/, '')}/realms/${encodeURIComponent(realm)}`
  return { issuer, clientId, scope, authorizationParameters, ...withSecret(clientSecret) }
}
