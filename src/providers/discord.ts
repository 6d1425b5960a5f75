import { type ProviderOptions, type SecretOptions, type ServerOptions, withSecret } from './common.ts'

const HOST = 'https://discord.com'

/**
 * Discord. Turn on "Public Client" for a page or an app without a secret. Discord publishes two metadata documents, and both
 * are incomplete: these options combine them.
 * @param options `scope`: default `identify`. With `openid`, Discord issues an ID Token.
 * @returns options to spread into those of `createClient()`.
 */
export const discord = ({
  clientId,
  clientSecret,
  scope = 'identify',
  authorizationParameters = {},
}: ProviderOptions & SecretOptions): ServerOptions => ({
  server: {
    issuer: HOST,
    authorization_endpoint: `${HOST}/oauth2/authorize`,
    token_endpoint: `${HOST}/api/oauth2/token`,
    revocation_endpoint: `${HOST}/api/oauth2/token/revoke`,
    userinfo_endpoint: `${HOST}/api/oauth2/userinfo`,
    jwks_uri: `${HOST}/api/oauth2/keys`,
    id_token_signing_alg_values_supported: ['RS256'],
    code_challenge_methods_supported: ['S256'],
    authorization_response_iss_parameter_supported: true,
  },
  clientId,
  scope,
  authorizationParameters,
  ...withSecret(clientSecret),
})
