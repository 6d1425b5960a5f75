import { createTransport, type Transport } from '../authorization/endpoint.ts'
import { createServer } from '../authorization/metadata.ts'
import { isMembers } from '../core/members.ts'
import type { Clock, Fetch } from '../core/ports.ts'
import { LatchkeyError, NetworkError } from '../errors.ts'
import {
  checkClaims,
  checkRequirements,
  grantedScopes,
  hasRequiredClaims,
  isAccessToken,
  isBoundToCertificate,
} from './access-token.ts'
import { checkProof, createNonces, createProofKeys, memoryReplay, type ProofSettings } from './dpop-proof.ts'
import { createEmulatorLookup } from './emulator.ts'
import { createIntrospection, type Introspected } from './introspection.ts'
import {
  isSignedBy,
  type Jwt,
  type JwtContent,
  LONGEST_TOKEN,
  parseJwt,
  parseUnsecuredJwt,
  type SigningAlgorithm,
} from './jwt.ts'
import { createIssuerKeys, type IssuerKeys } from './keys.ts'
import {
  type ProtectOptions,
  type ProtectSettings,
  parseProtectOptions,
  type TrustedIssuer,
} from './options.ts'
import { createResourceMetadata, type ResourceMetadata } from './resource-metadata.ts'
import {
  type AccessTokenClaims,
  type ChallengeSettings,
  nonceHeaders,
  type RefusalDetails,
  type RefusalReason,
  type Requirements,
  refuse,
  scopesOf,
  type Verdict,
} from './verdict.ts'

/** Checks the requests to one API. */
export interface Protect extends ResourceMetadata {
  /**
   * Checks the access token of a request.
   * @param request latchkey reads only its method, URL and headers.
   * @param requirements what this route requires beyond a valid token.
   * @returns the verdict. The promise does not reject, whatever the request contains and even if the issuer does not answer.
   */
  (request: Request, requirements?: Requirements): Promise<Verdict>
}

/** Carries the reason of a refusal. Only this file throws and catches it. */
class Refusal {
  readonly reason: RefusalReason
  readonly cause: LatchkeyError | undefined
  constructor(reason: RefusalReason, cause?: LatchkeyError) {
    this.reason = reason
    this.cause = cause
  }
}

interface Issuer extends TrustedIssuer {
  readonly keys: IssuerKeys
  readonly introspect: ((accessToken: string) => Promise<Introspected>) | undefined
  /** Whether a token is of the emulator, where this issuer is one. */
  readonly isOfEmulator: ((token: string) => Promise<boolean>) | undefined
}

/** The credentials of a request: the token and whether it came with the DPoP scheme, or why there is none. */
type Presented =
  | { readonly token: string; readonly isDpop: boolean }
  | { readonly refusal: 'no_token' | 'malformed_request' }

/** RFC 6750 section 2.1, RFC 9449 section 7.1: b64token */
const CREDENTIALS = /^(bearer|dpop) +([\w.~+/-]+=*)$/i

function readCredentials(request: Request): Presented {
  const header = request.headers.get('authorization')
  const isInUrl = new URL(request.url).searchParams.has('access_token')
  if (header === null || !/^(bearer|dpop)\b/i.test(header)) return { refusal: 'no_token' }
  const [, scheme = '', token = ''] = CREDENTIALS.exec(header) ?? []
  // RFC 6750 section 3.1: refuse a request that sends a token in more than one way
  if (!token || token.length > LONGEST_TOKEN || isInUrl) return { refusal: 'malformed_request' }
  return { token, isDpop: scheme.toLowerCase() === 'dpop' }
}

const createIssuer = (
  trusted: TrustedIssuer,
  transport: Transport,
  clock: Clock,
  plainHttp: ReadonlySet<string>,
): Issuer => {
  const server = createServer({
    settings: { issuer: trusted.issuer, metadata: undefined, strict: true, plainHttp },
    ...{ transport, clock },
    emit: () => {},
    acceptDeviation: () => {},
    watch: async () => {},
  })
  const { introspection, jwksUri, acceptUnsignedTokensOfEmulator: emulator } = trusted
  return {
    ...trusted,
    keys: createIssuerKeys({ transport, clock, server, jwksUri }),
    introspect: introspection && createIntrospection(introspection, { server, transport, clock }),
    isOfEmulator: emulator === undefined ? undefined : createEmulatorLookup(emulator, { transport, clock }),
  }
}

/** What a JWT says, whoever signed it. @throws Refusal */
function checkContent(
  jwt: JwtContent,
  algorithms: readonly unknown[],
  settings: ProtectSettings,
  now: number,
): void {
  const { acceptAnyJwt } = settings
  if (!isAccessToken(jwt, acceptAnyJwt)) throw new Refusal('wrong_type')
  if (!algorithms.includes(jwt.header.alg)) throw new Refusal('wrong_algorithm')
  if (!hasRequiredClaims(jwt.claims, acceptAnyJwt)) throw new Refusal('bad_claims')
  const wrong = checkClaims(jwt.claims, settings, now, { needsExpiry: true, needsAudience: true })
  if (wrong) throw new Refusal(wrong)
}

/**
 * Checks a token whose issuer is an emulator: nothing but its word says that the token is genuine.
 * @returns `undefined` for a token of any other issuer.
 * @throws Refusal; LatchkeyError where the emulator could not be asked.
 */
async function checkOfEmulator(
  token: string,
  issuers: readonly Issuer[],
  settings: ProtectSettings,
  now: number,
): Promise<{ claims: AccessTokenClaims; issuer: string } | undefined> {
  if (!issuers.some(({ isOfEmulator }) => isOfEmulator)) return undefined
  const content = parseJwt(token) ?? parseUnsecuredJwt(token)
  const named = issuers.find(({ issuer }) => issuer === content?.claims.iss)
  if (!content || !named?.isOfEmulator) return undefined
  checkContent(content, ['none'], settings, now)
  if (!(await named.isOfEmulator(token))) throw new Refusal('inactive')
  return { claims: content.claims, issuer: named.issuer }
}

/** @throws Refusal */
async function checkJwt(
  jwt: Jwt,
  issuer: Issuer,
  settings: ProtectSettings,
  now: number,
): Promise<AccessTokenClaims> {
  const { claims } = jwt
  const alg = jwt.header.alg as SigningAlgorithm
  checkContent(jwt, settings.algorithms, settings, now)
  const keys = await issuer.keys.find(jwt, alg)
  if (!keys.length) throw new Refusal('unknown_key')
  for (const key of keys) if (await isSignedBy(jwt, key, alg)) return claims
  throw new Refusal('bad_signature')
}

/** @throws Refusal */
function checkIntrospected(
  answer: Introspected,
  { issuer, introspection }: Issuer,
  settings: ProtectSettings,
  now: number,
): AccessTokenClaims {
  const { active, token_type: type, ...claims } = answer
  if (active !== true) throw new Refusal('inactive')
  if (claims.iss !== undefined && claims.iss !== issuer) throw new Refusal('unknown_issuer')
  // some issuers report the kind of token; an API must not accept a refresh token
  if (type !== undefined && !/^(bearer|dpop|access_token|urn:.*access_token)$/i.test(String(type)))
    throw new Refusal('wrong_type')
  const needsAudience = !introspection?.acceptWithoutAudience
  const wrong = checkClaims(claims, settings, now, { needsExpiry: false, needsAudience })
  if (wrong) throw new Refusal(wrong)
  return claims
}

/**
 * Checks the token with the issuer that issued it.
 * @throws Refusal; LatchkeyError if latchkey cannot reach that issuer.
 */
async function checkToken(
  token: string,
  issuers: readonly Issuer[],
  settings: ProtectSettings,
  now: () => number,
): Promise<{ claims: AccessTokenClaims; issuer: string }> {
  const emulated = await checkOfEmulator(token, issuers, settings, now())
  if (emulated) return emulated
  const jwt = parseJwt(token)
  const named = jwt && issuers.find(({ issuer }) => issuer === jwt.claims.iss)
  if (named && !named.introspect)
    return { claims: await checkJwt(jwt, named, settings, now()), issuer: named.issuer }
  // a JWT of an unknown issuer is refused; an opaque token may belong to any issuer with introspection
  const asked = named
    ? [named]
    : jwt && 'iss' in jwt.claims
      ? []
      : issuers.filter(({ introspect }) => introspect)
  if (!asked.length) throw new Refusal(jwt ? 'unknown_issuer' : 'not_a_token')
  let failure: unknown
  for (const issuer of asked) {
    const answer = await issuer.introspect?.(token).catch(error => {
      failure ??= error
    })
    if (answer?.active)
      return { claims: checkIntrospected(answer, issuer, settings, now()), issuer: issuer.issuer }
  }
  throw failure ?? new Refusal('inactive')
}

/**
 * Creates the function that checks the requests to one API.
 * @throws ConfigurationError for a wrong option. Its message names the option, the value and a correct one.
 */
export function createProtect(options: ProtectOptions, device: { fetch: Fetch; clock: Clock }): Protect {
  const settings = parseProtectOptions(options)
  const { fetch = device.fetch, clock = device.clock } = options
  const transport = createTransport({ fetch, clock })
  const issuers = settings.issuers.map(trusted => createIssuer(trusted, transport, clock, settings.plainHttp))
  const nonces = settings.nonceSecret && createNonces(clock, settings.nonceSecret)
  const proofs: ProofSettings = {
    ...{ clock, nonces, algorithms: settings.algorithms, keys: createProofKeys() },
    lifetimeSeconds: settings.proofLifetimeSeconds,
    toleranceSeconds: settings.toleranceSeconds,
    replay: options.replayMemory ?? memoryReplay(clock),
  }
  const metadata = createResourceMetadata(settings, options)
  const challenges: ChallengeSettings = {
    realm: options.realm,
    metadataUrl: metadata.metadataUrl,
    dpop: settings.dpop,
    proofAlgorithms: settings.algorithms,
  }
  const now = () => clock.now() / 1000

  /** @returns the binding. @throws Refusal */
  const checkBinding = async (
    request: Request,
    { token, isDpop }: { token: string; isDpop: boolean },
    claims: AccessTokenClaims,
    { certificate }: Requirements,
  ): Promise<'none' | 'dpop' | 'certificate'> => {
    const { jkt, 'x5t#S256': x5t, ...others } = isMembers(claims.cnf) ? claims.cnf : {}
    if (Object.keys(others).length) throw new Refusal('wrong_binding')
    if (x5t !== undefined && !(await isBoundToCertificate(x5t, certificate)))
      throw new Refusal('wrong_binding')
    if (jkt === undefined) {
      // a proof does not protect a token that is not bound to a key
      if (isDpop) throw new Refusal('wrong_binding')
      if (settings.dpop === 'required') throw new Refusal('proof_missing')
      return x5t === undefined ? 'none' : 'certificate'
    }
    if (settings.dpop === 'off' || typeof jkt !== 'string') throw new Refusal('wrong_binding')
    const proof = request.headers.get('dpop')
    if (!isDpop || proof === null) throw new Refusal('proof_missing')
    const { origin, pathname } = new URL(request.url)
    const url = `${settings.resource?.origin ?? origin}${pathname}`
    const proven = { method: request.method, url, accessToken: token, thumbprint: jkt }
    const wrong = await checkProof(proof, proven, proofs)
    if (wrong) throw new Refusal(wrong)
    return 'dpop'
  }

  const judge = async (request: Request, requirements: Requirements): Promise<Verdict> => {
    const presented = readCredentials(request)
    if ('refusal' in presented) throw new Refusal(presented.refusal)
    const { claims, issuer } = await checkToken(presented.token, issuers, settings, now)
    const binding = await checkBinding(request, presented, claims, requirements)
    const required = scopesOf(requirements.scope)
    const wrong = checkRequirements(claims, requirements, required, now(), settings.toleranceSeconds)
    if (wrong) throw new Refusal(wrong)
    const { sub, client_id: clientId } = claims
    const nonce = binding === 'dpop' ? await nonces?.current() : undefined
    return {
      ...{ valid: true, claims, issuer, binding },
      subject: typeof sub === 'string' ? sub : undefined,
      clientId: typeof clientId === 'string' ? clientId : undefined,
      scope: grantedScopes(claims),
      headers: nonceHeaders(nonce),
    }
  }

  const explain = async (thrown: unknown, request: Request, requirements: Requirements): Promise<Verdict> => {
    const isRefusal = thrown instanceof Refusal
    const reason = isRefusal ? thrown.reason : 'unavailable'
    const isDpop = reason === 'proof_missing' || /^dpop\b/i.test(request.headers.get('authorization') ?? '')
    const cause = thrown instanceof LatchkeyError ? thrown : undefined
    const { retryAfterMs = 1000 } = cause instanceof NetworkError ? cause : {}
    const details: RefusalDetails = {
      ...{ requirements, isDpop: isDpop && settings.dpop !== 'off' },
      nonce: reason === 'nonce_needed' ? await nonces?.current() : undefined,
      retryAfterSeconds: Math.ceil(retryAfterMs / 1000),
      ...(cause && { cause }),
    }
    return refuse(challenges, reason, details)
  }

  const protect = (request: Request, requirements: Requirements = {}): Promise<Verdict> =>
    judge(request, requirements).catch(thrown => explain(thrown, request, requirements))
  return Object.assign(protect, metadata)
}

/**
 * Adds required scopes to `protect`, for one of several routes.
 * @param scope the required scopes, all of them, as one string or a list.
 */
export const requireScope = (protect: Protect, scope: string | readonly string[]): Protect => {
  const stricter = (request: Request, requirements: Requirements = {}) =>
    protect(request, { ...requirements, scope: [...scopesOf(scope), ...scopesOf(requirements.scope)] })
  const { metadata, metadataUrl, serveMetadata } = protect
  return Object.assign(stricter, { metadata, metadataUrl, serveMetadata })
}
