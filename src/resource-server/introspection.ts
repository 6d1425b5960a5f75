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

/** How to ask an issuer about tokens (RFC 7662). */
export interface IntrospectionOptions {
  /** This API's `client_id` at the issuer. */
  clientId: string
  /** How it authenticates, from `latchkey/client-authentication`. */
  clientAuthentication?: ClientAuthentication
  /** The endpoint, if the issuer's metadata does not name it. */
  endpoint?: string
  /** How many seconds an active token is taken for active, 0 or more, never beyond its `exp`. Default 30. */
  cacheSeconds?: number
  /** How many seconds an inactive token is taken for inactive, 0 or more. Default 5. */
  inactiveCacheSeconds?: number
  /** Accepts answers without `aud`, from an issuer that answers `active` only to the API that the token is for. Default false. */
  acceptWithoutAudience?: boolean
}

/** The answer about one token. */
export type Introspected = Readonly<Record<string, unknown>> & { readonly active: boolean }

const MOST_ENTRIES = 10_000

/**
 * Asks about each token once at a time, and remembers the answer by the token's digest.
 * @throws NetworkError or ServerError where there is no answer: that is never taken for an answer.
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
        [allowInsecureRequests]: true, // loopback only: endpointOf() has seen to that
        [customFetch]: async (url, init) => {
          // asking twice does no harm
          const answer = await transport(url, init, true)
          // JSON that can be read in one way only; a signed answer is no JSON
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
