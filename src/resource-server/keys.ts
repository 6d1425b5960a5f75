import type { Transport } from '../authorization/endpoint.ts'
import { toLatchkeyError } from '../authorization/failure.ts'
import { endpointOf, JSON_REQUEST, type Server } from '../authorization/metadata.ts'
import { readMembers } from '../authorization/token-response.ts'
import type { Clock } from '../core/ports.ts'
import { importKey, isKeyFor, isObject, type Jwt, type SigningAlgorithm } from './jwt.ts'

/** After this long, keys are fetched anew beside the calls that use them. */
const FRESH_MS = 10 * 60_000
/** After this long without an answer, they are used no more: what was withdrawn must not live for ever. */
const USABLE_MS = 24 * 3_600_000
/** A failure is told to all who ask within this time, so that calls do not pile up behind an issuer that is down. */
const FAILURE_MS = 1000
/** Whoever invents key ids does not make this API ask for keys more often. */
const COOLDOWN_MS = 30_000

/** The keys that an issuer signs access tokens with. */
export interface IssuerKeys {
  /**
   * The keys that may have signed this token: those of its `kid`, or all that fit its algorithm where it names none.
   * @throws NetworkError, ServerError or ConfigurationError where they are not to be had.
   */
  find(jwt: Jwt, alg: SigningAlgorithm): Promise<readonly CryptoKey[]>
}

type KeySet = readonly Readonly<Record<string, unknown>>[]

export interface IssuerKeysPorts {
  readonly transport: Transport
  readonly clock: Clock
  readonly server: Server
  /** Where the keys are, if the issuer has no metadata. */
  readonly jwksUri: string | undefined
}

/** Fetches keys once for all who wait, keeps them, and looks again for a key that is not among them. */
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
    known = members.keys.filter(isObject)
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
      // keys may have rotated a moment ago (RFC 9068 section 4)
      if (!found.length && mayAsk()) {
        await refresh()
        found = candidates(kid, alg)
      }
      const keys = await Promise.all(found.map(jwk => importOnce(jwk, alg)))
      return keys.filter(key => key !== undefined)
    },
  }
}
