import { clockSkew } from 'oauth4webapi'
import { base64url, fromBase64 } from '../core/base64url.ts'
import type { ClientAuthentication } from '../core/extension.ts'
import { ConfigurationError } from '../errors.ts'
import type { IssuerOptions, ProviderOptions } from './common.ts'

export interface AppleOptions extends ProviderOptions {
  /** The Services ID, such as `com.example.web`. */
  clientId: string
  /** Your team's id: ten letters and digits. */
  teamId: string
  /** The id of the key in `privateKey`. */
  keyId: string
  /** The text of the `.p8` file, or an ES256 key with the usage `sign`. */
  privateKey: string | CryptoKey
}

const ISSUER = 'https://appleid.apple.com'
/** The lifetime of the client secret. Apple allows six months, but five minutes are enough for a request. */
const SECRET_SECONDS = 300

const encode = (value: object): string => base64url(new TextEncoder().encode(JSON.stringify(value)))

const ECDSA = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' }

async function importKey(pem: string): Promise<CryptoKey> {
  try {
    const body = pem.replace(/-----[^-]+-----|\s/g, '')
    return await crypto.subtle.importKey('pkcs8', fromBase64(body), ECDSA, false, ['sign'])
  } catch {
    // the original error may contain the key
    throw new ConfigurationError('"privateKey" must be the text of the .p8 file that Apple gave you.')
  }
}

/** Signs a new client secret for every request. */
function appleSecret({ clientId, teamId, keyId, privateKey }: AppleOptions): ClientAuthentication {
  let imported: Promise<CryptoKey> | undefined
  let sent: string | undefined
  return {
    method: 'client_secret_post',
    isShared: true,
    async authenticate(_server, client, form) {
      imported ??= typeof privateKey === 'string' ? importKey(privateKey) : Promise.resolve(privateKey)
      const key = await imported
      // by Apple's clock, if latchkey knows the difference
      const { [clockSkew]: ahead = 0 } = client as { [clockSkew]?: number }
      const now = Math.floor(Date.now() / 1000) + ahead
      const claims = { iss: teamId, iat: now, exp: now + SECRET_SECONDS, aud: ISSUER, sub: clientId }
      const content = `${encode({ alg: 'ES256', kid: keyId })}.${encode(claims)}`
      const signature = await crypto.subtle.sign(ECDSA, key, new TextEncoder().encode(content))
      sent = `${content}.${base64url(signature)}`
      form.set('client_id', client.client_id)
      form.set('client_secret', sent)
    },
    secrets: () => (sent === undefined ? [] : [sent]),
  }
}

/**
 * Sign in with Apple, for a server: the private key must never be in a page or an app. With the scopes `name` or `email`,
 * Apple posts the authorization response to your redirect URI: pass it to `handleCallback()` with `appleCallbackUrl()`.
 * Apple refuses redirect URIs at `localhost` and at IP addresses.
 * @param options `scope`: default `openid`.
 * @returns options to spread into those of `createClient()`.
 */
export function apple(options: AppleOptions): IssuerOptions {
  const { clientId, scope = 'openid', authorizationParameters = {} } = options
  return {
    issuer: ISSUER,
    clientId,
    scope,
    authorizationParameters,
    clientAuthentication: appleSecret(options),
    provider: () => ({
      async authorizationRequest({ parameters }) {
        const isPosted = /\b(name|email)\b/.test(parameters.get('scope') ?? '')
        if (isPosted) parameters.set('response_mode', 'form_post')
      },
    }),
  }
}

/**
 * Makes a callback URL for `handleCallback()` from the form that Apple posted to the redirect URI.
 * @param redirectUri as in the options of the client.
 * @param form the body of the request. Its member `user` has the user's name; Apple sends it only at the first sign-in.
 */
export function appleCallbackUrl(redirectUri: string, form: URLSearchParams): string {
  const url = new URL(redirectUri)
  for (const name of ['code', 'state', 'error', 'iss']) {
    const value = form.get(name)
    if (value !== null) url.searchParams.set(name, value)
  }
  return url.href
}
