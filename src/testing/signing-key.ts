const ALGORITHMS = {
  RS256: {
    generate: { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256', modulusLength: 2048 },
    sign: { name: 'RSASSA-PKCS1-v1_5' },
  },
  RS1024: {
    generate: { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256', modulusLength: 1024 },
    sign: { name: 'RSASSA-PKCS1-v1_5' },
  },
  ES256: {
    generate: { name: 'ECDSA', namedCurve: 'P-256' },
    sign: { name: 'ECDSA', hash: 'SHA-256' },
  },
  ES384: {
    generate: { name: 'ECDSA', namedCurve: 'P-384' },
    sign: { name: 'ECDSA', hash: 'SHA-384' },
  },
  EdDSA: { generate: { name: 'Ed25519' }, sign: { name: 'Ed25519' } },
} as const

/** A signing key of an authorization server. It is a real key of Web Crypto. */
export interface SigningKey {
  /** The key set at the `jwks_uri` (RFC 7517). */
  jwks(): Promise<{ keys: Record<string, unknown>[] }>
  /** Signs a JWT with these claims (RFC 7519). `header` overrides members of its header. */
  sign(claims: Readonly<Record<string, unknown>>, header?: Readonly<Record<string, unknown>>): Promise<string>
}

/** Encodes bytes as base64url without padding (RFC 7515 section 2). */
export const base64url = (bytes: Uint8Array): string =>
  btoa(String.fromCharCode(...bytes))
    .replaceAll('+', '-')
    .replaceAll('/', '_')
    .replace(/=+$/, '')

export const fromBase64url = (text: string): Uint8Array<ArrayBuffer> =>
  Uint8Array.from(atob(text.replaceAll('-', '+').replaceAll('_', '/')), one => one.charCodeAt(0))

const encode = (value: unknown) => base64url(new TextEncoder().encode(JSON.stringify(value)))

/** The SHA-256 digest of a text in base64url, for a code challenge (RFC 7636 section 4.2), a thumbprint or an `ath`. */
export const sha256 = async (text: string): Promise<string> =>
  base64url(new Uint8Array(await crypto.subtle.digest('SHA-256', new TextEncoder().encode(text))))

/**
 * Creates a key that signs ID Tokens. Web Crypto generates it on first use.
 * @param kid the id of the key in its key set (RFC 7517 section 4.5). Default `key-1`.
 * @param algorithm default `RS256`. `RS1024` is an RS256 key that is too short, to test that a client refuses it.
 */
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
