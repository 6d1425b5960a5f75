import { parseJson } from '../authorization/token-response.ts'
import { base64url, fromBase64 } from '../core/base64url.ts'
import { isMembers, type Members } from '../core/members.ts'

/**
 * A JWT (RFC 7519, RFC 7515). latchkey verifies it with Web Crypto itself: oauth4webapi does not verify access tokens that
 * are bound to a certificate, nor DPoP proofs for tokens that are not JWTs, and it imports the key at every call.
 */
export interface Jwt {
  readonly header: Readonly<Record<string, unknown>>
  readonly claims: Readonly<Record<string, unknown>>
  /** The signed bytes. */
  readonly signed: Uint8Array<ArrayBuffer>
  readonly signature: Uint8Array<ArrayBuffer>
}

/** Longer tokens do not fit into a header. */
export const LONGEST_TOKEN = 16_384
const BASE64URL = /^[\w-]+$/

const LETTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
/** The unused bits of the last letter, by the number of letters in the last group. */
const UNUSED = [0, 0, 15, 3] as const

/** @returns `undefined` if the text is not base64url in its canonical form (RFC 4648 section 3.5). */
export function decodeBase64url(text: string): Uint8Array<ArrayBuffer> | undefined {
  const rest = text.length % 4
  if (!BASE64URL.test(text) || rest === 1) return undefined
  if (LETTERS.indexOf(text.at(-1) as string) & (UNUSED[rest] as number)) return undefined
  return fromBase64(text)
}

/** The SHA-256 digest in base64url, as in `ath`, `jkt` and `x5t#S256`. */
export const digestOf = async (content: string | Uint8Array<ArrayBuffer>): Promise<string> =>
  base64url(
    await crypto.subtle.digest(
      'SHA-256',
      typeof content === 'string' ? new TextEncoder().encode(content) : content,
    ),
  )

function parsePart(text: string | undefined): Members | undefined {
  const bytes = text === undefined ? undefined : decodeBase64url(text)
  if (!bytes) return undefined
  try {
    const value = parseJson(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
    return isMembers(value) ? value : undefined
  } catch {
    return undefined
  }
}

function parseParts(
  text: string,
): { parts: readonly string[]; header: Members; claims: Members } | undefined {
  const parts = text.split('.', 4)
  if (parts.length !== 3 || text.length > LONGEST_TOKEN) return undefined
  const [header, claims] = [parsePart(parts[0]), parsePart(parts[1])]
  // latchkey supports no critical extension (RFC 7515 section 4.1.11); `b64` is one of them
  if (!header || !claims || 'crit' in header || 'b64' in header) return undefined
  return { parts, header, claims }
}

/** @returns `undefined` if the text is not a signed JWT, or is ambiguous JSON. */
export function parseJwt(text: string): Jwt | undefined {
  const { parts = [], header, claims } = parseParts(text) ?? {}
  const signature = decodeBase64url(parts[2] ?? '')
  if (!header || !claims || !signature) return undefined
  return { header, claims, signature, signed: new TextEncoder().encode(`${parts[0]}.${parts[1]}`) }
}

/** What a JWT says, signed or not. */
export type JwtContent = Pick<Jwt, 'header' | 'claims'>

/** What an unsecured JWT says (RFC 7519 section 6), which proves nothing. @returns `undefined` for anything else. */
export function parseUnsecuredJwt(text: string): JwtContent | undefined {
  const { parts = [], header, claims } = parseParts(text) ?? {}
  return header?.alg === 'none' && claims && parts[2] === '' ? { header, claims } : undefined
}

interface Algorithm {
  readonly kty: string
  readonly crv?: string
  readonly import: RsaHashedImportParams | EcKeyImportParams | { name: 'Ed25519' }
  readonly verify: RsaPssParams | EcdsaParams | { name: string }
}

const rsa = (bits: 256 | 384 | 512): Algorithm => ({
  kty: 'RSA',
  import: { name: 'RSASSA-PKCS1-v1_5', hash: `SHA-${bits}` },
  verify: { name: 'RSASSA-PKCS1-v1_5' },
})
const pss = (bits: 256 | 384 | 512): Algorithm => ({
  kty: 'RSA',
  import: { name: 'RSA-PSS', hash: `SHA-${bits}` },
  verify: { name: 'RSA-PSS', saltLength: bits / 8 },
})
const ecdsa = (crv: string, bits: 256 | 384 | 512): Algorithm => ({
  kty: 'EC',
  crv,
  import: { name: 'ECDSA', namedCurve: crv },
  verify: { name: 'ECDSA', hash: `SHA-${bits}` } as EcdsaParams,
})
const edwards: Algorithm = {
  kty: 'OKP',
  crv: 'Ed25519',
  import: { name: 'Ed25519' },
  verify: { name: 'Ed25519' },
}

/** Only signatures by a private key: no algorithm with which a public key or a shared secret could sign. */
const ALGORITHMS = {
  RS256: rsa(256),
  RS384: rsa(384),
  RS512: rsa(512),
  PS256: pss(256),
  PS384: pss(384),
  PS512: pss(512),
  ES256: ecdsa('P-256', 256),
  ES384: ecdsa('P-384', 384),
  ES512: ecdsa('P-521', 512),
  EdDSA: edwards,
  Ed25519: edwards,
} as const

/** A signature algorithm of RFC 7518 section 3, RFC 8037 or RFC 9864. */
export type SigningAlgorithm = keyof typeof ALGORITHMS
export const SIGNING_ALGORITHMS = Object.keys(ALGORITHMS) as readonly SigningAlgorithm[]

/** The shortest modulus that RFC 7518 section 3.3 allows. */
const LEAST_RSA_BITS = 2048

/** Whether a JWK is for this algorithm, and for signatures (RFC 7517 section 4). */
export function isKeyFor(jwk: Readonly<Record<string, unknown>>, alg: SigningAlgorithm): boolean {
  const { kty, crv } = ALGORITHMS[alg]
  const isNamed = (name: unknown) =>
    name === undefined || name === alg || ALGORITHMS[name as SigningAlgorithm] === ALGORITHMS[alg]
  const isOfCurve = crv === undefined || jwk.crv === crv
  const isForSignatures = jwk.use === undefined || jwk.use === 'sig'
  const operations = jwk.key_ops
  const mayVerify = operations === undefined || (Array.isArray(operations) && operations.includes('verify'))
  return jwk.kty === kty && isOfCurve && isNamed(jwk.alg) && isForSignatures && mayVerify
}

/** @returns `undefined` for a key that is invalid, not public, or too short. */
export async function importKey(
  jwk: Readonly<Record<string, unknown>>,
  alg: SigningAlgorithm,
): Promise<CryptoKey | undefined> {
  const { kty, crv, n, e, x, y } = jwk as Record<string, string>
  // import only the members of a public key, so that no other member restricts its use
  const parts = Object.entries({ kty, crv, n, e, x, y }).filter(([, value]) => typeof value === 'string')
  if ('d' in jwk || 'k' in jwk) return undefined
  try {
    const key = await crypto.subtle.importKey(
      'jwk',
      Object.fromEntries(parts),
      ALGORITHMS[alg].import,
      false,
      ['verify'],
    )
    const { modulusLength = LEAST_RSA_BITS } = key.algorithm as Partial<RsaHashedKeyAlgorithm>
    return key.type === 'public' && modulusLength >= LEAST_RSA_BITS ? key : undefined
  } catch {
    return undefined
  }
}

/** Whether this key verifies the JWT's signature. */
export const isSignedBy = (jwt: Jwt, key: CryptoKey, alg: SigningAlgorithm): Promise<boolean> =>
  crypto.subtle.verify(ALGORITHMS[alg].verify, key, jwt.signature, jwt.signed).catch(() => false)

/** The thumbprint of a public key (RFC 7638 section 3.2), or `undefined` if the JWK is not a public key. */
export async function thumbprintOf(jwk: Readonly<Record<string, unknown>>): Promise<string | undefined> {
  const { kty, crv, n, e, x, y } = jwk
  const members = kty === 'RSA' ? { e, kty, n } : kty === 'EC' ? { crv, kty, x, y } : { crv, kty, x }
  return Object.values(members).every(member => typeof member === 'string')
    ? digestOf(JSON.stringify(members))
    : undefined
}
