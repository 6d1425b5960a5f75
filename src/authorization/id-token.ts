import {
  type AuthorizationServer,
  type Client,
  getValidatedIdTokenClaims,
  JWT_TIMESTAMP_CHECK,
  processGenericTokenEndpointResponse,
  processUserInfoResponse,
  skipSubjectCheck,
} from 'oauth4webapi'
import type { ServerSettings } from '../core/authorization.ts'
import { base64url, fromBase64 } from '../core/base64url.ts'
import type { Members } from '../core/members.ts'
import type { IdTokenClaims } from '../core/token-set.ts'
import { identityOf, type ServerTime } from './endpoint.ts'
import type { AcceptDeviation } from './failure.ts'
import { createSigningKeys, type SigningKeysPorts } from './signing-keys.ts'
import { invalidResponse, withMembers } from './token-response.ts'

/** The most seconds by which a device's clock may be wrong: a time zone and a day. */
const MOST_SKEW_SECONDS = 2 * 24 * 3600
/** The tolerance of oauth4webapi. */
const TOLERANCE_SECONDS = 30

export interface IdTokenPorts extends SigningKeysPorts {
  readonly settings: Pick<ServerSettings, 'issuer' | 'clientId' | 'clientAuthentication'>
  readonly serverTime: ServerTime
}

/** What the authorization request requires of the ID Token. */
export interface ExpectedIdToken {
  readonly nonce: string | undefined
  /** The most seconds since the user authenticated. */
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
   * Fetches the keys that `verify` will need, unless they are cached or the server has no keys.
   * @throws NetworkError, ServerError; ConfigurationError for a `jwks_uri` that is not https.
   */
  prepare(): Promise<unknown>
  /**
   * The one judge of ID Tokens (OpenID Connect Core sections 3.1.3.7 and 3.1.3.8).
   * @param members the token response that contains it.
   * @param expected omitted for a refresh.
   * @throws ServerError, or what oauth4webapi throws.
   */
  judge(as: AuthorizationServer, members: Members, expected?: ExpectedIdToken): Promise<JudgedIdToken>
}

/** Decodes one part of a JWT without any check: 0 is its header, 1 its claims. */
export function decodeJwtPart(jwt: string, part: 0 | 1): Members {
  try {
    return Object(JSON.parse(new TextDecoder().decode(fromBase64(jwt.split('.')[part]))))
  } catch {
    return {}
  }
}

/** The server with the issuer that this ID Token names, if it differs in a way that the app allows by a quirk. */
export function namedBy(
  as: AuthorizationServer,
  idToken: string,
  acceptDeviation: AcceptDeviation,
): AuthorizationServer {
  const { iss, tid } = decodeJwtPart(idToken, 1)
  const tenant = typeof tid === 'string' ? as.issuer.replace('{tenantid}', tid) : undefined
  if (typeof iss !== 'string' || iss === as.issuer) return as
  if (iss === tenant) acceptDeviation('issuer_template', 'has an issuer for each tenant')
  else if (`https://${iss}` === as.issuer)
    acceptDeviation('issuer_without_scheme', 'names its issuer without https:// in the ID Token')
  else return as
  return { ...as, issuer: iss }
}

/**
 * For an ID Token for several audiences without `azp`, if the app allows it by a quirk: returns it with this client as `azp`,
 * so that oauth4webapi makes its other checks. The signature covers the original: see `asSigned`.
 */
function withParty(idToken: string, clientId: string, acceptDeviation: AcceptDeviation): string | undefined {
  const claims = decodeJwtPart(idToken, 1)
  const { aud, azp } = claims
  if (!Array.isArray(aud) || aud.length < 2 || azp !== undefined || !aud.includes(clientId)) return undefined
  acceptDeviation('several_audiences', 'has an ID Token for several audiences, without "azp"')
  const [header, , signature] = idToken.split('.')
  const part = base64url(new TextEncoder().encode(JSON.stringify({ ...claims, azp: clientId })))
  return [header, part, signature].join('.')
}

/** Returns a response for which oauth4webapi checks the signature of this ID Token. Its claims are checked already. */
async function asSigned(as: AuthorizationServer, client: Client, idToken: string): Promise<Response> {
  const answer = new Response(idToken, { headers: { 'content-type': 'application/jwt' } })
  const { alg } = decodeJwtPart(idToken, 0)
  const signing = { ...client, userinfo_signed_response_alg: String(alg) }
  await processUserInfoResponse(as, signing, skipSubjectCheck, answer)
  return answer
}

/** Whether `at_hash` belongs to this access token. Always true for algorithms without a known digest. */
async function isHashOf(accessToken: string, idToken: string, atHash: unknown): Promise<boolean> {
  const { alg } = decodeJwtPart(idToken, 0)
  const bits = /^Ed/.test(String(alg)) ? '512' : /^..(256|384|512)$/.exec(String(alg))?.[1]
  if (!bits) return true
  const digest = await crypto.subtle.digest(`SHA-${bits}`, new TextEncoder().encode(accessToken))
  const half = base64url(digest.slice(0, digest.byteLength / 2))
  // some servers use the letters of base64
  return typeof atHash === 'string' && atHash.replaceAll('+', '-').replaceAll('/', '_') === half
}

export function createIdTokens(ports: IdTokenPorts): IdTokens {
  const { server, settings, clock, serverTime, acceptDeviation } = ports
  const { keys, verify } = createSigningKeys(ports)

  /**
   * Learns the server's time if the device's clock is wrong: the nonce proves that the ID Token was issued for this request,
   * so its `iat` is the time of the server.
   */
  const learnTime = (error: unknown, idToken: string): boolean => {
    const skew = Number(decodeJwtPart(idToken, 1).iat) - Math.floor(Date.now() / 1000)
    const isSkewed =
      (error as { code?: string }).code === JWT_TIMESTAMP_CHECK && Math.abs(skew) < MOST_SKEW_SECONDS
    if (isSkewed) serverTime.learn(skew * 1000 + Date.now() - clock.now())
    return isSkewed
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
        if (!right) throw invalidResponse(`has an ID Token whose "${name}" cannot be right`)
      const signed = withAzp ? await asSigned(named, identify(), idToken) : answer
      return { claims, verify: () => verify(named, signed, decodeJwtPart(idToken, 0).kid) }
    },
  }
}
