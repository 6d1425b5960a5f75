import { ConfigurationError } from '../errors.ts'
import { type ProviderOptions, type SecretOptions, type ServerOptions, withSecret } from './common.ts'

const HOST = 'https://accounts.spotify.com'

/**
 * The Spotify Web API. Pages, apps and scripts all use PKCE without a secret; add `https://api.spotify.com` to
 * `allowedOrigins`. Spotify issues no ID Token: get the user from `https://api.spotify.com/v1/me`. A session ends six months
 * after the sign-in, however often it was refreshed; its reason is then `expired`.
 * @param options `scope`: default none, which gives access to public data only.
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

/** The error in a response of the Spotify Web API. */
export interface SpotifyError {
  readonly status: number
  readonly message: string | undefined
  /** `QUOTA_EXCEEDED`: the developer account's quota is used up, and waiting for `Retry-After` does not help. */
  readonly reason: string | undefined
  /** After how many seconds the same call may succeed. `undefined` if Spotify did not send it, or waiting does not help. */
  readonly retryAfterSeconds: number | undefined
}

/**
 * Reads an error response of the Spotify Web API. Its body may also be HTML or empty.
 * @param response a response that is not `ok`. latchkey reads a copy of its body.
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
