import { isConfidential } from '../core/destination.ts'
import { check } from '../core/option-checks.ts'
import type { Clock, Fetch } from '../core/ports.ts'
import { ConfigurationError } from '../errors.ts'
import type { ReplayMemory } from './dpop-proof.ts'
import type { IntrospectionOptions } from './introspection.ts'
import { SIGNING_ALGORITHMS, type SigningAlgorithm } from './jwt.ts'

/** An issuer whose access tokens this API accepts. */
export interface TrustedIssuer {
  /** The issuer, exactly as in the `iss` of its tokens and in its metadata. */
  issuer: string
  /** The URL of its keys, if it publishes no metadata. */
  jwksUri?: string
  /** Introspects every token, JWT or not, so that a revoked token is refused. Default: latchkey checks JWTs by its keys. */
  introspection?: IntrospectionOptions
  /**
   * For tests: where Firebase's Auth emulator runs, on loopback, such as `http://127.0.0.1:9099`. Its tokens are not
   * signed, so the emulator is asked about each of them. Only the issuer of a project whose id begins with `demo-`, which
   * has no data at Firebase, may have this. Default: not set, and unsigned tokens are refused.
   */
  acceptUnsignedTokensOfEmulator?: string
}

/** The options of `protect()`. */
export interface ProtectOptions {
  /** The issuers whose access tokens this API accepts: one or several. */
  issuer: string | TrustedIssuer | readonly (string | TrustedIssuer)[]
  /** The accepted audiences: a token must name at least one of them. Default: `resource`. */
  audience?: string | readonly string[]
  /**
   * The URL of this API as its clients see it (RFC 9728 section 1.2). The metadata and the challenges name it, and DPoP
   * proofs must be for its origin. Default: no metadata, and proofs must be for the origin of the request.
   */
  resource?: string
  /** The claim that names the audience: `client_id` for Amazon Cognito, whose tokens have no `aud`. Default `aud`. */
  audienceClaim?: 'aud' | 'client_id'
  /**
   * Accepts JWTs that deviate from RFC 9068: with any `typ` except those of other kinds of tokens, and without `client_id`,
   * `iat`, `jti` and `sub`. Auth0, Cognito, Entra, Firebase, Keycloak and Okta issue such tokens. Default false.
   */
  acceptAnyJwt?: boolean
  /** The accepted signature algorithms of tokens and proofs. Default: all asymmetric algorithms that latchkey supports. */
  algorithms?: readonly SigningAlgorithm[]
  /**
   * `accepted`: tokens that are bound to a key need a proof (RFC 9449). `required`: all tokens must be bound to a key.
   * `off`: tokens that are bound to a key are refused. Default `accepted`.
   */
  dpop?: 'off' | 'accepted' | 'required'
  /**
   * Requires a nonce in each proof (RFC 9449 section 8). `true` creates a secret for this process. If several processes
   * serve the API, pass the same secret of 32 bytes or more to all of them. Default false.
   */
  dpopNonce?: boolean | Uint8Array<ArrayBuffer>
  /** How many seconds old a proof may be, 1 or more. Default 60. */
  proofLifetimeSeconds?: number
  /** Remembers proofs, so that each is accepted only once. Default: this process's memory. */
  replayMemory?: ReplayMemory
  /** How many seconds the clocks may differ, 0 to 300. Default 5. */
  clockToleranceSeconds?: number
  /** The `realm` of the challenges (RFC 6750 section 3). Default: none. */
  realm?: string
  /** The `scopes_supported` of the metadata. Default: none. */
  scopes?: readonly string[]
  /** More members for the metadata (RFC 9728 section 2), such as `resource_name`. */
  metadata?: Readonly<Record<string, unknown>>
  /** Sends the requests to issuers. Default: the global `fetch`. */
  fetch?: Fetch
  /** The source of time. Default: the device's clock. */
  clock?: Clock
  /**
   * Origins of issuers that may be plain http although they are not loopback, such as `http://keycloak:8080` in a container.
   * Anyone on that network can forge tokens for this API, so this is for tests only. Default: none.
   */
  allowPlainHttpForTests?: readonly string[]
}

/** The checked options with defaults applied. */
export interface ProtectSettings {
  readonly issuers: readonly TrustedIssuer[]
  readonly audience: readonly string[]
  readonly audienceClaim: 'aud' | 'client_id'
  readonly resource: URL | undefined
  readonly acceptAnyJwt: boolean
  readonly algorithms: readonly SigningAlgorithm[]
  readonly dpop: 'off' | 'accepted' | 'required'
  readonly nonceSecret: Uint8Array<ArrayBuffer> | undefined
  readonly proofLifetimeSeconds: number
  readonly toleranceSeconds: number
  readonly plainHttp: ReadonlySet<string>
}

const urlOf = (value: unknown): URL | undefined =>
  typeof value === 'string' && URL.canParse(value) ? new URL(value) : undefined

/** A project of Firebase's that exists nowhere but in emulators. */
const DEMO_ISSUER = /^https:\/\/securetoken\.google\.com\/demo-[\w-]+$/

/** Unsigned tokens can be meant only where no real ones are: nothing that a deployment has by mistake. */
function checkEmulator({ issuer, acceptUnsignedTokensOfEmulator: emulator }: TrustedIssuer): void {
  if (emulator === undefined) return
  const url = urlOf(emulator)
  const isLocal = url?.protocol === 'http:' && isConfidential(url) && url.href === `${url.origin}/`
  check(isLocal, 'acceptUnsignedTokensOfEmulator', 'on loopback, such as "http://127.0.0.1:9099"', emulator)
  const right = 'that of a demo project, such as "https://securetoken.google.com/demo-shop", with an emulator'
  check(DEMO_ISSUER.test(issuer), 'issuer', right, issuer)
}

function checkIssuer(trusted: string | TrustedIssuer, plainHttp: ReadonlySet<string>): TrustedIssuer {
  const known = typeof trusted === 'string' ? { issuer: trusted } : trusted
  const { issuer, jwksUri, introspection } = Object(known) as TrustedIssuer
  for (const [option, value] of Object.entries({ issuer, jwksUri, endpoint: introspection?.endpoint })) {
    const url = urlOf(value)
    const isFit = url && isConfidential(url, plainHttp) && !url.username && !url.hash
    const example = `an https URL such as "https://id.example.com" (http only on loopback)`
    check(isFit || (value === undefined && option !== 'issuer'), option, example, value)
  }
  checkEmulator(known)
  if (introspection) {
    check(introspection.clientId, 'introspection.clientId', "this API's client_id", introspection.clientId)
    for (const name of ['cacheSeconds', 'inactiveCacheSeconds'] as const) {
      const seconds = introspection[name]
      check(seconds === undefined || seconds >= 0, `introspection.${name}`, '0 or more', seconds)
    }
  }
  return known
}

/** @throws ConfigurationError that names the option, the value and a correct one. */
export function parseProtectOptions(options: ProtectOptions): ProtectSettings {
  if (!options)
    throw new ConfigurationError('protect() takes an object of options: see docs/resource-server.md.')
  const { issuer, resource, algorithms = SIGNING_ALGORITHMS, dpop = 'accepted', dpopNonce = false } = options
  const { proofLifetimeSeconds = 60, clockToleranceSeconds = 5, audienceClaim = 'aud' } = options
  const plainHttp = new Set(options.allowPlainHttpForTests)
  const issuers = [issuer].flat().map(one => checkIssuer(one as string | TrustedIssuer, plainHttp))
  check(issuers.length, 'issuer', 'at least one', issuer)
  const url = urlOf(resource)
  const isResource = url && isConfidential(url, plainHttp) && !url.hash && !url.username
  check(resource === undefined || isResource, 'resource', 'an https URL without fragment', resource)
  const audience = [options.audience ?? resource ?? []].flat()
  const isAudience = audience.length && audience.every(one => typeof one === 'string' && one)
  check(
    isAudience,
    'audience',
    'what tokens for this API name, such as "https://api.example.com"',
    options.audience,
  )
  const isKnown = algorithms.length && algorithms.every(one => SIGNING_ALGORITHMS.includes(one))
  check(isKnown, 'algorithms', `a list of ${SIGNING_ALGORITHMS.join(', ')}`, algorithms)
  check(['off', 'accepted', 'required'].includes(dpop), 'dpop', '"off", "accepted" or "required"', dpop)
  check(proofLifetimeSeconds >= 1, 'proofLifetimeSeconds', '1 or more (default 60)', proofLifetimeSeconds)
  const isTolerance = clockToleranceSeconds >= 0 && clockToleranceSeconds <= 300
  check(isTolerance, 'clockToleranceSeconds', '0 to 300 (default 5)', clockToleranceSeconds)
  const isSecret = typeof dpopNonce === 'boolean' || dpopNonce.length >= 32
  check(isSecret, 'dpopNonce', 'true, or a secret of 32 bytes or more', '(a shorter one)')
  const secret = dpopNonce === true ? crypto.getRandomValues(new Uint8Array(32)) : dpopNonce || undefined
  return {
    ...{ issuers, audience, audienceClaim, algorithms, dpop, proofLifetimeSeconds },
    resource: url,
    acceptAnyJwt: options.acceptAnyJwt ?? false,
    nonceSecret: dpop === 'off' ? undefined : secret,
    toleranceSeconds: clockToleranceSeconds,
    plainHttp,
  }
}
