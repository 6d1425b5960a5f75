import {
  type ClientAuth,
  ClientSecretBasic,
  ClientSecretJwt,
  ClientSecretPost,
  PrivateKeyJwt,
  TlsClientAuth,
} from 'oauth4webapi'
import type { ClientAuthentication } from '../core/extension.ts'
import { ConfigurationError } from '../errors.ts'

export type { ClientAuthentication } from '../core/extension.ts'

/** How many sent credentials to remember. A server can repeat only the newest ones in an error. */
const KEPT = 10

/** Remembers sent credentials, so that errors can leave them out. They are in a closure, so that no log shows them. */
function means(method: string, add: ClientAuth, own?: string): ClientAuthentication {
  const sent: string[] = []
  return {
    method,
    isShared: own !== undefined,
    async authenticate(server, client, form, headers) {
      await add(server as Parameters<ClientAuth>[0], client, form, headers)
      const basic = headers.get('authorization')?.replace('Basic ', '')
      const assertion = form.get('client_assertion')
      for (const value of [basic, assertion]) if (value && !sent.includes(value)) sent.push(value)
      sent.splice(0, sent.length - KEPT)
    },
    secrets: () => [...sent, ...(own ? [own, encodeURIComponent(own)] : [])],
  }
}

function check(secret: string): string {
  if (typeof secret === 'string' && secret) return secret
  throw new ConfigurationError('The client secret must be a text that is not empty.')
}

/**
 * Sends the client secret in the request body (RFC 6749 section 2.3.1).
 * @throws ConfigurationError for an empty secret.
 */
export const clientSecretPost = (secret: string): ClientAuthentication =>
  means('client_secret_post', ClientSecretPost(check(secret)), secret)

/**
 * Sends the client ID and secret by HTTP Basic, each form-encoded (RFC 6749 section 2.3.1).
 * @throws ConfigurationError for an empty secret.
 */
export const clientSecretBasic = (secret: string): ClientAuthentication =>
  means('client_secret_basic', ClientSecretBasic(check(secret)), secret)

/**
 * Sends a JWT that is signed with the client secret, HS256 (OpenID Connect Core section 9). It never sends the secret.
 * @throws ConfigurationError for an empty secret.
 */
export const clientSecretJwt = (secret: string): ClientAuthentication =>
  means('client_secret_jwt', ClientSecretJwt(check(secret)), secret)

/**
 * Sends a JWT that is signed with a private key, for this server only and valid for a minute (RFC 7523 section 3).
 * @param key a private key with the usage `sign`. It may be non-extractable.
 * @param options.kid the `kid` of the public key in the client's registered key set. Default: the JWT has no `kid`.
 * @throws ConfigurationError for a key that cannot sign.
 */
export function privateKeyJwt(key: CryptoKey, { kid }: { kid?: string } = {}): ClientAuthentication {
  try {
    if (!key.usages.includes('sign')) throw new TypeError()
    return means('private_key_jwt', PrivateKeyJwt({ key, kid }))
  } catch {
    throw new ConfigurationError('The key must be a private CryptoKey with the usage "sign".')
  }
}

/**
 * Authenticates with the certificate of a mutual TLS connection (RFC 8705 section 2). Set the option `fetch` to a function
 * that sends the certificate. latchkey uses the server's `mtls_endpoint_aliases` if there are any (section 5).
 */
export const mtls = (): ClientAuthentication => ({
  method: 'tls_client_auth',
  mtls: true,
  authenticate: TlsClientAuth() as ClientAuthentication['authenticate'],
})
