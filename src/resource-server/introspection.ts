import {
  allowInsecureRequests,
  customFetch,
  introspectionRequest,
  None,
  processIntrospectionResponse,
} from 'oauth4webapi'
import type { Transport } from '../authorization/endpoint.ts'
import { toLatchkeyError } from '../authorization/failure.ts'
import { endpointOf, type Server } from '../authorization/metadata.ts'
import { readMembers, withMembers } from '../authorization/token-response.ts'
import type { ClientAuthentication } from '../core/extension.ts'
import type { Clock } from '../core/ports.ts'
import { singleFlight } from '../core/waiting.ts'
import { digestOf } from './jwt.ts'

/** How to introspect tokens at an issuer (RFC 7662). */
export interface IntrospectionOptions {
  /** This API's `client_id` at the issuer. */
  clientId: string
  /** How this API authenticates, from `latchkey/client-authentication`. Default: as a public client. */
  clientAuthentication?: ClientAuthentication
  /** The introspection endpoint, if the issuer's metadata does not name it. */
  endpoint?: string
  /** How many seconds to cache the response for an active token, 0 or more, never beyond its `exp`. Default 30. */
  cacheSeconds?: number
  /** How many seconds to cache the response for an inactive token, 0 or more. Default 5. */
  inactiveCacheSeconds?: number
  /**
   * Accepts responses without `aud`. Set it only if the issuer reports a token as `active` only to the API that the token is
   * for. Default false.
   */
  acceptWithoutAudience?: boolean
}

/** The introspection response for one token. */
export type Introspected = Readonly<Record<string, unknown>> & { readonly active: boolean }

const MOST_ENTRIES = 10_000

/**
 * Creates a function that introspects a token. It sends one request at a time for each token, and caches the response under
 * the token's digest. It rejects with a LatchkeyError if the issuer does not answer: it never treats that as an answer.
 */
export function createIntrospection(
  {
    clientId,
    clientAuthentication,
    endpoint,
    cacheSeconds = 30,
    inactiveCacheSeconds = 5,
  }: IntrospectionOptions,
  { server, transport, clock }: { server: Server; transport: Transport; clock: Clock },
): (accessToken: string) => Promise<Introspected> {
  const cache = new Map<string, { readonly until: number; readonly answer: Introspected }>()
  const share = singleFlight<Introspected>()

  const ask = async (accessToken: string): Promise<Introspected> => {
    try {
      const found = await server()
      const as = endpoint === undefined ? found : { ...found, introspection_endpoint: endpoint }
      endpointOf(as, 'introspection_endpoint', clientAuthentication?.mtls)
      const client = { client_id: clientId, use_mtls_endpoint_aliases: clientAuthentication?.mtls ?? false }
      const authenticate = clientAuthentication?.authenticate ?? None()
      const response = await introspectionRequest(as, client, authenticate, accessToken, {
        [allowInsecureRequests]: true, // endpointOf() allows http only on loopback
        [customFetch]: async (url, init) => {
          // `true` allows a retry, which does no harm here
          const answer = await transport(url, init, true)
          // accept only JSON without duplicate members; a signed response is not JSON
          const isJson = answer.status === 200 && /json/i.test(answer.headers.get('content-type') ?? '')
          return isJson ? withMembers(answer, await readMembers(answer, () => {})) : answer
        },
        additionalParameters: { token_type_hint: 'access_token' },
      })
      return { ...(await processIntrospectionResponse(as, client, response)) }
    } catch (error) {
      const secrets = [accessToken, ...(clientAuthentication?.secrets?.() ?? [])]
      throw toLatchkeyError(error, 'The introspection request', clock.now(), secrets)
    }
  }

  return async accessToken => {
    const key = await digestOf(accessToken)
    const known = cache.get(key)
    if (known && known.until > clock.now()) return known.answer
    return share(key, async () => {
      const answer = await ask(accessToken)
      const { active, exp } = answer
      const seconds = active ? cacheSeconds : inactiveCacheSeconds
      const until = clock.now() + seconds * 1000
      cache.delete(key)
      if (cache.size >= MOST_ENTRIES) cache.delete(cache.keys().next().value as string)
      cache.set(key, { answer, until: typeof exp === 'number' ? Math.min(until, exp * 1000) : until })
      return answer
    })
  }
}
