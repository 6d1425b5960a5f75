import type { Clock } from '../extending.ts'
import { fromBase64url, sha256 } from './signing-key.ts'

/** The result of checking a DPoP proof: the thumbprint of its key, or the problem. */
export type JudgedProof =
  | { readonly jkt: string; readonly claims: Readonly<Record<string, unknown>>; readonly problem?: undefined }
  | { readonly problem: string; readonly claims: Readonly<Record<string, unknown>>; readonly jkt?: undefined }

/** How many seconds the `iat` of a proof may differ from the server's clock. */
const TOLERANCE_SECONDS = 60

const decode = (part: string) => JSON.parse(new TextDecoder().decode(fromBase64url(part)))

/** The thumbprint of a P-256 key (RFC 7638). */
const thumbprint = ({ crv, kty, x, y }: JsonWebKey) => sha256(JSON.stringify({ crv, kty, x, y }))

async function isSigned(jwk: JsonWebKey, content: string, signature: string): Promise<boolean> {
  const curve = { name: 'ECDSA', namedCurve: 'P-256' }
  const key = await crypto.subtle.importKey('jwk', jwk, curve, false, ['verify'])
  const how = { name: 'ECDSA', hash: 'SHA-256' }
  return crypto.subtle.verify(how, key, fromBase64url(signature), new TextEncoder().encode(content))
}

/** Checks DPoP proofs with P-256 keys (RFC 9449 section 4.3). It accepts each proof only once. */
export function createDpopProofs(clock: Clock) {
  const ids = new Set<unknown>()
  return {
    /**
     * @param accessToken at an API: the access token of the request, which `ath` must match.
     * @param nonce the nonce that the proof must contain. `undefined`: none is required.
     */
    async judge(request: Request, accessToken?: string, nonce?: string): Promise<JudgedProof> {
      const [head, body, signature] = (request.headers.get('dpop') ?? '').split('.')
      if (!head || !body || !signature) return { problem: 'no proof', claims: {} }
      const [header, claims] = [decode(head), decode(body)]
      const { jwk = {} } = header
      const wrong = {
        typ: header.typ !== 'dpop+jwt',
        'a private key': 'd' in jwk,
        signature: !(await isSigned(jwk, `${head}.${body}`, signature).catch(() => false)),
        htm: claims.htm !== request.method,
        htu: claims.htu !== request.url.replace(/[?#].*/, ''),
        ath: accessToken !== undefined && claims.ath !== (await sha256(accessToken)),
        jti: typeof claims.jti !== 'string' || ids.has(claims.jti),
        iat: !(Math.abs(claims.iat - clock.now() / 1000) <= TOLERANCE_SECONDS),
        nonce: nonce !== undefined && claims.nonce !== nonce,
      }
      ids.add(claims.jti)
      const problem = Object.entries(wrong).find(([, isWrong]) => isWrong)?.[0]
      return problem ? { problem, claims } : { jkt: await thumbprint(jwk), claims }
    },
  }
}
