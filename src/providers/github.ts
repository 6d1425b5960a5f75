import {
  originOf,
  type ProviderOptions,
  type SecretOptions,
  type ServerOptions,
  withSecret,
  withSpaces,
} from './common.ts'

export interface GitHubOptions extends ProviderOptions, SecretOptions {
  /** The host of GitHub Enterprise. Default `github.com`. */
  host?: string
}

/**
 * GitHub: an OAuth app, whose access tokens do not expire, or a GitHub App with expiring user tokens, whose refresh
 * replaces both tokens. GitHub requires `clientSecret` and blocks pages at its token endpoint (no CORS), so use it with
 * `latchkey/node`. GitHub issues no ID Token: get the user from `https://api.github.com/user`.
 * @param options `scope`: default none. GitHub Apps have permissions instead of scopes.
 * @returns options to spread into those of `createClient()`.
 * @throws ConfigurationError for an invalid `host`.
 */
export function github({
  host = 'github.com',
  clientId,
  clientSecret,
  scope = '',
  authorizationParameters = {},
}: GitHubOptions): ServerOptions {
  const issuer = `${originOf(host, 'host', 'github.example.com')}/login/oauth`
  return {
    server: {
      issuer,
      authorization_endpoint: `${issuer}/authorize`,
      token_endpoint: `${issuer}/access_token`,
    },
    clientId,
    scope,
    authorizationParameters,
    ...withSecret(clientSecret),
    provider: () => ({ tokenAnswer: withSpaces }),
  }
}
