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
 * replaces both tokens at once. GitHub insists on `clientSecret` and allows no page at its token endpoint (CORS), so this is
 * for `latchkey/node`. There is no ID Token: the user is who `https://api.github.com/user` says.
 * @param options `scope`: default none. GitHub Apps have permissions in place of scopes.
 * @returns options to spread into those of `createClient()`.
 * @throws ConfigurationError for a `host` that is none.
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
