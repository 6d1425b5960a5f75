const ALGORITHMS = {
  RS256: {
    generate: { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256', modulusLength: 2048 },
    sign: { name: 'RSASSA-PKCS1-v1_5' },
  },
  RS1024: {
    generate: { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256', modulusLength: 1024 },
    sign: { name: 'RSASSA-PKCS1-v1_5' },
  },
  ES384: {
    generate: { name: 'ECDSA', namedCurve: 'P-384' },
    sign: { name: 'ECDSA', hash: 'SHA-384' },
  },
  EdDSA: { generate: { name: 'Ed25519' }, sign: { name: 'Ed25519' } },
} as const

/** A real key of an authorization server. */
export interface SigningKey {
  /** What the `jwks_uri` shows (RFC 7517). */
  jwks(): Promise<{ keys: Record<string, unknown>[] }>
  /** A signed JWT (RFC 7519) with these claims; `header` changes its header. */
  sign(claims: Readonly<Record<string, unknown>>, header?: Readonly<Record<string, unknown>>): Promise<string>
}

const base64url = (bytes: Uint8Array): string =>
  btoa(String.fromCharCode(...bytes))
    .replaceAll('+', '-')
    .replaceAll('/', '_')
    .replace(/=+$/, '')
const encode = (value: unknown) => base64url(new TextEncoder().encode(JSON.stringify(value)))

/** Makes a key when it is first needed. `RS1024`: a key for RS256 that is too short. */
export function signingKey(kid = 'key-1', algorithm: keyof typeof ALGORITHMS = 'RS256'): SigningKey {
  const { generate, sign } = ALGORITHMS[algorithm]
  const alg = algorithm === 'RS1024' ? 'RS256' : algorithm
  let pair: Promise<CryptoKeyPair> | undefined
  const keys = () => {
    const parameters = { ...generate, publicExponent: new Uint8Array([1, 0, 1]) }
    pair ??= crypto.subtle.generateKey(parameters, true, ['sign', 'verify']) as Promise<CryptoKeyPair>
    return pair
  }
  return {
    async jwks() {
      const { kty, n, e, crv, x, y } = await crypto.subtle.exportKey('jwk', (await keys()).publicKey)
      return { keys: [{ kty, n, e, crv, x, y, kid, alg, use: 'sig' }] }
    },
    async sign(claims, header) {
      const content = `${encode({ alg, kid, typ: 'JWT', ...header })}.${encode(claims)}`
      const { privateKey } = await keys()
      const signature = await crypto.subtle.sign(sign, privateKey, new TextEncoder().encode(content))
      return `${content}.${base64url(new Uint8Array(signature))}`
    },
  }
}

/** `at_hash` of an access token (OpenID Connect Core section 3.1.3.6). */
export async function atHashOf(accessToken: string, hash: string): Promise<string> {
  const digest = new Uint8Array(await crypto.subtle.digest(hash, new TextEncoder().encode(accessToken)))
  return base64url(digest.slice(0, digest.length / 2))
}
