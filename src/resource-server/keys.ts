import type { Transport } from '../authorization/endpoint.ts'
import { toLatchkeyError } from '../authorization/failure.ts'
import { endpointOf, JSON_REQUEST, type Server } from '../authorization/metadata.ts'
import { readMembers } from '../authorization/token-response.ts'
import { isMembers } from '../core/members.ts'
import type { Clock } from '../core/ports.ts'
import { importKey, isKeyFor, type Jwt, type SigningAlgorithm } from './jwt.ts'

/** When the keys are this old, latchkey fetches them again in the background. */
const FRESH_MS = 10 * 60_000
/** When the keys are this old, latchkey no longer uses them: a withdrawn key must not stay valid forever. */
const USABLE_MS = 24 * 3_600_000
/** All calls within this time get the same failure, so that they do not pile up while the issuer is down. */
const FAILURE_MS = 1000
/** The least time between two fetches for unknown key ids, so that tokens with invented ids do not flood the issuer. */
const COOLDOWN_MS = 30_000

/** The keys that sign an issuer's access tokens. */
export interface IssuerKeys {
  /**
   * Finds the keys that may have signed this token: those with its `kid`, or all keys for its algorithm if it has no `kid`.
   * @throws NetworkError, ServerError or ConfigurationError if latchkey cannot get the keys.
   */
  find(jwt: Jwt, alg: SigningAlgorithm): Promise<readonly CryptoKey[]>
}

type KeySet = readonly Readonly<Record<string, unknown>>[]

export interface IssuerKeysPorts {
  readonly transport: Transport
  readonly clock: Clock
  readonly server: Server
  /** The URL of the keys, if the issuer has no metadata. */
  readonly jwksUri: string | undefined
}

/** Fetches the keys once for all waiting calls and caches them. Fetches them again for a key id that is not among them. */
export function createIssuerKeys({ transport, clock, server, jwksUri }: IssuerKeysPorts): IssuerKeys {
  let known: KeySet = []
  let fetchedAt = Number.NEGATIVE_INFINITY
  let askedAt = Number.NEGATIVE_INFINITY
  const imported = new WeakMap<object, Map<string, Promise<CryptoKey | undefined>>>()

  const fetchKeys = async (): Promise<void> => {
    const url = jwksUri ?? endpointOf(await server(), 'jwks_uri').href
    const response = await transport(url, JSON_REQUEST)
    const members = await readMembers(response, () => {})
    if (response.status !== 200 || !Array.isArray(members?.keys)) {
      throw toLatchkeyError({ code: 'NOT_CONFORM', response }, 'The request for its keys', clock.now())
    }
    known = members.keys.filter(isMembers)
    fetchedAt = clock.now()
  }
  let failed: { readonly at: number; readonly error: unknown } | undefined
  let running: Promise<void> | undefined
  const refresh = async (): Promise<void> => {
    if (failed && clock.now() - failed.at < FAILURE_MS) throw failed.error
    running ??= fetchKeys()
      .catch(error => {
        failed = { at: clock.now(), error }
        throw error
      })
      .finally(() => {
        running = undefined
      })
    askedAt = clock.now()
    return running
  }

  const importOnce = (jwk: Readonly<Record<string, unknown>>, alg: SigningAlgorithm) => {
    const keys = imported.get(jwk) ?? new Map<string, Promise<CryptoKey | undefined>>()
    imported.set(jwk, keys)
    const key = keys.get(alg) ?? importKey(jwk, alg)
    keys.set(alg, key)
    return key
  }

  const candidates = (kid: unknown, alg: SigningAlgorithm): KeySet =>
    known.filter(jwk => (kid === undefined || jwk.kid === kid) && isKeyFor(jwk, alg))

  return {
    async find({ header: { kid } }, alg) {
      const age = clock.now() - fetchedAt
      const mayAsk = () => running !== undefined || clock.now() - askedAt >= COOLDOWN_MS
      if (age > USABLE_MS) await refresh()
      else if (age > FRESH_MS && mayAsk()) refresh().catch(() => {})
      let found = candidates(kid, alg)
      // the issuer may have just rotated its keys (RFC 9068 section 4)
      if (!found.length && mayAsk()) {
        await refresh()
        found = candidates(kid, alg)
      }
      const keys = await Promise.all(found.map(jwk => importOnce(jwk, alg)))
      return keys.filter(key => key !== undefined)
    },
  }
}
