import {
  type IssuerOptions,
  originOf,
  type ProviderOptions,
  type SecretOptions,
  withSecret,
} from './common.ts'

export interface Auth0Options extends ProviderOptions, SecretOptions {
  /** The tenant's domain, such as `example.eu.auth0.com`, or your custom domain. */
  domain: string
  /** The identifier of your API at Auth0. Without it, access tokens are opaque and work only for `/userinfo`. */
  audience?: string
  /** Lets users sign in to this organization only. */
  organization?: string
}

/**
 * Auth0. For refresh tokens, turn on "Allow Offline Access" for the API and "Refresh Token Rotation" for the application.
 * @param options `scope`: default `openid profile email offline_access`.
 * @returns options to spread into those of `createClient()`.
 * @throws ConfigurationError for an invalid `domain`.
 */
export const auth0 = ({
  domain,
  audience,
  organization,
  clientId,
  clientSecret,
  scope = 'openid profile email offline_access',
  authorizationParameters,
}: Auth0Options): IssuerOptions => ({
  issuer: `${originOf(domain, 'domain', 'example.eu.auth0.com')}/`,
  clientId,
  scope,
  authorizationParameters: {
    ...(audience !== undefined && { audience }),
    ...(organization !== undefined && { organization }),
    ...authorizationParameters,
  },
  ...withSecret(clientSecret),
})
