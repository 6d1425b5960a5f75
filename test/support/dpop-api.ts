import type { Fetch } from '../../src/core/ports.ts'
import { deviceClock } from '../../src/testing/clock.ts'
import { createDpopProofs } from '../../src/testing/dpop-proofs.ts'

/** A request that the API received, and the problem it found. */
export interface SeenProof {
  readonly url: string
  readonly scheme: string
  readonly claims: Readonly<Record<string, unknown>>
  /** Why the API refused it. */
  readonly problem: string | undefined
}

export interface DpopApiOptions {
  /** The thumbprint of the key that an access token is bound to, if it is known. */
  boundTo(accessToken: string): Promise<string | undefined>
  /** The nonce that proofs need; `undefined`: none. Default `nonce-1`. */
  nonce?: () => string | undefined
}

/** A resource server that makes the checks of RFC 9449 section 4.3, and refuses a repeated proof. */
export function createDpopApi({ boundTo, nonce = () => 'nonce-1' }: DpopApiOptions) {
  const seen: SeenProof[] = []
  const proofs = createDpopProofs(deviceClock)

  const judge = async (request: Request): Promise<SeenProof> => {
    const { url, headers } = request
    const [scheme = '', accessToken = ''] = (headers.get('authorization') ?? '').split(' ')
    const { claims, jkt, problem } = await proofs.judge(request, accessToken)
    if (scheme.toLowerCase() !== 'dpop') return { url, scheme, claims, problem: 'scheme' }
    if (problem) return { url, scheme, claims, problem }
    if (jkt !== (await boundTo(accessToken))) return { url, scheme, claims, problem: 'binding' }
    return { url, scheme, claims, problem: claims.nonce === nonce() ? undefined : 'nonce' }
  }

  const answer: Fetch = async (input, init) => {
    const proof = await judge(new Request(input, init))
    seen.push(proof)
    const fresh = nonce()
    const headers: Record<string, string> = fresh ? { 'dpop-nonce': fresh } : {}
    if (!proof.problem) return new Response('{}', { status: 200, headers })
    const error = proof.problem === 'nonce' ? 'use_dpop_nonce' : 'invalid_token'
    headers['www-authenticate'] = `DPoP error="${error}", algs="ES256", Bearer error="invalid_token"`
    return new Response(null, { status: 401, headers })
  }
  return { answer, seen }
}
