import {
  type AuthorizationServer,
  type Client,
  getValidatedIdTokenClaims,
  JWT_TIMESTAMP_CHECK,
  jwksCache,
  processGenericTokenEndpointResponse,
  processUserInfoResponse,
  skipSubjectCheck,
  validateApplicationLevelSignature,
} from 'oauth4webapi'
import type { ServerSettings } from '../core/authorization.ts'
import { base64url } from '../core/base64url.ts'
import type { Clock, EpochMs } from '../core/ports.ts'
import type { IdTokenClaims } from '../core/token-set.ts'
import { NetworkError } from '../errors.ts'
import { identityOf, type ServerTime, type Transport } from './endpoint.ts'
import { type AcceptDeviation, toLatchkeyError } from './failure.ts'
import { endpointOf, JSON_REQUEST, type Server } from './metadata.ts'
import { isMembers, type Members, readMembers, unfit, withMembers } from './token-response.ts'

/** How long keys are used; one that is not among them is looked for at once. */
const KEYS_MS = 3_600_000
/** An answer that was no key set is not asked for again so soon. */
const UNFIT_KEYS_MS = 10_000
/** A key that was not there is not looked for again so soon. */
const UNKNOWN_KEY_MS = 60_000
/** A device's clock may be off by a time zone and a day, and still sign in. */
const MOST_SKEW_SECONDS = 2 * 24 * 3600
/** As oauth4webapi compares times. */
const TOLERANCE_SECONDS = 30

export interface IdTokenPorts {
  readonly settings: Pick<ServerSettings, 'clientId' | 'clientAuthentication'>
  readonly server: Server
  readonly transport: Transport
  readonly clock: Clock
  readonly serverTime: ServerTime
  readonly acceptDeviation: AcceptDeviation
}

/** What the authorization request asked of the ID Token. */
export interface ExpectedIdToken {
  readonly nonce: string | undefined
  /** How many seconds ago the user may have authenticated at most. */
  readonly maxAge: number | undefined
}

/** Claims that passed their checks. */
export interface JudgedIdToken {
  readonly claims: IdTokenClaims
  /**
   * Checks the signature.
   * @throws LatchkeyError, or what oauth4webapi throws.
   */
  verify(): Promise<void>
}

export interface IdTokens {
  /**
   * Fetches the keys that `verify` will need, unless they are there, or the server has none.
   * @throws NetworkError, ServerError; ConfigurationError for a `jwks_uri` that is not https.
   */
  prepare(): Promise<unknown>
  /**
   * The one judge of ID Tokens (OpenID Connect Core sections 3.1.3.7 and 3.1.3.8).
   * @param members of the token response that it came in.
   * @param expected for the answer to an authorization request; a refresh expects nothing of its own.
   * @throws ServerError, or what oauth4webapi throws.
   */
  judge(as: AuthorizationServer, members: Members, expected?: ExpectedIdToken): Promise<JudgedIdToken>
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

/**
 * An ID Token for several audiences that names no authorized party, where the app has named that quirk: with this client as
 * that party, so that oauth4webapi makes its other checks. `asSigned` is for the signature, which is over the original.
 */
function withParty(idToken: string, clientId: string, acceptDeviation: AcceptDeviation): string | undefined {
  const claims = peek(idToken, 1)
  const { aud, azp } = claims
  if (!Array.isArray(aud) || aud.length < 2 || azp !== undefined || !aud.includes(clientId)) return undefined
  acceptDeviation('several_audiences', 'has an ID Token for several audiences, without "azp"')
  const [header, , signature] = idToken.split('.')
  const part = base64url(new TextEncoder().encode(JSON.stringify({ ...claims, azp: clientId })))
  return [header, part, signature].join('.')
}

/** A response by which oauth4webapi checks the signature of this ID Token, whose claims are checked already. */
async function asSigned(as: AuthorizationServer, client: Client, idToken: string): Promise<Response> {
  const answer = new Response(idToken, { headers: { 'content-type': 'application/jwt' } })
  const { alg } = peek(idToken, 0)
  const signing = { ...client, userinfo_signed_response_alg: String(alg) }
  await processUserInfoResponse(as, signing, skipSubjectCheck, answer)
  return answer
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
  settings,
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
    const response = await transport(url, JSON_REQUEST)
    const members = await readMembers(response, acceptDeviation)
    if (response.status === 200 && members && !Array.isArray(members.keys)) {
      const message = `${url} is JSON without the list "keys". Correct the server's "jwks_uri".`
      throw new NetworkError(message, 'not_the_server', { status: 200, retryable: false })
    }
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

  /**
   * Where only a clock stands between us and a sign-in: the ID Token was made for this very request, which its nonce
   * proves, so its `iat` is the server's time.
   */
  const learnTime = (error: unknown, idToken: string): boolean => {
    const skew = Number(peek(idToken, 1).iat) - Math.floor(Date.now() / 1000)
    const isSkewed =
      (error as { code?: string }).code === JWT_TIMESTAMP_CHECK && Math.abs(skew) < MOST_SKEW_SECONDS
    if (isSkewed) serverTime.learn(skew * 1000 + Date.now() - clock.now())
    return isSkewed
  }

  const verify = async (as: AuthorizationServer, answer: Response, idToken: string): Promise<void> => {
    const verifyWith = async (jwks: Promise<Members[]>) => {
      const cache = { jwks: { keys: (await jwks) as [] }, uat: Math.floor(Date.now() / 1000) }
      // a copy, because oauth4webapi keeps the keys of a server for a minute at least, whatever comes
      await validateApplicationLevelSignature({ ...as }, answer, { [jwksCache]: cache })
    }
    try {
      await verifyWith(keys())
    } catch (error) {
      // keys may have rotated a moment ago (OpenID Connect Core section 10.1.1)
      if (error instanceof NetworkError || !isNewlyMissed(peek(idToken, 0).kid)) throw error
      try {
        await verifyWith(keys(true))
      } catch (error) {
        // or they are kept elsewhere now
        const old = await server()
        if ((await server(old)).jwks_uri === old.jwks_uri) throw error
        await verifyWith(keys(true))
      }
    }
  }

  const isSubject = (sub: string): boolean => {
    if (/^[ -~]{1,255}$/.test(sub)) return true
    if (!/^[^\p{C}\p{Z}][^\p{C}]{0,254}$/u.test(sub)) return false
    acceptDeviation('any_subject', 'has an ID Token whose "sub" is not ASCII')
    return true
  }

  const isForgotten = ({ nonce: asked }: ExpectedIdToken, nonce: unknown): boolean => {
    if (asked === undefined || nonce !== undefined) return false
    acceptDeviation('missing_nonce', 'has an ID Token without the "nonce" that was asked for')
    return true
  }

  return {
    prepare: async () => (await server()).jwks_uri && keys(),

    async judge(as, members, expected) {
      const idToken = String(members.id_token)
      const named = namedBy(as, idToken, acceptDeviation)
      const withAzp = withParty(idToken, settings.clientId, acceptDeviation)
      const answer = withMembers(new Response(), { ...members, id_token: withAzp ?? idToken })
      const identify = () => identityOf(settings, clock, serverTime.aheadMs())[0]
      const process = () => processGenericTokenEndpointResponse(named, identify(), answer)
      const tokens = await process().catch(error => {
        if (!expected || !learnTime(error, idToken)) throw error
        return process()
      })
      const claims = getValidatedIdTokenClaims(tokens) as IdTokenClaims
      if (withAzp) delete (claims as { azp?: unknown }).azp
      const { sub, azp, iat, nonce, auth_time: authTime, at_hash: atHash } = claims
      const { maxAge } = expected ?? {}
      const serverNow = (clock.now() + serverTime.aheadMs()) / 1000
      const isRight = {
        sub: isSubject(sub),
        azp: azp === undefined || azp === settings.clientId,
        iat: Math.abs(iat - serverNow) < MOST_SKEW_SECONDS,
        nonce: !expected || nonce === expected.nonce || isForgotten(expected, nonce),
        auth_time: maxAge === undefined || Number(authTime) + maxAge >= serverNow - TOLERANCE_SECONDS,
        at_hash: atHash === undefined || (await isHashOf(tokens.access_token, idToken, atHash)),
      }
      for (const [name, right] of Object.entries(isRight))
        if (!right) throw unfit(`has an ID Token whose "${name}" cannot be right`)
      const signed = withAzp ? await asSigned(named, identify(), idToken) : answer
      return { claims, verify: () => verify(named, signed, idToken) }
    },
  }
}
