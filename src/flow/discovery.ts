import {
  type AuthorizationServer,
  allowInsecureRequests,
  customFetch,
  discoveryRequest,
  processDiscoveryResponse,
} from 'oauth4webapi'
import { isConfidential } from '../core/destination.ts'
import type { Emit } from '../core/events.ts'
import type { Clock } from '../core/ports.ts'
import { ConfigurationError, NetworkError } from '../errors.ts'
import { toLatchkeyError } from './failure.ts'
import type { Transport } from './transport.ts'

/** The metadata of the authorization server, given or discovered. */
export type Server = () => Promise<AuthorizationServer>

export interface DiscoveryPorts {
  readonly issuer: string
  readonly metadata: { readonly issuer: string } | undefined
  readonly transport: Transport
  readonly clock: Clock
  readonly emit: Emit
}

/**
 * Fetches the metadata once; a failed fetch is forgotten, so that the next call tries again. OpenID Connect Discovery
 * first, then RFC 8414 where that document does not exist.
 */
export function createServer({ issuer, metadata, transport, clock, emit }: DiscoveryPorts): Server {
  let known: Promise<AuthorizationServer> | undefined

  const discover = async (algorithm: 'oidc' | 'oauth2'): Promise<AuthorizationServer> => {
    let url = ''
    try {
      const response = await discoveryRequest(new URL(issuer), {
        algorithm,
        [allowInsecureRequests]: true, // http is refused at creation, but for loopback
        [customFetch]: (address, init) => {
          url = address
          emit({ type: 'metadata-request', url })
          return transport(url, init)
        },
      })
      if (response.status === 404 && algorithm === 'oidc') return await discover('oauth2')
      const server = await processDiscoveryResponse(new URL(issuer), response)
      emit({ type: 'metadata-response', issuer: server.issuer })
      return server
    } catch (error) {
      const failure = toLatchkeyError(error, 'The metadata request', clock.now())
      if (failure instanceof NetworkError && failure.reason !== 'not_the_server') throw failure
      throw new NetworkError(
        `${url} is not the metadata of the issuer ${issuer}. Correct "issuer", or give "server" where there is no such document.`,
        'not_the_server',
      )
    }
  }

  return () => {
    known ??= (metadata ? Promise.resolve(metadata) : discover('oidc')).catch(error => {
      known = undefined
      throw error
    })
    return known
  }
}

/**
 * An endpoint of the server, as a URL that may be used.
 * @param mtls whether it is the one for mutual TLS, where the server has such (RFC 8705 section 5).
 * @throws ConfigurationError when the server has none, or one that is not https (loopback may be http).
 */
export function endpointOf(
  server: AuthorizationServer,
  name: keyof AuthorizationServer,
  mtls?: boolean,
): URL {
  const aliases: Readonly<Record<string, unknown>> | undefined = mtls
    ? server.mtls_endpoint_aliases
    : undefined
  const value = String(aliases?.[name] ?? server[name])
  const url = URL.canParse(value) ? new URL(value) : undefined
  if (!url || !isConfidential(url) || url.username) {
    throw new ConfigurationError(
      `The authorization server's "${name}" must be an https URL; it is ${value.slice(0, 100)}.`,
    )
  }
  return url
}
