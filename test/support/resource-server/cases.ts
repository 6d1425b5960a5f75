import type { RefusalReason, Requirements } from '../../../src/resource-server/verdict.ts'
import {
  API,
  base64url,
  createTestIssuer,
  ISSUER,
  jwt,
  proof,
  sha256,
  signatureOf,
  type TestIssuer,
  testKey,
  thumbprint,
} from './issuer.ts'

/** One request and its expected verdict. */
export interface Case {
  readonly name: string
  readonly expected: 'valid' | RefusalReason
  /** The verdict of oauth4webapi's `validateJwtAccessToken` and the reason, if it differs. */
  readonly elsewhere?: { readonly verdict: 'valid' | 'refused'; readonly why: string }
  make(kit: Kit): { readonly request: Request; readonly requirements?: Requirements }
}

export const keys = {
  proof: testKey('proof', 'ES256'),
  other: testKey('other', 'ES256'),
  rsa: testKey('rsa-1', 'RS256'),
  pss: testKey('pss-1', 'PS256'),
  p384: testKey('p384-1', 'ES384'),
  edwards: testKey('ed-1', 'EdDSA'),
  short: testKey('short-1', 'RS256', 1024),
}

/** Not a real certificate, because only its digest is compared. */
export const CERTIFICATE = new TextEncoder().encode('the DER bytes of a certificate')

export function createKit(issuer = createTestIssuer()) {
  issuer.published.push(keys.rsa, keys.pss, keys.p384, keys.edwards, keys.short)
  const jkt = thumbprint(keys.proof.jwk)
  return { issuer, jkt, bound: issuer.accessToken({ cnf: { jkt } }) }
}

export type Kit = ReturnType<typeof createKit>

export const requestWith = (headers: Record<string, string>, path = '/notes', method = 'GET'): Request =>
  new Request(`${API}${path}`, { method, headers })
const bearer = (token: string, path?: string) => ({
  request: requestWith({ authorization: `Bearer ${token}` }, path),
})
const dpop = (token: string, presented: string, path?: string, method?: string) => ({
  request: requestWith({ authorization: `DPoP ${token}`, dpop: presented }, path, method),
})

/** A case whose token differs from a valid one in its claims. */
const claims = (
  name: string,
  expected: Case['expected'],
  change: (issuer: TestIssuer) => Record<string, unknown>,
  elsewhere?: Case['elsewhere'],
): Case => ({
  name,
  expected,
  make: ({ issuer }) => bearer(issuer.accessToken(change(issuer))),
  ...(elsewhere && { elsewhere }),
})

const header = (
  name: string,
  expected: Case['expected'],
  change: Record<string, unknown>,
  elsewhere?: Case['elsewhere'],
): Case => ({
  name,
  expected,
  make: ({ issuer }) => bearer(issuer.accessToken({}, change)),
  ...(elsewhere && { elsewhere }),
})

const proofs = (
  name: string,
  expected: Case['expected'],
  change: (kit: Kit) => [claims?: Record<string, unknown>, header?: Record<string, unknown>],
  elsewhere?: Case['elsewhere'],
): Case => ({
  name,
  expected,
  make: kit => dpop(kit.bound, proof(kit.bound, keys.proof, kit.issuer.now(), ...change(kit))),
  ...(elsewhere && { elsewhere }),
})

const NOT_ASKED = (why: string) => ({ verdict: 'valid', why }) as const

const tampered = (token: string, part: 0 | 1 | 2, text: string) =>
  token
    .split('.')
    .map((old, index) => (index === part ? text : old))
    .join('.')

const asJson = (part = '') => JSON.parse(Buffer.from(part, 'base64url').toString())

const tokens: readonly Case[] = [
  claims('a valid token', 'valid', () => ({})),
  claims('a list of audiences that includes ours', 'valid', () => ({
    aud: ['https://other.example.com', API],
  })),
  header('typ application/at+jwt', 'valid', { typ: 'application/at+jwt' }),
  header('typ AT+JWT in capitals', 'valid', { typ: 'AT+JWT' }),
  ...(['rsa', 'pss', 'p384', 'edwards'] as const).map(
    (name): Case => ({
      name: `a signature by ${keys[name].alg}`,
      expected: 'valid',
      make: ({ issuer }) => bearer(issuer.accessToken({}, {}, keys[name])),
    }),
  ),
  {
    name: 'no kid, and several keys fit',
    expected: 'valid',
    elsewhere: { verdict: 'refused', why: 'it requires a kid if several keys fit' },
    make: ({ issuer }) => {
      issuer.published.push(keys.other)
      return bearer(issuer.accessToken({}, { kid: undefined }))
    },
  },
  claims('an expiry two seconds ago, within the tolerance', 'valid', ({ now }) => ({ exp: now() - 2 })),
  claims(
    'an expiry twenty seconds ago',
    'expired',
    ({ now }) => ({ exp: now() - 20 }),
    NOT_ASKED('its tolerance is 30 seconds'),
  ),
  claims('no scope, and none is required', 'valid', () => ({ scope: undefined })),
  claims('an expiry a minute ago', 'expired', ({ now }) => ({ exp: now() - 60 })),
  claims('an expiry that is a string', 'bad_claims', ({ now }) => ({ exp: String(now() + 300) })),
  claims('no expiry', 'bad_claims', () => ({ exp: undefined })),
  claims('nbf in an hour', 'not_yet_valid', ({ now }) => ({ nbf: now() + 3600 })),
  claims(
    'iat in an hour',
    'not_yet_valid',
    ({ now }) => ({ iat: now() + 3600 }),
    NOT_ASKED('it does not compare iat'),
  ),
  claims('no iat', 'bad_claims', () => ({ iat: undefined })),
  claims('no sub', 'bad_claims', () => ({ sub: undefined })),
  claims('an empty sub', 'bad_claims', () => ({ sub: '' }), NOT_ASKED('it only checks the type')),
  claims('no client_id', 'bad_claims', () => ({ client_id: undefined })),
  claims('no jti', 'bad_claims', () => ({ jti: undefined })),
  claims('a jti that is a number', 'bad_claims', () => ({ jti: 7 })),
  claims('no audience', 'wrong_audience', () => ({ aud: undefined })),
  claims('the audience of another API', 'wrong_audience', () => ({ aud: 'https://other.example.com' })),
  claims('an audience that ours begins with', 'wrong_audience', () => ({ aud: API.slice(0, -1) })),
  claims('an empty list of audiences', 'wrong_audience', () => ({ aud: [] })),
  claims(
    'a list of audiences with an object in it',
    'wrong_audience',
    () => ({ aud: [API, {}] }),
    NOT_ASKED('one match is enough'),
  ),
  claims('another issuer', 'unknown_issuer', () => ({ iss: 'https://evil.example.com' })),
  claims('our issuer with an extra slash', 'unknown_issuer', () => ({ iss: `${ISSUER}/` })),
  claims('no issuer', 'unknown_issuer', () => ({ iss: undefined })),
  header('typ JWT', 'wrong_type', { typ: 'JWT' }),
  header('no typ', 'wrong_type', { typ: undefined }),
  header('typ dpop+jwt', 'wrong_type', { typ: 'dpop+jwt' }),
  header('a kid that the issuer does not have', 'unknown_key', { kid: 'key-9' }),
  header('the kid of a key for another algorithm', 'unknown_key', { kid: 'rsa-1' }),
  header('a critical extension', 'not_a_token', { crit: ['exp'] }),
  header('b64=false', 'not_a_token', { b64: false }, NOT_ASKED('it reads b64 only with crit')),
  {
    name: 'alg none and no signature',
    expected: 'not_a_token',
    make: ({ issuer }) => bearer(jwt({ typ: 'at+jwt', alg: 'none' }, issuer.claims(), undefined)),
  },
  {
    name: 'alg none with the signature of a valid token',
    expected: 'wrong_algorithm',
    make: ({ issuer }) =>
      bearer(tampered(issuer.accessToken(), 0, base64url('{"typ":"at+jwt","alg":"none"}'))),
  },
  {
    name: 'HS256 with the public key as its secret',
    expected: 'wrong_algorithm',
    make: ({ issuer }) =>
      bearer(
        jwt({ typ: 'at+jwt', alg: 'HS256', kid: 'key-1' }, issuer.claims(), JSON.stringify(issuer.key.jwk)),
      ),
  },
  {
    name: 'a key in the header (jwk)',
    expected: 'bad_signature',
    make: ({ issuer }) => bearer(issuer.accessToken({}, { jwk: keys.other.jwk, kid: 'key-1' }, keys.other)),
  },
  {
    name: 'signed by another key with our kid',
    expected: 'bad_signature',
    make: ({ issuer }) => bearer(issuer.accessToken({}, { kid: 'key-1' }, keys.other)),
  },
  {
    name: 'an RSA key of 1024 bits',
    expected: 'unknown_key',
    make: ({ issuer }) => bearer(issuer.accessToken({}, {}, keys.short)),
  },
  {
    name: 'claims changed after signing',
    expected: 'bad_signature',
    make: ({ issuer }) => {
      const token = issuer.accessToken()
      const changed = { ...asJson(token.split('.')[1]), sub: 'mallory' }
      return bearer(tampered(token, 1, base64url(JSON.stringify(changed))))
    },
  },
  {
    name: 'one bit of the signature changed',
    expected: 'bad_signature',
    make: ({ issuer }) => {
      const token = issuer.accessToken()
      const signature = Buffer.from(token.split('.')[2] ?? '', 'base64url')
      signature.writeUInt8(signature.readUInt8(3) ^ 1, 3)
      return bearer(tampered(token, 2, signature.toString('base64url')))
    },
  },
  {
    name: 'a signature in a non-canonical encoding',
    expected: 'not_a_token',
    elsewhere: NOT_ASKED('its decoder ignores unused bits'),
    make: ({ issuer }) => {
      const token = issuer.accessToken()
      // in base64url, 64 bytes leave four bits of the last character unused
      const next = { A: 'B', Q: 'R', g: 'h', w: 'x' }[token.at(-1) ?? '']
      return bearer(token.slice(0, -1) + next)
    },
  },
  {
    name: 'a signature that is cut off',
    expected: 'bad_signature',
    make: ({ issuer }) => bearer(issuer.accessToken().slice(0, -6)),
  },
  {
    name: 'a repeated claim',
    expected: 'not_a_token',
    elsewhere: NOT_ASKED('JSON.parse uses the second'),
    make: ({ issuer }) => {
      const text = JSON.stringify(issuer.claims()).replace('{', '{"sub":"mallory",')
      const content = `${base64url(JSON.stringify({ typ: 'at+jwt', alg: 'ES256', kid: 'key-1' }))}.${base64url(text)}`
      return bearer(`${content}.${signatureOf(content, 'ES256', issuer.key.privateKey)}`)
    },
  },
  {
    name: 'two parts',
    expected: 'not_a_token',
    make: ({ issuer }) => bearer(issuer.accessToken().split('.').slice(0, 2).join('.')),
  },
  {
    name: 'four parts',
    expected: 'not_a_token',
    make: ({ issuer }) => bearer(`${issuer.accessToken()}.e30`),
  },
  {
    name: 'an opaque token, without introspection',
    expected: 'not_a_token',
    make: () => bearer('mF_9.B5f-4.1JqM'),
  },
  {
    name: 'base64 with padding',
    expected: 'not_a_token',
    make: ({ issuer }) => bearer(`${issuer.accessToken()}=`),
  },
]

const requests: readonly Case[] = [
  { name: 'no Authorization header', expected: 'no_token', make: () => ({ request: requestWith({}) }) },
  {
    name: 'another scheme',
    expected: 'no_token',
    make: () => ({ request: requestWith({ authorization: 'Basic YTpi' }) }),
  },
  {
    name: 'Bearer without a token',
    expected: 'malformed_request',
    make: () => ({ request: requestWith({ authorization: 'Bearer' }) }),
  },
  {
    name: 'two tokens in the header',
    expected: 'malformed_request',
    make: ({ issuer }) => ({
      request: requestWith({
        authorization: `Bearer ${issuer.accessToken()}, Bearer ${issuer.accessToken()}`,
      }),
    }),
  },
  {
    name: 'a token in the header and one in the URL',
    expected: 'malformed_request',
    elsewhere: NOT_ASKED('it does not check the URL'),
    make: ({ issuer }) => bearer(issuer.accessToken(), '/notes?access_token=x'),
  },
  {
    name: 'a token in the URL alone',
    expected: 'no_token',
    make: ({ issuer }) => ({ request: requestWith({}, `/notes?access_token=${issuer.accessToken()}`) }),
  },
  {
    name: 'the scheme in lower case',
    expected: 'valid',
    make: ({ issuer }) => ({ request: requestWith({ authorization: `bearer ${issuer.accessToken()}` }) }),
  },
]

const bindings: readonly Case[] = [
  proofs('a bound token with its proof', 'valid', () => []),
  proofs('a proof whose htu has a query', 'valid', () => [{ htu: `${API}/notes?page=2` }]),
  proofs('a proof whose htu spells the host in capitals', 'valid', () => [
    { htu: 'HTTPS://API.EXAMPLE.COM:443/notes' },
  ]),
  proofs('a proof for another path', 'proof_invalid', () => [{ htu: `${API}/other` }]),
  proofs('a proof for another host', 'proof_invalid', () => [{ htu: 'https://other.example.com/notes' }]),
  proofs('a proof for another method', 'proof_invalid', () => [{ htm: 'POST' }]),
  proofs('a proof for another token', 'proof_invalid', () => [{ ath: sha256('another') }]),
  proofs('a proof without ath', 'proof_invalid', () => [{ ath: undefined }]),
  proofs(
    'a proof from two minutes ago',
    'proof_invalid',
    ({ issuer }) => [{ iat: issuer.now() - 120 }],
    NOT_ASKED('it accepts five minutes'),
  ),
  proofs('a proof from ten minutes ago', 'proof_invalid', ({ issuer }) => [{ iat: issuer.now() - 600 }]),
  proofs('a proof from the future', 'proof_invalid', ({ issuer }) => [{ iat: issuer.now() + 600 }]),
  proofs('a proof whose iat is a string', 'proof_invalid', ({ issuer }) => [{ iat: String(issuer.now()) }]),
  proofs('a proof without jti', 'proof_invalid', () => [{ jti: undefined }]),
  proofs(
    'a proof with an empty jti',
    'proof_invalid',
    () => [{ jti: '' }],
    NOT_ASKED('it only checks the type'),
  ),
  proofs('a proof of type JWT', 'proof_invalid', () => [{}, { typ: 'JWT' }]),
  proofs('a proof with alg none', 'proof_invalid', () => [{}, { alg: 'none' }]),
  proofs('a proof whose key is private', 'proof_invalid', () => [
    {},
    { jwk: { ...keys.proof.jwk, d: 'AAAA' } },
  ]),
  proofs('a proof that contains the right key and is signed with another', 'wrong_binding', () => [
    {},
    { jwk: keys.other.jwk },
  ]),
  {
    name: 'a proof with another key',
    expected: 'wrong_binding',
    make: kit => dpop(kit.bound, proof(kit.bound, keys.other, kit.issuer.now())),
  },
  {
    name: 'a proof signed with another key than it contains',
    expected: 'proof_invalid',
    make: kit => dpop(kit.bound, proof(kit.bound, { ...keys.other, jwk: keys.proof.jwk }, kit.issuer.now())),
  },
  {
    name: 'a bound token without a proof',
    expected: 'proof_missing',
    make: kit => ({ request: requestWith({ authorization: `DPoP ${kit.bound}` }) }),
  },
  { name: 'a bound token as Bearer', expected: 'proof_missing', make: kit => bearer(kit.bound) },
  {
    name: 'a bound token as Bearer with its proof',
    expected: 'proof_missing',
    make: kit => ({
      request: requestWith({
        authorization: `Bearer ${kit.bound}`,
        dpop: proof(kit.bound, keys.proof, kit.issuer.now()),
      }),
    }),
  },
  {
    name: 'two proofs',
    expected: 'proof_invalid',
    make: kit => {
      const [one, two] = [0, 1].map(() => proof(kit.bound, keys.proof, kit.issuer.now()))
      return dpop(kit.bound, `${one}, ${two}`)
    },
  },
  {
    name: 'an unbound token with the scheme DPoP',
    expected: 'wrong_binding',
    make: ({ issuer }) => {
      const token = issuer.accessToken()
      return dpop(token, proof(token, keys.proof, issuer.now()))
    },
  },
  {
    name: 'an unbound token as Bearer with a proof',
    expected: 'valid',
    elsewhere: { verdict: 'refused', why: 'it treats the proof as a request for DPoP' },
    make: ({ issuer }) => {
      const token = issuer.accessToken()
      return {
        request: requestWith({
          authorization: `Bearer ${token}`,
          dpop: proof(token, keys.proof, issuer.now()),
        }),
      }
    },
  },
  {
    name: 'bound to the certificate of the connection',
    expected: 'valid',
    elsewhere: { verdict: 'refused', why: 'it supports only jkt in cnf' },
    make: ({ issuer }) => ({
      ...bearer(issuer.accessToken({ cnf: { 'x5t#S256': sha256(Buffer.from(CERTIFICATE)) } })),
      requirements: { certificate: CERTIFICATE },
    }),
  },
  claims('bound to a certificate, and the connection has none', 'wrong_binding', () => ({
    cnf: { 'x5t#S256': sha256(Buffer.from(CERTIFICATE)) },
  })),
  {
    name: 'bound to another certificate',
    expected: 'wrong_binding',
    make: ({ issuer }) => ({
      ...bearer(issuer.accessToken({ cnf: { 'x5t#S256': sha256('another') } })),
      requirements: { certificate: CERTIFICATE },
    }),
  },
  claims('bound in an unknown way', 'wrong_binding', () => ({ cnf: { kid: 'x' } })),
  claims('a binding that is a string', 'bad_claims', () => ({ cnf: 'x' })),
]

const demands: readonly Case[] = [
  {
    name: 'a scope that was granted',
    expected: 'valid',
    make: ({ issuer }) => ({ ...bearer(issuer.accessToken()), requirements: { scope: 'notes:read' } }),
  },
  {
    name: 'a scope that was not granted',
    expected: 'insufficient_scope',
    elsewhere: NOT_ASKED('scopes are left to the API'),
    make: ({ issuer }) => ({
      ...bearer(issuer.accessToken()),
      requirements: { scope: 'notes:read notes:admin' },
    }),
  },
  {
    name: 'a scope that a granted one begins with',
    expected: 'insufficient_scope',
    elsewhere: NOT_ASKED('scopes are left to the API'),
    make: ({ issuer }) => ({ ...bearer(issuer.accessToken()), requirements: { scope: 'notes' } }),
  },
  {
    name: 'the required authentication',
    expected: 'valid',
    make: ({ issuer }) => ({
      ...bearer(issuer.accessToken({ acr: 'mfa', auth_time: issuer.now() - 30 })),
      requirements: { acrValues: ['phr', 'mfa'], maxAgeSeconds: 60 },
    }),
  },
  {
    name: 'another authentication',
    expected: 'insufficient_user_authentication',
    elsewhere: NOT_ASKED('step-up is left to the API'),
    make: ({ issuer }) => ({
      ...bearer(issuer.accessToken({ acr: 'pwd' })),
      requirements: { acrValues: ['mfa'] },
    }),
  },
  {
    name: 'an authentication that is too old',
    expected: 'insufficient_user_authentication',
    elsewhere: NOT_ASKED('step-up is left to the API'),
    make: ({ issuer }) => ({
      ...bearer(issuer.accessToken({ auth_time: issuer.now() - 600 })),
      requirements: { maxAgeSeconds: 60 },
    }),
  },
  {
    name: 'an authentication of unknown age, and the route limits it',
    expected: 'insufficient_user_authentication',
    elsewhere: NOT_ASKED('step-up is left to the API'),
    make: ({ issuer }) => ({ ...bearer(issuer.accessToken()), requirements: { maxAgeSeconds: 60 } }),
  },
]

export const groups = { tokens, requests, bindings, demands }

const HEADINGS = {
  tokens: 'an access token (RFC 9068)',
  requests: 'a request (RFC 6750)',
  bindings: 'a binding (RFC 9449, RFC 8705)',
  demands: 'the requirements of a route (RFC 6750, RFC 9470)',
} as const

/** Checks that RFC 9068 requires and mod_oauth2 does not make. */
const NO_PROFILE = NOT_ASKED('it does not check what RFC 9068 requires')
const DPOP_ONLY = { verdict: 'refused', why: 'the configuration accepts only tokens with a proof' } as const
const ANY_TYPE = NOT_ASKED('it does not check typ')
const AS_TEXT = { verdict: 'refused', why: 'it compares htu as a string' } as const
const NO_ATH = NOT_ASKED('it does not compare ath')
const NO_JTI = NOT_ASKED('it does not require a jti')
const OF_CONFIGURATION = NOT_ASKED('the configuration must request it')

/** The verdicts of Apache's `mod_oauth2` 3.3.1 that differ, by the name of the case. */
export const apache: Readonly<Record<string, NonNullable<Case['elsewhere']>>> = {
  'a list of audiences that includes ours': {
    verdict: 'refused',
    why: 'the configuration compares one string',
  },
  'a signature by EdDSA': { verdict: 'refused', why: 'it has no EdDSA' },
  'an expiry two seconds ago, within the tolerance': { verdict: 'refused', why: 'it has no tolerance' },
  'nbf in an hour': NOT_ASKED('it does not check nbf'),
  'no iat': NO_PROFILE,
  'an empty sub': NO_PROFILE,
  'no client_id': NO_PROFILE,
  'no jti': NO_PROFILE,
  'a jti that is a number': NO_PROFILE,
  'typ JWT': ANY_TYPE,
  'no typ': ANY_TYPE,
  'typ dpop+jwt': ANY_TYPE,
  'a critical extension': NOT_ASKED('it does not check crit'),
  'b64=false': NOT_ASKED('it does not check b64'),
  'an RSA key of 1024 bits': NOT_ASKED('it accepts keys of any length'),
  'a signature in a non-canonical encoding': NOT_ASKED('its decoder ignores unused bits'),
  'a repeated claim': NOT_ASKED('its parser uses one of them'),
  'base64 with padding': NOT_ASKED('its decoder accepts padding'),
  'a token in the header and one in the URL': NOT_ASKED('it does not check the URL'),
  'a proof whose htu has a query': AS_TEXT,
  'a proof whose htu spells the host in capitals': AS_TEXT,
  'a proof for another token': NO_ATH,
  'a proof without ath': NO_ATH,
  'a proof without jti': NO_JTI,
  'a proof with an empty jti': NO_JTI,
  'an unbound token as Bearer with a proof': DPOP_ONLY,
  'bound to the certificate of the connection': DPOP_ONLY,
  'a scope that was not granted': OF_CONFIGURATION,
  'a scope that a granted one begins with': OF_CONFIGURATION,
  'another authentication': OF_CONFIGURATION,
  'an authentication that is too old': OF_CONFIGURATION,
  'an authentication of unknown age, and the route limits it': OF_CONFIGURATION,
}

const differing = (other: Case['elsewhere']) => (other ? `${other.verdict}: ${other.why}` : 'the same')

/** The table of docs/resource-server.md: every case, and where the verdicts of other implementations differ. */
export const verdictTable = (): string =>
  Object.entries(groups)
    .flatMap(([group, cases]) => [
      `| **${HEADINGS[group as keyof typeof groups]}** | | | |`,
      ...cases.map(({ name, expected, elsewhere }) => {
        const verdict = expected === 'valid' ? 'valid' : `\`${expected}\``
        return `| ${name} | ${verdict} | ${differing(elsewhere)} | ${differing(apache[name])} |`
      }),
    ])
    .join('\n')
