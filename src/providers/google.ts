import { type IssuerOptions, type ProviderOptions, type SecretOptions, withSecret } from './common.ts'

export interface GoogleOptions extends ProviderOptions, SecretOptions {
  /**
   * Requests a refresh token (`access_type=offline`). Google issues one only if the user consents, so latchkey also sends
   * `prompt=consent`. Default true. Set false in a page: Google issues it refresh tokens only with a client secret.
   */
  offline?: boolean
  /** Adds the scopes that the user granted this app before (`include_granted_scopes`). Default false. */
  includeGrantedScopes?: boolean
}

const LONG = 'https://www.googleapis.com/auth/userinfo.'

/**
 * Google OAuth 2.0 and OpenID Connect. Google requires `clientSecret` for web *and* desktop clients, in addition to PKCE;
 * only Android, iOS, UWP and Chrome clients have none.
 *
 * Users can deselect some of the scopes: `session.missingScope` lists those.
 * @param options `scope`: default `openid email profile`. Google has no `offline_access`: see `offline`.
 * @returns options to spread into those of `createClient()`.
 * @throws ConfigurationError for an empty secret.
 */
export function google({
  clientId,
  clientSecret,
  scope = 'openid email profile',
  offline = true,
  includeGrantedScopes = false,
  authorizationParameters,
}: GoogleOptions): IssuerOptions {
  const asked = [scope].flat().join(' ').split(/\s+/)
  // Google's responses name `…/userinfo.email` for the requested scope `email`: map it back to the app's name
  const spellings = new Map(['email', 'profile'].map(name => [`${LONG}${name}`, name]))
  for (const long of asked) spellings.delete(long)
  const spell = (name: string) => spellings.get(name) ?? name
  return {
    issuer: 'https://accounts.google.com',
    clientId,
    scope: asked.filter(name => name !== 'offline_access'),
    authorizationParameters: {
      ...(offline && { access_type: 'offline', prompt: 'consent' }),
      ...(includeGrantedScopes && { include_granted_scopes: 'true' }),
      ...authorizationParameters,
    },
    quirks: ['issuer_without_scheme', 'verification_url'],
    ...withSecret(clientSecret),
    provider: () => ({
      tokenAnswer: members =>
        typeof members.scope === 'string'
          ? { ...members, scope: members.scope.split(' ').map(spell).join(' ') }
          : members,
    }),
  }
}
