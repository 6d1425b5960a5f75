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
   * The id of the custom authorization server, whose access tokens are for your API. Default `default`. `null`: the org
   * authorization server, whose access tokens are for Okta itself.
   */
  authorizationServer?: string | null
}

/**
 * Okta. For pages, add their origin to "Trusted Origins" with CORS. Turn on "Refresh Token" for the application.
 * @param options `scope`: default `openid profile email offline_access`.
 * @returns options to spread into those of `createClient()`.
 * @throws ConfigurationError for a `domain` that is none.
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
