import type { Fetch } from '../../src/core/ports.ts'

/** What an API was sent, and what it thought of it. */
export interface SeenProof {
  readonly url: string
  readonly scheme: string
  readonly claims: Readonly<Record<string, unknown>>
  /** What was wrong with it. */
  readonly problem: string | undefined
}

export interface DpopApiOptions {
  /** The thumbprint of the key that an access token is bound to, where it is known. */
  boundTo(accessToken: string): Promise<string | undefined>
  /** Whether proofs need a nonce. Default: they do. */
  nonce?: () => string | undefined
}

const b64u = (bytes: ArrayBuffer) => Buffer.from(bytes).toString('base64url')
const sha256 = async (text: string) => b64u(await crypto.subtle.digest('SHA-256', Buffer.from(text)))
const decode = (part = '') => JSON.parse(Buffer.from(part, 'base64url').toString())

/** RFC 7638, for keys on P-256. */
const thumbprint = ({ crv, kty, x, y }: JsonWebKey) => sha256(JSON.stringify({ crv, kty, x, y }))

/** A resource server that checks what RFC 9449 section 4.3 asks for, and never sees a proof twice. */
export function createDpopApi({ boundTo, nonce = () => 'nonce-1' }: DpopApiOptions) {
  const seen: SeenProof[] = []
  const ids = new Set<unknown>()

  const judge = async (request: Request): Promise<SeenProof> => {
    const [scheme = '', accessToken = ''] = (request.headers.get('authorization') ?? '').split(' ')
    const [head, body, signature] = (request.headers.get('dpop') ?? '').split('.')
    const { url } = request
    if (!head || !body || !signature) return { url, scheme, claims: {}, problem: 'no proof' }
    const [header, claims] = [decode(head), decode(body)]
    const key = await crypto.subtle.importKey(
      'jwk',
      header.jwk,
      { name: 'ECDSA', namedCurve: 'P-256' },
      false,
      ['verify'],
    )
    const isSigned = await crypto.subtle.verify(
      { name: 'ECDSA', hash: 'SHA-256' },
      key,
      Buffer.from(signature, 'base64url'),
      Buffer.from(`${head}.${body}`),
    )
    const problems = {
      scheme: scheme.toLowerCase() !== 'dpop',
      typ: header.typ !== 'dpop+jwt',
      'a private key': 'd' in header.jwk,
      signature: !isSigned,
      htm: claims.htm !== request.method,
      htu: claims.htu !== url.replace(/[?#].*/, ''),
      ath: claims.ath !== (await sha256(accessToken)),
      jti: typeof claims.jti !== 'string' || ids.has(claims.jti),
      iat: Math.abs(claims.iat - Date.now() / 1000) > 60,
      binding: (await thumbprint(header.jwk)) !== (await boundTo(accessToken)),
      nonce: claims.nonce !== nonce(),
    }
    ids.add(claims.jti)
    const problem = Object.entries(problems).find(([, isWrong]) => isWrong)?.[0]
    return { url, scheme, claims, problem }
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
