import {
  type IssuerOptions,
  originOf,
  type ProviderOptions,
  type SecretOptions,
  withSecret,
} from './common.ts'

export interface OktaOptions extends ProviderOptions, SecretOptions {
  /** The organization's domain, such as `example.okta.com`, or your custom domain. */
  domain: string
  /**
   * The id of the custom authorization server, which issues access tokens for your API. Default `default`. `null` selects
   * the org authorization server, which issues access tokens for Okta itself.
   */
  authorizationServer?: string | null
}

/**
 * Okta. Add the origin of a page to "Trusted Origins" with CORS. Turn on "Refresh Token" for the application.
 * @param options `scope`: default `openid profile email offline_access`.
 * @returns options to spread into those of `createClient()`.
 * @throws ConfigurationError for an invalid `domain`.
 */
export function okta({
  domain,
  authorizationServer = 'default',
  clientId,
  clientSecret,
  scope = 'openid profile email offline_access',
  authorizationParameters = {},
}: OktaOptions): IssuerOptions {
  const origin = originOf(domain, 'domain', 'example.okta.com')
  const issuer = authorizationServer === null ? origin : `${origin}/oauth2/${authorizationServer}`
  return { issuer, clientId, scope, authorizationParameters, ...withSecret(clientSecret) }
}
