import { ConfigurationError } from '../errors.ts'
import {
  type IssuerOptions,
  originOf,
  type ProviderOptions,
  type SecretOptions,
  withSecret,
} from './common.ts'

export interface CognitoOptions extends ProviderOptions, SecretOptions {
  /** The user pool's id, such as `eu-central-1_AbCdEfGhI`. */
  userPoolId: string
}

/**
 * Amazon Cognito user pools. The issuer and the endpoints are on different hosts: latchkey discovers both. Cognito does not
 * rotate the refresh token unless you turn on rotation for the app client.
 * @param options `scope`: default `openid profile email`. Cognito has no `offline_access`: it always issues a refresh token.
 * @returns options to spread into those of `createClient()`.
 * @throws ConfigurationError for an invalid `userPoolId`.
 */
export function cognito({
  userPoolId,
  clientId,
  clientSecret,
  scope = 'openid profile email',
  authorizationParameters = {},
}: CognitoOptions): IssuerOptions {
  const region = /^([a-z]{2}(?:-[a-z]+)+-\d+)_[\dA-Za-z]+$/.exec(userPoolId)?.[1]
  if (!region) throw new ConfigurationError('"userPoolId" must be an id such as "eu-central-1_AbCdEfGhI".')
  return {
    issuer: `https://cognito-idp.${region}.amazonaws.com/${userPoolId}`,
    clientId,
    scope,
    authorizationParameters,
    ...withSecret(clientSecret),
  }
}

/**
 * The URL that ends the user's session at Cognito. Cognito does not support the end-session endpoint of OpenID Connect, so
 * open this URL after `signOut()`.
 * @param options.domain the user pool's domain, such as `example.auth.eu-central-1.amazoncognito.com`.
 * @param options.logoutUri where Cognito sends the user afterwards: one of the app client's "Allowed sign-out URLs".
 * @throws ConfigurationError for an invalid `domain`.
 */
export function cognitoLogoutUrl({
  domain,
  clientId,
  logoutUri,
}: {
  domain: string
  clientId: string
  logoutUri: string
}): string {
  const url = new URL('/logout', originOf(domain, 'domain', 'example.auth.eu-central-1.amazoncognito.com'))
  url.search = new URLSearchParams({ client_id: clientId, logout_uri: logoutUri }).toString()
  return url.href
}
