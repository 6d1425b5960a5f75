/**
 * Run by plain-servers.ts. Signs alice in without a question, accepts every code and refresh token, signs ID Tokens. Its
 * issuer ends in a slash and its paths are Auth0's, because auth0-spa-js accepts no other.
 */
import { generateKeyPairSync, randomBytes, sign } from 'node:crypto'
import { createServer, type IncomingMessage } from 'node:http'
import { text } from 'node:stream/consumers'
import { listen } from '../../examples/demo/servers/listen.ts'

const LIFETIME_SECONDS = 3600

const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
const key = { ...publicKey.export({ format: 'jwk' }), kid: 'bench', alg: 'RS256', use: 'sig' }
/** By code. */
const nonces = new Map<string, string | undefined>()
let issuer = ''

const random = () => randomBytes(32).toString('base64url')
const encode = (part: object) => Buffer.from(JSON.stringify(part)).toString('base64url')

function idToken(clientId: string, nonce: string | undefined): string {
  const now = Math.floor(Date.now() / 1000)
  const claims = { iss: issuer, sub: 'alice', aud: clientId, iat: now, exp: now + LIFETIME_SECONDS, nonce }
  const signed = `${encode({ alg: 'RS256', kid: key.kid, typ: 'JWT' })}.${encode(claims)}`
  return `${signed}.${sign('sha256', Buffer.from(signed), privateKey).toString('base64url')}`
}

function tokens(form: URLSearchParams): object {
  const code = form.get('code') ?? ''
  const nonce = nonces.get(code)
  nonces.delete(code)
  return {
    access_token: random(),
    refresh_token: random(),
    id_token: idToken(form.get('client_id') ?? '', nonce),
    token_type: 'Bearer',
    expires_in: LIFETIME_SECONDS,
    scope: 'openid profile offline_access notes:read',
  }
}

function authorize(query: URLSearchParams): string {
  const code = random()
  nonces.set(code, query.get('nonce') ?? undefined)
  const url = new URL(query.get('redirect_uri') ?? '')
  url.searchParams.set('code', code)
  url.searchParams.set('state', query.get('state') ?? '')
  url.searchParams.set('iss', issuer)
  return url.href
}

const metadata = () => ({
  issuer,
  authorization_endpoint: `${issuer}authorize`,
  token_endpoint: `${issuer}oauth/token`,
  jwks_uri: `${issuer}jwks`,
  response_types_supported: ['code'],
  grant_types_supported: ['authorization_code', 'refresh_token'],
  subject_types_supported: ['public'],
  id_token_signing_alg_values_supported: ['RS256'],
  token_endpoint_auth_methods_supported: ['none'],
  code_challenge_methods_supported: ['S256'],
  authorization_response_iss_parameter_supported: true,
})

/** @returns a body, or where to go. */
async function answer(request: IncomingMessage): Promise<object | string | undefined> {
  const { pathname, searchParams } = new URL(request.url ?? '/', issuer)
  const body = await text(request)
  if (pathname === '/authorize') return authorize(searchParams)
  if (pathname === '/oauth/token') return tokens(new URLSearchParams(body))
  if (pathname === '/jwks') return { keys: [key] }
  return pathname === '/.well-known/openid-configuration' ? metadata() : undefined
}

const server = createServer(async (request, response) => {
  const headers = {
    'access-control-allow-origin': request.headers.origin ?? '*',
    'access-control-allow-headers': 'auth0-client, content-type',
    'access-control-max-age': '7200',
    'cache-control': 'no-store',
    'timing-allow-origin': '*',
  }
  const found = request.method === 'OPTIONS' ? {} : await answer(request).catch(() => undefined)
  if (typeof found === 'string') return response.writeHead(303, { ...headers, location: found }).end()
  return response
    .writeHead(found ? 200 : 404, { ...headers, 'content-type': 'application/json' })
    .end(JSON.stringify(found ?? { error: 'not_found' }))
})
server.keepAliveTimeout = 60_000

const { origin, close } = await listen(server, { name: 'plain provider' })
issuer = `${origin}/`
process.once('disconnect', close)
process.send?.(origin)
