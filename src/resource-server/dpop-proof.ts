import { base64url } from '../core/base64url.ts'
import { isMembers } from '../core/members.ts'
import type { Clock } from '../core/ports.ts'
import {
  digestOf,
  importKey,
  isKeyFor,
  isSignedBy,
  LONGEST_TOKEN,
  parseJwt,
  type SigningAlgorithm,
  thumbprintOf,
} from './jwt.ts'
import type { RefusalReason } from './verdict.ts'

/** Remembers proofs until they are too old to be accepted anyway (RFC 9449 section 11.1). */
export interface ReplayMemory {
  /**
   * Remembers a proof.
   * @param id a digest that identifies the proof.
   * @param untilMs when it may be forgotten, in milliseconds since 1970.
   * @returns whether the proof is new. An implementation that several processes share must check and store it in one atomic
   * step, such as Redis `SET id 1 NX PXAT untilMs`.
   */
  remember(id: string, untilMs: number): boolean | Promise<boolean>
}

/** More than clients send to one process within a minute. When the memory is full, further requests get a 503. */
const MOST_PROOFS = 200_000

/** Keeps proofs in this process's memory. `remember` throws a RangeError when it is full: it forgets no proof early. */
export function memoryReplay(clock: Clock): ReplayMemory {
  const seen = new Map<string, number>()
  return {
    remember(id, untilMs) {
      const now = clock.now()
      // the oldest proofs come first, roughly in the order of their expiry
      for (const [old, until] of seen) {
        if (until > now) break
        seen.delete(old)
      }
      if ((seen.get(id) ?? 0) > now) return false
      if (seen.size >= MOST_PROOFS) throw new RangeError('The memory for DPoP proofs is full.')
      seen.delete(id)
      seen.set(id, untilMs)
      return true
    },
  }
}

/** Nonces (RFC 9449 section 8) that need no storage: each is a MAC of the current time step. */
export interface Nonces {
  /** Resolves with the nonce that clients should use now. */
  current(): Promise<string>
  isCurrent(nonce: unknown): Promise<boolean>
}

/** How long one nonce is issued. It is accepted for the same time again. */
const NONCE_MS = 150_000

/** @param secret at least 32 bytes, shared by all processes of this API. */
export function createNonces(clock: Clock, secret: Uint8Array<ArrayBuffer>): Nonces {
  let key: Promise<CryptoKey> | undefined
  const made = new Map<number, Promise<string>>()
  const nonceOf = (step: number): Promise<string> => {
    key ??= crypto.subtle.importKey('raw', secret, { name: 'HMAC', hash: 'SHA-256' }, false, ['sign'])
    const known = made.get(step)
    if (known) return known
    const text = new TextEncoder().encode(`DPoP nonce ${step}`)
    const nonce = key.then(async key => base64url(await crypto.subtle.sign('HMAC', key, text)))
    if (made.size > 3) made.clear()
    made.set(step, nonce)
    return nonce
  }
  const step = () => Math.floor(clock.now() / NONCE_MS)
  return {
    current: () => nonceOf(step()),
    isCurrent: async nonce =>
      typeof nonce === 'string' &&
      (nonce === (await nonceOf(step())) || nonce === (await nonceOf(step() - 1))),
  }
}

/** A cache of imported keys: clients use one key for many proofs, and importing it costs more than checking a signature. */
export interface ProofKeys {
  get(
    thumbprint: string,
    alg: string,
    add: () => Promise<CryptoKey | undefined>,
  ): Promise<CryptoKey | undefined>
}

const MOST_KEYS = 1000

/** Keeps the most recently used keys. The thumbprint identifies a key. */
export function createProofKeys(): ProofKeys {
  const known = new Map<string, Promise<CryptoKey | undefined>>()
  return {
    get(thumbprint, alg, add) {
      const name = `${alg} ${thumbprint}`
      const key = known.get(name) ?? add()
      known.delete(name)
      known.set(name, key)
      if (known.size > MOST_KEYS) known.delete(known.keys().next().value as string)
      return key
    },
  }
}

export interface ProofSettings {
  readonly clock: Clock
  readonly algorithms: readonly SigningAlgorithm[]
  /** How many seconds old a proof may be. */
  readonly lifetimeSeconds: number
  readonly toleranceSeconds: number
  readonly replay: ReplayMemory
  readonly nonces: Nonces | undefined
  readonly keys: ProofKeys
}

/** The request that a proof must match. */
export interface ProvenRequest {
  readonly method: string
  /** Without query and fragment. */
  readonly url: string
  readonly accessToken: string
  /** The thumbprint of the key that the token is bound to. */
  readonly thumbprint: string
}

const sameUrl = (claimed: unknown, url: string): boolean => {
  if (typeof claimed !== 'string' || !URL.canParse(claimed)) return false
  const { origin, pathname, username, password } = new URL(claimed)
  return !username && !password && `${origin}${pathname}` === url
}

/**
 * Checks a DPoP proof (RFC 9449 section 4.3).
 * @returns why the proof is refused, or `undefined` if it is valid.
 */
export async function checkProof(
  proof: string,
  { method, url, accessToken, thumbprint }: ProvenRequest,
  { clock, algorithms, lifetimeSeconds, toleranceSeconds, replay, nonces, keys }: ProofSettings,
): Promise<RefusalReason | undefined> {
  const jwt = proof.length > LONGEST_TOKEN ? undefined : parseJwt(proof)
  if (!jwt) return 'proof_invalid'
  const { header, claims } = jwt
  const { typ, jwk } = header
  const alg = header.alg as SigningAlgorithm
  const { htm, htu, iat, jti, ath, nonce } = claims
  const age = clock.now() / 1000 - Number(iat)
  const isRight =
    typ === 'dpop+jwt' &&
    algorithms.includes(alg) &&
    isMembers(jwk) &&
    !('d' in jwk) &&
    isKeyFor(jwk, alg) &&
    htm === method &&
    sameUrl(htu, url) &&
    typeof iat === 'number' &&
    age <= lifetimeSeconds + toleranceSeconds &&
    age >= -toleranceSeconds &&
    typeof jti === 'string' &&
    jti.length > 0
  if (!isRight || ath !== (await digestOf(accessToken))) return 'proof_invalid'
  if ((await thumbprintOf(jwk)) !== thumbprint) return 'wrong_binding'
  const key = await keys.get(thumbprint, alg, () => importKey(jwk, alg))
  if (!key || !(await isSignedBy(jwt, key, alg))) return 'proof_invalid'
  if (nonces && !(await nonces.isCurrent(nonce))) return 'nonce_needed'
  // last, so that only clients with a valid key and token can fill the memory
  const id = await digestOf(JSON.stringify([thumbprint, url, jti]))
  const until = (iat + lifetimeSeconds + toleranceSeconds) * 1000
  return (await replay.remember(id, until)) ? undefined : 'proof_replayed'
}
