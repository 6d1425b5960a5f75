import { createHash, createHmac, createSign, generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import { HttpResponse, http } from 'msw'
import { type HandClock, handClock } from '../clock.ts'
import { handledFetch } from '../handled-fetch.ts'

export const ISSUER = 'https://id.example.com'
export const API = 'https://api.example.com'

type Members = Readonly<Record<string, unknown>>

export const base64url = (value: string | Buffer | Uint8Array): string =>
  Buffer.from(value).toString('base64url')
const encode = (value: unknown) => base64url(JSON.stringify(value))
export const sha256 = (text: string | Buffer): string => createHash('sha256').update(text).digest('base64url')

/** A key pair and its public JWK. */
export interface TestKey {
  readonly kid: string
  readonly alg: string
  readonly privateKey: KeyObject
  readonly jwk: Readonly<Record<string, unknown>>
}

export function testKey(
  kid: string,
  alg: 'RS256' | 'PS256' | 'ES256' | 'ES384' | 'EdDSA',
  bits = 2048,
): TestKey {
  const pair =
    alg === 'EdDSA'
      ? generateKeyPairSync('ed25519')
      : alg.startsWith('ES')
        ? generateKeyPairSync('ec', { namedCurve: alg === 'ES256' ? 'P-256' : 'P-384' })
        : generateKeyPairSync('rsa', { modulusLength: bits })
  const jwk = pair.publicKey.export({ format: 'jwk' }) as Record<string, unknown>
  return { kid, alg, privateKey: pair.privateKey, jwk }
}

/** Signs a text with one of the algorithms above, with a secret, or not at all. */
export function signatureOf(content: string, alg: string, key: KeyObject | string): string {
  if (typeof key === 'string') return createHmac('sha256', key).update(content).digest('base64url')
  if (alg === 'none') return ''
  const bytes = Buffer.from(content)
  if (alg === 'EdDSA') return sign(null, bytes, key).toString('base64url')
  const hash = `sha${alg.slice(2)}`
  // beside options, workerd takes no KeyObject
  const pem = key.export({ type: 'pkcs8', format: 'pem' })
  if (alg.startsWith('ES'))
    return sign(hash, bytes, { key: pem, dsaEncoding: 'ieee-p1363' }).toString('base64url')
  if (alg.startsWith('PS'))
    return createSign(hash).update(bytes).sign({ key: pem, padding: 6, saltLength: 32 }).toString('base64url')
  return createSign(hash).update(bytes).sign(key).toString('base64url')
}

/** A JWT with exactly this header and these claims. */
export const jwt = (header: Members, claims: Members, key: KeyObject | string | undefined): string => {
  const content = `${encode(header)}.${encode(claims)}`
  return `${content}.${key === undefined ? '' : signatureOf(content, String(header.alg), key)}`
}

/** The thumbprint of an elliptic-curve key (RFC 7638). */
export const thumbprint = ({ crv, kty, x, y }: Members): string => sha256(JSON.stringify({ crv, kty, x, y }))

/** The environment of a resource server: an issuer that signs tokens, publishes its keys and introspects tokens. */
export function createTestIssuer({
  issuer = ISSUER,
  clock = handClock(),
}: {
  issuer?: string
  clock?: HandClock
} = {}) {
  const key = testKey('key-1', 'ES256')
  const published = [key]
  /** The introspection responses for opaque tokens. */
  const tokens = new Map<string, Members>()
  const requests: string[] = []
  /** Responses to send instead of the issuer's own, in order, by the last part of the path. */
  const failNext: { readonly path: string; answer(): Response | Promise<Response> }[] = []
  const now = () => Math.floor(clock.now() / 1000)
  const serve = (path: string, answer: (request: Request) => unknown) =>
    http.all(`${issuer}${path}`, async ({ request }) => {
      requests.push(path)
      const failure = failNext.findIndex(one => one.path === path)
      if (failure >= 0) return failNext.splice(failure, 1)[0]?.answer()
      return HttpResponse.json((await answer(request)) as never)
    })
  const handlers = [
    serve('/.well-known/openid-configuration', () => ({
      issuer,
      jwks_uri: `${issuer}/jwks`,
      introspection_endpoint: `${issuer}/introspect`,
    })),
    serve('/jwks', () => ({
      keys: published.map(({ kid, alg, jwk }) => ({ ...jwk, kid, alg, use: 'sig' })),
    })),
    serve('/introspect', async request => {
      const form = new URLSearchParams(await request.text())
      return tokens.get(form.get('token') ?? '') ?? { active: false }
    }),
  ]
  const claims = (change: Members = {}): Members => ({
    iss: issuer,
    sub: 'alice',
    aud: API,
    client_id: 'app',
    jti: `jti-${Math.random()}`,
    iat: now(),
    exp: now() + 300,
    scope: 'notes:read notes:write',
    ...change,
  })
  return {
    issuer,
    clock,
    key,
    published,
    tokens,
    requests,
    failNext,
    handlers,
    fetch: handledFetch(handlers),
    now,
    claims,
    /** An access token (RFC 9068). `undefined` in `change` removes a member. */
    accessToken: (change: Members = {}, header: Members = {}, by: TestKey = key) =>
      jwt({ typ: 'at+jwt', alg: by.alg, kid: by.kid, ...header }, claims(change), by.privateKey),
  }
}

export type TestIssuer = ReturnType<typeof createTestIssuer>

/** A DPoP proof (RFC 9449 section 4.2) for a GET of `/notes`. */
export const proof = (
  accessToken: string,
  key: TestKey,
  iat: number,
  change: Members = {},
  header: Members = {},
): string =>
  jwt(
    { typ: 'dpop+jwt', alg: key.alg, jwk: key.jwk, ...header },
    {
      htm: 'GET',
      htu: `${API}/notes`,
      iat,
      jti: `proof-${Math.random()}`,
      ath: sha256(accessToken),
      ...change,
    },
    key.privateKey,
  )
