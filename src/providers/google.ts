import { type IssuerOptions, type ProviderOptions, type SecretOptions, withSecret } from './common.ts'

export interface GoogleOptions extends ProviderOptions, SecretOptions {
  /**
   * Asks for a refresh token (`access_type=offline`). Google gives one only with the user's consent, so `prompt=consent`
   * is sent too. Default true. Google gives refresh tokens to pages only with a client secret, so set false in a page.
   */
  offline?: boolean
  /** Adds the scopes that the user granted this app before (`include_granted_scopes`). Default false. */
  includeGrantedScopes?: boolean
}

const LONG = 'https://www.googleapis.com/auth/userinfo.'

/**
 * Google OAuth 2.0 and OpenID Connect. Google insists on `clientSecret` for web *and* desktop clients, beside PKCE; only
 * Android, iOS, UWP and Chrome clients have none.
 *
 * Users may untick some of the scopes: `session.missingScope` has the ones that they did.
 * @param options `scope`: default `openid email profile`. Google has no `offline_access`: see `offline`.
 * @returns options to spread into those of `createClient()`.
 * @throws ConfigurationError for a secret that is empty.
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
  // answers say `…/userinfo.email` where `email` was asked for: named as the app names it
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
