import * as oauth from 'oauth4webapi'
import { isConfidential } from '../core/allowed-origins.ts'
import type { Emit } from '../core/events.ts'
import { ConfigurationError, NetworkError, ServerError } from '../errors.ts'
import type { Transport } from './transport.ts'

/** The metadata of the authorization server, given or discovered. */
export type Server = () => Promise<oauth.AuthorizationServer>

/**
 * Fetches the metadata once; a failed fetch is forgotten, so that the next call tries again. OpenID Connect Discovery
 * first, then RFC 8414 where that document does not exist.
 */
export function createServer({
  issuer,
  metadata,
  transport,
  emit,
}: {
  issuer: string
  metadata: { readonly issuer: string; readonly [member: string]: unknown } | undefined
  transport: Transport
  emit: Emit
}): Server {
  let known: Promise<oauth.AuthorizationServer> | undefined

  const discover = async (): Promise<oauth.AuthorizationServer> => {
    let url = issuer
    const load = async (algorithm: 'oidc' | 'oauth2') => {
      const response = await oauth.discoveryRequest(new URL(issuer), {
        algorithm,
        [oauth.allowInsecureRequests]: true, // http is refused at creation, but for loopback
        [oauth.customFetch]: (address, init) => {
          url = address
          emit({ type: 'metadata-request', url })
          return transport(address, init as RequestInit)
        },
      })
      if (algorithm === 'oidc' && response.status === 404) return load('oauth2')
      return oauth.processDiscoveryResponse(new URL(issuer), response)
    }
    try {
      const server = await load('oidc')
      emit({ type: 'metadata-response', issuer: server.issuer })
      return server
    } catch (cause) {
      if (cause instanceof NetworkError && cause.reason !== 'not_the_server') throw cause
      throw new NetworkError(
        `${url} did not answer with the metadata of an authorization server whose "issuer" is ${issuer}. ` +
          'Correct the option "issuer", or give "server" where there is no such document; else try again later.',
        'not_the_server',
        { cause: cause instanceof Error ? new Error(cause.name) : undefined },
      )
    }
  }

  return () => {
    known ??= metadata
      ? Promise.resolve(metadata as oauth.AuthorizationServer)
      : discover().catch(error => {
          known = undefined
          throw error
        })
    return known
  }
}

/**
 * An endpoint of the server, as a URL that may be used.
 * @throws ConfigurationError when the server has none; ServerError when it is not https (loopback may be http).
 */
export function endpointOf(server: oauth.AuthorizationServer, name: keyof oauth.AuthorizationServer): URL {
  const value = server[name]
  if (typeof value !== 'string') {
    throw new ConfigurationError(
      `The authorization server ${server.issuer} has no "${name}". Give it in "server".`,
    )
  }
  const url = URL.canParse(value) ? new URL(value) : undefined
  if (!url || !isConfidential(url) || url.username || url.password) {
    throw new ServerError(`The "${name}" of ${server.issuer} is refused: it has to be an https URL.`, {
      error: 'invalid_response',
    })
  }
  return url
}
