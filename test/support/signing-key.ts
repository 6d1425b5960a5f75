import { base64url } from '../../src/testing/signing-key.ts'

export { type SigningKey, signingKey } from '../../src/testing/signing-key.ts'

/** `at_hash` of an access token (OpenID Connect Core section 3.1.3.6). */
export async function atHashOf(accessToken: string, hash: string): Promise<string> {
  const digest = new Uint8Array(await crypto.subtle.digest(hash, new TextEncoder().encode(accessToken)))
  return base64url(digest.slice(0, digest.length / 2))
}
