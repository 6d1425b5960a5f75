const ALGORITHM = { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' }

/** A real RS256 key of an authorization server. */
export interface SigningKey {
  /** What the `jwks_uri` shows (RFC 7517). */
  jwks(): Promise<{ keys: unknown[] }>
  /** A signed JWT (RFC 7519) with these claims. */
  sign(claims: Readonly<Record<string, unknown>>, header?: Readonly<Record<string, unknown>>): Promise<string>
}

const base64url = (bytes: Uint8Array): string =>
  btoa(String.fromCharCode(...bytes))
    .replaceAll('+', '-')
    .replaceAll('/', '_')
    .replace(/=+$/, '')
const encode = (value: unknown) => base64url(new TextEncoder().encode(JSON.stringify(value)))

/** Makes a key when it is first needed. */
export function signingKey(kid = 'key-1'): SigningKey {
  let pair: Promise<CryptoKeyPair> | undefined
  const keys = () => {
    pair ??= crypto.subtle.generateKey(
      { ...ALGORITHM, modulusLength: 2048, publicExponent: new Uint8Array([1, 0, 1]) },
      true,
      ['sign', 'verify'],
    )
    return pair
  }
  return {
    async jwks() {
      const { kty, n, e } = await crypto.subtle.exportKey('jwk', (await keys()).publicKey)
      return { keys: [{ kty, n, e, kid, alg: 'RS256', use: 'sig' }] }
    },
    async sign(claims, header = {}) {
      const content = `${encode({ alg: 'RS256', kid, typ: 'JWT', ...header })}.${encode(claims)}`
      const { privateKey } = await keys()
      const signature = await crypto.subtle.sign(
        ALGORITHM.name,
        privateKey,
        new TextEncoder().encode(content),
      )
      return `${content}.${base64url(new Uint8Array(signature))}`
    },
  }
}
