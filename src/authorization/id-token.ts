import {
  type AuthorizationServer,
  getValidatedIdTokenClaims,
  jwksCache,
  type TokenEndpointResponse,
  validateApplicationLevelSignature,
} from 'oauth4webapi'
import type { ServerSettings } from '../core/authorization.ts'
import type { Clock, EpochMs } from '../core/ports.ts'
import { NetworkError } from '../errors.ts'
import type { AcceptDeviation } from './deviation.ts'
import type { Transport } from './endpoint.ts'
import { toLatchkeyError } from './failure.ts'
import { endpointOf, type Server } from './metadata.ts'
import type { ServerTime } from './server-time.ts'
import { isMembers, type Members, readMembers, unfit } from './token-response.ts'

/** How long keys are used; one that is not among them is looked for at once. */
const KEYS_MS = 3_600_000
/** An answer that was no key set is not asked for again so soon. */
const UNFIT_KEYS_MS = 10_000
/** A key that was not there is not looked for again so soon. */
const UNKNOWN_KEY_MS = 60_000
/** A device's clock may be off by a time zone and a day, and still sign in. */
export const MOST_SKEW_SECONDS = 2 * 24 * 3600

export interface IdTokenPorts {
  readonly settings: Pick<ServerSettings, 'clientId'>
  readonly server: Server
  readonly transport: Transport
  readonly clock: Clock
  readonly serverTime: ServerTime
  readonly acceptDeviation: AcceptDeviation
}

/** Checks ID Tokens where oauth4webapi leaves off (OpenID Connect Core sections 3.1.3.7 and 3.1.3.8). */
export interface IdTokens {
  /** Fetches the keys that a check will need, unless they are there: beside what is under way. */
  prepare(): void
  /**
   * The claims that oauth4webapi has not checked already.
   * @throws ServerError
   */
  check(tokens: TokenEndpointResponse): Promise<void>
  /**
   * The signature.
   * @param answer what `tokens` were read from by oauth4webapi.
   * @throws LatchkeyError, or what oauth4webapi throws.
   */
  verify(as: AuthorizationServer, answer: Response, tokens: TokenEndpointResponse): Promise<void>
}

const toBase64 = (text: string): string => text.replaceAll('-', '+').replaceAll('_', '/')

/** One part of a JWT, which nobody has checked: 0 is its header, 1 its claims. */
export function peek(jwt: string, part: 0 | 1): Members {
  try {
    const text = atob(toBase64(jwt.split('.')[part] as string))
    const bytes = Uint8Array.from(text, character => character.charCodeAt(0))
    return Object(JSON.parse(new TextDecoder().decode(bytes)))
  } catch {
    return {}
  }
}

/** The server by the name that this ID Token has for it, where that is a quirk which the app has named. */
export function namedBy(
  as: AuthorizationServer,
  idToken: string,
  acceptDeviation: AcceptDeviation,
): AuthorizationServer {
  const { iss, tid } = peek(idToken, 1)
  const tenant = typeof tid === 'string' ? as.issuer.replace('{tenantid}', tid) : undefined
  if (typeof iss !== 'string' || iss === as.issuer) return as
  if (iss === tenant) acceptDeviation('issuer_template', 'has an issuer for each tenant')
  else if (`https://${iss}` === as.issuer)
    acceptDeviation('issuer_without_scheme', 'names its issuer without https:// in the ID Token')
  else return as
  return { ...as, issuer: iss }
}

/** Whether `at_hash` is of this access token. Of algorithms without a known digest nothing can be said. */
async function isHashOf(accessToken: string, idToken: string, atHash: unknown): Promise<boolean> {
  const { alg } = peek(idToken, 0)
  const bits = /^Ed/.test(String(alg)) ? '512' : /^..(256|384|512)$/.exec(String(alg))?.[1]
  if (!bits) return true
  const digest = await crypto.subtle.digest(`SHA-${bits}`, new TextEncoder().encode(accessToken))
  const half = String.fromCharCode(...new Uint8Array(digest, 0, digest.byteLength / 2))
  return typeof atHash === 'string' && btoa(half).replaceAll('=', '') === toBase64(atHash)
}

const isOther = (error: unknown) => error instanceof NetworkError && error.reason === 'not_the_server'

export function createIdTokens({
  server,
  settings: { clientId },
  transport,
  clock,
  serverTime,
  acceptDeviation,
}: IdTokenPorts): IdTokens {
  let known: { until: EpochMs; keys: Promise<Members[]> } | undefined
  const lookedFor = new Map<unknown, EpochMs>()

  /** Where something else answers, the keys may be kept elsewhere by now. */
  const fetchKeys = async (): Promise<Members[]> => {
    const as = await server()
    const url = endpointOf(as, 'jwks_uri').href
    try {
      return await fetchKeysAt(url)
    } catch (error) {
      if (!isOther(error) || (await server(as)).jwks_uri === as.jwks_uri) throw error
      return fetchKeys()
    }
  }

  const fetchKeysAt = async (url: string): Promise<Members[]> => {
    const init = { method: 'GET', redirect: 'manual', headers: { accept: 'application/json' } }
    const response = await transport(url, init)
    const members = await readMembers(response, acceptDeviation)
    if (response.status !== 200 || !Array.isArray(members?.keys)) {
      throw toLatchkeyError({ code: 'NOT_CONFORM', response }, 'The request for its keys', clock.now())
    }
    // oauth4webapi refuses a whole set for one member that is no object
    return members.keys.filter(key => isMembers(key) && Array.isArray(key.key_ops ?? []))
  }

  const keys = (again = false): Promise<Members[]> => {
    if (known && !again && clock.now() < known.until) return known.keys
    const asked = { until: clock.now() + KEYS_MS, keys: fetchKeys() }
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
    prepare: () => void keys().catch(() => {}),

    async check(tokens) {
      const claims = getValidatedIdTokenClaims(tokens)
      if (!claims) return
      const { sub, azp, iat, at_hash: atHash } = claims
      const idToken = tokens.id_token as string
      const serverNow = clock.now() + serverTime.aheadMs()
      const isRight = {
        sub: /^[ -~]{1,255}$/.test(sub),
        azp: azp === undefined || azp === clientId,
        iat: Math.abs(iat - serverNow / 1000) < MOST_SKEW_SECONDS,
        at_hash: atHash === undefined || (await isHashOf(tokens.access_token, idToken, atHash)),
      }
      for (const [name, right] of Object.entries(isRight))
        if (!right) throw unfit(`has an ID Token whose "${name}" cannot be right`)
    },

    async verify(as, answer, { id_token: idToken }) {
      if (!idToken) return
      const verify = async (jwks: Promise<Members[]>) => {
        const cache = { jwks: { keys: (await jwks) as [] }, uat: Math.floor(Date.now() / 1000) }
        // a copy, because oauth4webapi keeps the keys of a server for a minute at least, whatever comes
        await validateApplicationLevelSignature({ ...as }, answer, { [jwksCache]: cache })
      }
      const found = keys()
      try {
        await verify(found)
      } catch (error) {
        // keys may have rotated a moment ago (OpenID Connect Core section 10.1.1)
        if (error instanceof NetworkError || !isNewlyMissed(peek(idToken, 0).kid)) throw error
        try {
          await verify(keys(true))
        } catch (error) {
          // or they are kept elsewhere now
          const old = await server()
          if ((await server(old)).jwks_uri === old.jwks_uri) throw error
          await verify(keys(true))
        }
      }
    },
  }
}
