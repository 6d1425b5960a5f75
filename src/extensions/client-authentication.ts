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

/** The newest assertions: those which a server may still repeat. */
const KEPT = 10

/** Remembers what was sent, so that no error repeats it; nothing of it is a member that a log would show. */
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
 * The client secret in the form of a request (RFC 6749 section 2.3.1).
 * @throws ConfigurationError for a secret that is empty.
 */
export const clientSecretPost = (secret: string): ClientAuthentication =>
  means('client_secret_post', ClientSecretPost(check(secret)), secret)

/**
 * The client secret by HTTP Basic, each part form-encoded (RFC 6749 section 2.3.1).
 * @throws ConfigurationError for a secret that is empty.
 */
export const clientSecretBasic = (secret: string): ClientAuthentication =>
  means('client_secret_basic', ClientSecretBasic(check(secret)), secret)

/**
 * An assertion under the client secret, HS256 (OpenID Connect Core section 9): the secret itself is never sent.
 * @throws ConfigurationError for a secret that is empty.
 */
export const clientSecretJwt = (secret: string): ClientAuthentication =>
  means('client_secret_jwt', ClientSecretJwt(check(secret)), secret)

/**
 * An assertion under a private key, for this server only and for a minute (RFC 7523 section 3).
 * @param key with the usage `sign`; it may be non-extractable.
 * @param options.kid the `kid` of its public half in the client's registered key set. Default: none is said.
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
 * The certificate of a mutual TLS connection (RFC 8705 section 2), which the app's own `fetch` has to bring: give it as
 * the option `fetch`. Endpoints in the server's `mtls_endpoint_aliases` are used where they are given (section 5).
 */
export const mtls = (): ClientAuthentication => ({
  method: 'tls_client_auth',
  mtls: true,
  authenticate: TlsClientAuth() as ClientAuthentication['authenticate'],
})
