import { ConfigurationError } from '../errors.ts'
import { type ProviderOptions, type SecretOptions, type ServerOptions, withSecret } from './common.ts'

const HOST = 'https://accounts.spotify.com'

/**
 * The Spotify Web API. PKCE without a secret is right for pages, apps and scripts alike; add `https://api.spotify.com` to
 * `allowedOrigins`. There is no ID Token: the user is who `https://api.spotify.com/v1/me` says. A session lasts at most
 * six months from the sign-in, however often it is refreshed; then its reason is `expired`.
 * @param options `scope`: default none, which allows what is public.
 * @returns options to spread into those of `createClient()`. `signIn()` rejects with ERR_CONFIGURATION for a redirect URI
 * at `localhost`, which Spotify refuses: use `127.0.0.1`.
 */
export const spotify = ({
  clientId,
  clientSecret,
  scope = '',
  authorizationParameters = {},
}: ProviderOptions & SecretOptions): ServerOptions => ({
  server: { issuer: HOST, authorization_endpoint: `${HOST}/authorize`, token_endpoint: `${HOST}/api/token` },
  clientId,
  scope,
  authorizationParameters,
  ...withSecret(clientSecret),
  provider: () => ({
    async authorizationRequest({ parameters }) {
      const redirectUri = parameters.get('redirect_uri') ?? ''
      if (!/^https?:\/\/localhost(?=[:/?]|$)/.test(redirectUri)) return
      throw new ConfigurationError(
        `Spotify refuses redirect URIs at localhost. Open your app at 127.0.0.1, and register ${redirectUri.replace('localhost', '127.0.0.1')}.`,
      )
    },
  }),
})

/** Why the Spotify Web API did not answer a call. */
export interface SpotifyError {
  readonly status: number
  readonly message: string | undefined
  /** `QUOTA_EXCEEDED`: the developer account's quota is used up, and waiting for `Retry-After` does not help. */
  readonly reason: string | undefined
  /** After how many seconds the same call may succeed. `undefined`: Spotify did not say, or waiting does not help. */
  readonly retryAfterSeconds: number | undefined
}

/**
 * Reads an answer of the Spotify Web API that is not `ok`, which may also be HTML or empty.
 * @param response its body is read from a copy.
 */
export async function readSpotifyError(response: Response): Promise<SpotifyError> {
  const text = (value: unknown) => (typeof value === 'string' ? value.slice(0, 200) : undefined)
  const body: unknown = await response
    .clone()
    .json()
    .catch(() => undefined)
  const { message, reason } = Object(Object(body).error)
  const seconds = /^\d+$/.exec(response.headers.get('retry-after') ?? '')?.[0]
  const isQuota = reason === 'QUOTA_EXCEEDED'
  return {
    status: response.status,
    message: text(message),
    reason: text(reason),
    retryAfterSeconds: seconds === undefined || isQuota ? undefined : Number(seconds),
  }
}
