import { type AuthorizationServer, jwksCache, validateApplicationLevelSignature } from 'oauth4webapi'
import type { ServerSettings } from '../core/authorization.ts'
import { isMembers, type Members } from '../core/members.ts'
import type { Clock, EpochMs, KeyValue } from '../core/ports.ts'
import { NetworkError } from '../errors.ts'
import type { Transport } from './endpoint.ts'
import { type AcceptDeviation, toLatchkeyError } from './failure.ts'
import { endpointOf, JSON_REQUEST, type Server } from './metadata.ts'
import { responseCache } from './response-cache.ts'
import { readMembers } from './token-response.ts'

/** How long keys are cached. A key that is not among them is requested at once. */
const KEYS_MS = 3_600_000
/** The pause after a response that was not a key set. */
const UNFIT_KEYS_MS = 10_000
/** The pause between requests for the same unknown key. */
const UNKNOWN_KEY_MS = 60_000

export const keysAreLate = () =>
  new NetworkError("Fetching the server's signing keys timed out. Try again later.", 'timeout')

export interface SigningKeysPorts {
  readonly server: Server
  readonly transport: Transport
  readonly clock: Clock
  readonly acceptDeviation: AcceptDeviation
  readonly keyValue: KeyValue
  readonly settings: Pick<ServerSettings, 'issuer'>
}

const isOther = (error: unknown) => error instanceof NetworkError && error.reason === 'not_the_server'

async function fetchKeysAt(
  url: string,
  { transport, clock, acceptDeviation }: SigningKeysPorts,
): Promise<Members[]> {
  const response = await transport(url, JSON_REQUEST)
  const members = await readMembers(response, acceptDeviation)
  if (response.status === 200 && members && !Array.isArray(members.keys)) {
    const message = `${url} is not a key set: it has no array "keys". Correct "jwks_uri" in the server's metadata.`
    throw new NetworkError(message, 'not_the_server', { status: 200, retryable: false })
  }
  if (response.status !== 200 || !Array.isArray(members?.keys)) {
    throw toLatchkeyError({ code: 'NOT_CONFORM', response }, 'The request for its keys', clock.now())
  }
  // oauth4webapi refuses a whole set for one member that is not an object
  return members.keys.filter(key => isMembers(key) && Array.isArray(key.key_ops ?? []))
}

/** The server's keys, and the check of signatures with them. */
export function createSigningKeys(ports: SigningKeysPorts) {
  const { server, clock } = ports
  // not the client's prefix: all sessions of an issuer use the same keys
  const cache = responseCache(ports.keyValue, `latchkey ${ports.settings.issuer} keys`, clock, KEYS_MS)
  let known: { until: EpochMs; keys: Promise<Members[]> } | undefined
  const lookedFor = new Map<unknown, EpochMs>()

  const fetchKeys = async (): Promise<Members[]> => {
    const as = await server()
    try {
      return await fetchKeysAt(endpointOf(as, 'jwks_uri').href, ports)
    } catch (error) {
      // the keys may have moved: metadata that is fetched again says where
      if (!isOther(error) || (await server(as)).jwks_uri === as.jwks_uri) throw error
      return fetchKeys()
    }
  }

  const fetchAndStore = async (): Promise<Members[]> => {
    const keys = await fetchKeys()
    cache.write({ jwksUri: (await server()).jwks_uri, keys })
    return keys
  }
  const readOrFetch = async (): Promise<Members[]> => {
    const [as, { jwksUri, keys }] = await Promise.all([server(), cache.read()])
    const isRight = jwksUri === as.jwks_uri && Array.isArray(keys) && keys.every(isMembers)
    return isRight ? keys : fetchAndStore()
  }

  const keys = (again = false): Promise<Members[]> => {
    if (known && !again && clock.now() < known.until) return known.keys
    const asked = { until: clock.now() + KEYS_MS, keys: known ? fetchAndStore() : readOrFetch() }
    known = asked
    asked.keys.catch(error => {
      asked.until = isOther(error) ? clock.now() + UNFIT_KEYS_MS : 0
    })
    return asked.keys
  }

  const isNewlyMissed = (kid: unknown): boolean => {
    const now = clock.now()
    if (now - (lookedFor.get(kid) ?? Number.NEGATIVE_INFINITY) < UNKNOWN_KEY_MS) return false
    lookedFor.set(kid, now)
    return true
  }

  return {
    /** @param again whether to fetch keys that are cached. */
    keys,

    /** Checks the signature of a response that oauth4webapi has processed. @param kid the id of its key. */
    async verify(as: AuthorizationServer, answer: Response, kid: unknown): Promise<void> {
      const verifyWith = async (jwks: Promise<Members[]>) => {
        const cache = { jwks: { keys: (await jwks) as [] }, uat: Math.floor(Date.now() / 1000) }
        // a copy, because oauth4webapi caches the keys of a server object for at least a minute
        await validateApplicationLevelSignature({ ...as }, answer, { [jwksCache]: cache })
      }
      try {
        await verifyWith(keys())
      } catch (error) {
        // keys may have rotated a moment ago (OpenID Connect Core section 10.1.1)
        if (error instanceof NetworkError || !isNewlyMissed(kid)) throw error
        try {
          await verifyWith(keys(true))
        } catch (error) {
          // or they have moved
          const old = await server()
          if ((await server(old)).jwks_uri === old.jwks_uri) throw error
          await verifyWith(keys(true))
        }
      }
    },
  }
}
