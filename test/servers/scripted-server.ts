import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { signingKey } from '../support/signing-key.ts'

/** A response of a server. */
export interface Answer {
  readonly status?: number
  readonly headers?: Readonly<Record<string, string>>
  /** A string, or a value that is sent as JSON. */
  readonly body?: unknown
}

/** How one server deviates from the specifications. Everything else follows them. */
export interface Deviation {
  /** Replaces the server's response for a path; `undefined` keeps it. */
  answer?(path: string, issuer: string, request: IncomingMessage): Answer | undefined
  /** The address that the browser is sent to with the authorization response. @param asked the authorization request. */
  callback?(callback: URL, asked: URLSearchParams): URL
  /** Members of the token response. */
  members?(members: Record<string, unknown>): Record<string, unknown>
  /** Claims of the ID Token. */
  claims?(claims: Record<string, unknown>): Record<string, unknown>
  /** The ID Token that is sent. */
  idToken?(jwt: string): string
  /** Whether token responses are form-encoded. */
  readonly isForm?: boolean
  /** Paths whose responses a page of another origin must not read. */
  readonly withoutCors?: RegExp
}

const listen = async (server: Server): Promise<string> => {
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

const formOf = async (request: IncomingMessage): Promise<URLSearchParams> => {
  let text = ''
  for await (const chunk of request) text += chunk
  return new URLSearchParams(text)
}

const reply = (response: ServerResponse, { status = 200, headers = {}, body }: Answer) => {
  const isText = typeof body === 'string' || body === undefined
  const type = isText ? 'text/html' : 'application/json'
  response.writeHead(status, { 'content-type': type, 'cache-control': 'no-store', ...headers })
  response.end(isText ? body : JSON.stringify(body))
}

const key = signingKey()

/**
 * An authorization server on this machine whose user agrees immediately, and an API that accepts its access tokens. Each
 * test decides the deviations.
 */
export async function startScriptedServer() {
  let deviation: Deviation = {}
  let requests: string[] = []
  /** The authorization requests, by their codes. */
  const begun = new Map<string, URLSearchParams>()
  let count = 0

  const own = async (url: URL, request: IncomingMessage): Promise<Answer> => {
    switch (url.pathname) {
      case '/.well-known/openid-configuration':
        return { body: metadata }
      case '/jwks':
        return { body: await key.jwks() }
      case '/authorize': {
        const { searchParams: asked } = url
        const code = `code-${++count}`
        begun.set(code, asked)
        const callback = new URL(asked.get('redirect_uri') as string)
        callback.searchParams.set('code', code)
        callback.searchParams.set('state', asked.get('state') as string)
        const location = (deviation.callback?.(callback, asked) ?? callback).href
        return { status: 302, headers: { location } }
      }
      case '/token': {
        const form = await formOf(request)
        const code = form.get('code') ?? form.get('refresh_token')?.replace('refresh-', '') ?? ''
        const asked = begun.get(code)
        const isOpenId = asked?.get('scope')?.split(' ').includes('openid')
        const nonce = form.has('code') ? asked?.get('nonce') : undefined
        const now = Math.floor(Date.now() / 1000)
        const whole = { iss: issuer, sub: 'alice', aud: CLIENT_ID, iat: now, exp: now + 300, nonce }
        const jwt = await key.sign(deviation.claims?.(whole) ?? whole)
        const id_token = deviation.idToken?.(jwt) ?? jwt
        const members = {
          ...{ access_token: 'access', token_type: 'Bearer', expires_in: 300 },
          ...{ refresh_token: `refresh-${code}`, ...(isOpenId && { id_token }) },
        }
        const body = deviation.members?.(members) ?? members
        if (!deviation.isForm) return { body }
        const pairs = Object.entries(body).map(([name, value]) => [name, String(value)])
        return { body: `${new URLSearchParams(pairs)}`, headers: { 'content-type': FORM } }
      }
      case '/me': // of the API
        return request.headers.authorization?.startsWith('Bearer access')
          ? { body: { who: 'alice' } }
          : { status: 401, body: 'who?' }
      default:
        return { status: 404, body: 'not here' }
    }
  }

  const server = createServer(async (request, response) => {
    const url = new URL(request.url as string, 'http://server.invalid')
    requests.push(`${request.method} ${url.pathname}`)
    if (!deviation.withoutCors?.test(url.pathname)) {
      response.setHeader('access-control-allow-origin', '*')
      response.setHeader('access-control-allow-headers', 'authorization, content-type')
    }
    if (request.method === 'OPTIONS') return reply(response, { status: 204 })
    reply(response, deviation.answer?.(url.pathname, issuer, request) ?? (await own(url, request)))
  })
  const issuer = await listen(server)
  const metadata = {
    issuer,
    authorization_endpoint: `${issuer}/authorize`,
    token_endpoint: `${issuer}/token`,
    jwks_uri: `${issuer}/jwks`,
    code_challenge_methods_supported: ['S256'],
  }

  return {
    issuer,
    metadata,
    /** The number of these requests since the last `play`. */
    count: (request: string) => requests.filter(one => one === request).length,
    play(next: Deviation) {
      deviation = next
      requests = []
    },
    close: () =>
      new Promise(resolve => {
        server.close(resolve)
        server.closeAllConnections()
      }),
  }
}

export type ScriptedServer = Awaited<ReturnType<typeof startScriptedServer>>

export const CLIENT_ID = 'app'
const OPENID = '/.well-known/openid-configuration'
const OAUTH = '/.well-known/oauth-authorization-server'
const FORM = 'application/x-www-form-urlencoded'
const page: Answer = { status: 403, body: '<!doctype html><h1>Request blocked</h1>' }

/** Serves the metadata document only at this address. */
export const metadataAt =
  (place: string, elsewhere: Answer): Deviation['answer'] =>
  (path, issuer) => {
    if (path === place) return { body: metadataOf(issuer) }
    return path.startsWith('/.well-known/') ? elsewhere : undefined
  }
const metadataOf = (issuer: string) => ({
  issuer,
  authorization_endpoint: `${issuer}/authorize`,
  token_endpoint: `${issuer}/token`,
  jwks_uri: `${issuer}/jwks`,
})
const at =
  (place: string, answer: Answer): Deviation['answer'] =>
  path =>
    path === place ? answer : undefined

/** The result of a sign-in at a server with these deviations: the API's response, or the first line of the console. */
export interface Expectation {
  readonly name: string
  readonly deviation: Deviation
  /** What the app finally shows. */
  readonly shows: RegExp | string
  /** Options that follow the message's advice and make the app work. */
  readonly followed?: (server: ScriptedServer) => object
  /** What the server does after its operator, or time, has followed the message's advice: the app works unchanged. */
  readonly mended?: Deviation
}

export const ME = '{"who":"alice"}'

/** OpenAuth 0.4.3 (`@openauthjs/openauth`): RFC 8414 only, no ID Token, and nothing but three members for the code. */
const openAuth: Deviation = {
  answer: metadataAt(OAUTH, {
    status: 404,
    body: '404 Not Found',
    headers: { 'content-type': 'text/plain' },
  }),
  members: ({ access_token, refresh_token }) => ({ access_token, expires_in: 300, refresh_token }),
}

/**
 * Amazon Cognito's sign-out: `logout_uri` in place of the parameters of OpenID Connect. Some user pools do not name it in
 * their metadata.
 */
export const cognitoSignOut: Deviation = {
  answer(path, _issuer, { url = '' }) {
    if (path !== '/logout') return undefined
    const { searchParams: asked } = new URL(url, 'http://server.invalid')
    const location = asked.get('logout_uri')
    return location && asked.get('client_id') === CLIENT_ID
      ? { status: 302, headers: { location } }
      : { status: 400, body: 'Required String parameter is not present' }
  },
}

/** The options for such a server. @param to where it sends the user. */
export const cognitoOptions = (issuer: string, to: string) => ({
  server: { end_session_endpoint: `${issuer}/logout` },
  logoutParameters: { logout_uri: to },
})

/** Servers that any app may meet, in Node and in a browser. */
export const servers: readonly Expectation[] = [
  { name: 'a server that follows the specifications', deviation: {}, shows: ME },
  {
    name: 'metadata that redirects to the same address with a slash',
    deviation: {
      answer: (path, issuer) =>
        path === OPENID
          ? { status: 301, headers: { location: `${OPENID}/` } }
          : path === `${OPENID}/`
            ? { body: metadataOf(issuer) }
            : undefined,
    },
    shows: ME,
  },
  {
    name: 'RFC 8414 metadata only',
    deviation: { answer: metadataAt(OAUTH, { status: 404 }) },
    shows: ME,
  },
  {
    name: 'RFC 8414 metadata, behind a firewall',
    deviation: { answer: metadataAt(OAUTH, page) },
    shows: ME,
  },
  {
    name: 'RFC 8414 metadata, an app elsewhere',
    deviation: { answer: metadataAt(OAUTH, { body: '<!doctype html><h1>Welcome</h1>' }) },
    shows: ME,
  },
  {
    name: 'OpenAuth',
    deviation: openAuth,
    shows: /has no token_type\. To accept this, add "missing_token_type" to "quirks"/,
    followed: () => ({ scope: '', quirks: ['missing_token_type'] }),
  },
  {
    name: 'OpenAuth, with its quirk and the scope of OpenID Connect',
    deviation: {
      ...openAuth,
      members: members => ({ ...openAuth.members?.(members), token_type: 'Bearer' }),
    },
    shows: /has no ID Token.* set a "scope" without "openid"/,
    followed: () => ({ scope: '' }),
  },
  {
    name: 'no metadata',
    deviation: { answer: metadataAt('/nowhere', { status: 404 }) },
    shows: /No metadata of the issuer \S+ was found.*status 404.* or set "server"/,
    followed: ({ metadata }) => ({ issuer: undefined, server: metadata }),
  },
  {
    name: 'a slash after the path of the callback',
    deviation: {
      callback(callback) {
        callback.pathname += '/'
        return callback
      },
    },
    shows: ME,
  },
  {
    name: 'an error without state',
    deviation: {
      callback: (callback, asked) =>
        asked.get('scope')?.includes('offline_access')
          ? new URL(`${callback.origin}${callback.pathname}?error=invalid_scope`)
          : callback,
    },
    shows: /The sign-in was refused: invalid_scope\. Correct "scope"/,
    followed: () => ({ scope: 'openid' }),
  },
  {
    name: 'a refusal with a description',
    deviation: {
      callback(callback) {
        callback.searchParams.delete('code')
        callback.searchParams.set('error', 'unauthorized_client')
        callback.searchParams.set('error_description', 'AADSTS700016: no such app')
        return callback
      },
    },
    shows: /unauthorized_client \(AADSTS700016: no such app\)\. Enable the grant types/,
    mended: {},
  },
  {
    name: 'an empty 400 response to the code',
    deviation: { answer: at('/token', { status: 400 }) },
    shows: /The token request was refused: refused\. See the server's log\./,
    mended: {},
  },
  {
    name: 'a 403 response with HTML to the code',
    deviation: { answer: at('/token', page) },
    shows: /The token request was answered by something between .* \(status 403\)/,
    mended: {},
  },
  {
    name: 'an error that is an object',
    deviation: { answer: at('/token', { status: 400, body: { error: { message: 'no such client' } } }) },
    shows: /The token request was refused: refused \(no such client\)/,
    mended: {},
  },
  {
    name: 'a 200 response with an error',
    deviation: { answer: at('/token', { body: { error: 'invalid_grant' } }) },
    shows: /The token request was refused: invalid_grant\. The code or refresh token was already used/,
    mended: {},
  },
  // scripted from what these hosted systems document; none of them runs here
  {
    name: "a 200 with GitHub's error for a wrong secret",
    deviation: {
      answer: at('/token', {
        body: {
          error: 'incorrect_client_credentials',
          error_description: 'The client_id and/or client_secret passed are incorrect.',
          error_uri: 'https://docs.github.com/apps/managing-oauth-apps',
        },
      }),
    },
    shows: /refused: incorrect_client_credentials \(The client_id and\/or client_secret passed are incorrect/,
    mended: {},
  },
  {
    name: "GitHub's error for a wrong code, form-encoded unless the request asks for JSON",
    deviation: {
      answer(path, _issuer, { headers: { accept = '' } }) {
        if (path !== '/token') return undefined
        const error = {
          error: 'bad_verification_code',
          error_description: 'The code is incorrect or expired.',
        }
        return accept.includes('application/json')
          ? { body: error }
          : { body: `${new URLSearchParams(error)}`, headers: { 'content-type': FORM } }
      },
    },
    shows: /refused: bad_verification_code \(The code is incorrect or expired\.\)/,
    mended: {},
  },
  {
    name: 'a form-encoded token response',
    deviation: { isForm: true },
    shows: /is form-encoded instead of JSON\. To accept this, add "form_encoded" to "quirks"/,
    followed: () => ({ quirks: ['form_encoded'] }),
  },
  {
    name: 'a form-encoded error',
    deviation: {
      answer: at('/token', { status: 400, body: 'error=invalid_grant', headers: { 'content-type': FORM } }),
    },
    shows: /is form-encoded instead of JSON\. To accept this, add "form_encoded" to "quirks"/,
    mended: {},
  },
  {
    name: "GitHub's token response, with commas in its scope and without a lifetime and an ID Token",
    deviation: { members: () => ({ access_token: 'access', token_type: 'bearer', scope: 'read,user' }) },
    shows: /has no ID Token.* set a "scope" without "openid"/,
    followed: () => ({ scope: 'read' }),
  },
  {
    name: "Cognito's error without a description",
    deviation: { answer: at('/token', { status: 400, body: { error: 'invalid_grant' } }) },
    shows: /The token request was refused: invalid_grant\. The code or refresh token was already used/,
    mended: {},
  },
  {
    name: "Entra's error for another kind of registration",
    deviation: {
      answer: at('/token', {
        status: 400,
        body: {
          error: 'invalid_request',
          error_description: 'AADSTS9002326: Cross-origin token redemption is permitted only for SPAs.',
          ...{
            error_codes: [9002326],
            timestamp: '2026-11-28 09:00:00Z',
            trace_id: 'a',
            correlation_id: 'b',
          },
        },
      }),
    },
    shows: /The token request was refused: invalid_request \(AADSTS9002326: Cross-origin token redemption/,
    mended: {},
  },
  {
    name: "Entra's issuer for all tenants",
    deviation: {
      answer: (path, issuer) =>
        path === OPENID
          ? { body: { ...metadataOf(issuer), issuer: `${issuer}/{tenantid}/v2.0` } }
          : undefined,
      claims: claims => ({ ...claims, iss: `${claims.iss}/t/v2.0`, tid: 't' }),
    },
    shows: /has an issuer for each tenant.*issuer_template.* to .*quirks/,
    followed: () => ({ quirks: ['issuer_template'] }),
  },
  {
    name: "Entra's members and claims",
    deviation: {
      members: members => ({ ...members, ext_expires_in: 300 }),
      claims: claims => ({ ...claims, nbf: claims.iat, oid: 'o', tid: 't', ver: '2.0', uti: 'u' }),
    },
    shows: ME,
  },
  {
    name: 'no ID Token',
    deviation: { members: ({ id_token: _, ...rest }) => rest },
    shows: /has no ID Token.* set a "scope" without "openid"/,
    followed: () => ({ scope: 'read' }),
  },
  {
    name: 'an ID Token without nonce',
    deviation: { claims: ({ nonce: _, ...rest }) => rest },
    shows: /without the "nonce".*add "missing_nonce" to "quirks"/,
    followed: () => ({ quirks: ['missing_nonce'] }),
  },
  {
    name: 'an ID Token for several audiences',
    deviation: { claims: claims => ({ ...claims, aud: ['api', CLIENT_ID] }) },
    shows: /several audiences.*add "several_audiences" to "quirks"/,
    followed: () => ({ quirks: ['several_audiences'] }),
  },
  {
    name: 'a name that is not ASCII in the ID Token',
    deviation: { claims: claims => ({ ...claims, sub: 'älice' }) },
    shows: /whose "sub" is not ASCII.*add "any_subject" to "quirks"/,
    followed: () => ({ quirks: ['any_subject'] }),
  },
  {
    name: 'an ID Token signed with a shared secret (HS256)',
    deviation: {
      idToken: jwt => {
        const [, claims, signature] = jwt.split('.')
        return `${btoa('{"alg":"HS256"}').replaceAll('=', '')}.${claims}.${signature}`
      },
    },
    shows:
      /failed: the response is invalid .*\. It is signed with HS256: register this client for RS256 or ES256\./,
    mended: {},
  },
  {
    name: 'an access token of 12 KB',
    deviation: { members: members => ({ ...members, access_token: `access${'x'.repeat(12_000)}` }) },
    shows: ME,
  },
  {
    name: 'an access token of 20 KB',
    deviation: { members: members => ({ ...members, access_token: `access${'x'.repeat(20_000)}` }) },
    shows: /more than 8000 characters: many APIs and gateways refuse/,
    mended: {},
  },
]

/** A server that answers a refresh like this. The session began at one that follows the specifications. */
export interface Refresh {
  readonly name: string
  readonly answer: Answer
  /** What the app shows, or the first line of the console. */
  readonly shows: RegExp
  /** Whether the app signs in again afterwards. Otherwise the next refresh continues the session. */
  readonly ends?: true
}

/** Access tokens that live for a second. */
export const shortLived: Deviation = { members: members => ({ ...members, expires_in: 1 }) }

/** Resolves when every access token of `shortLived` has expired. */
export async function expiry(): Promise<void> {
  const until = Date.now() + 1000
  while (Date.now() <= until) await new Promise(resolve => setTimeout(resolve, until - Date.now() + 1))
}

export const refreshes: readonly Refresh[] = [
  {
    name: 'an empty 400 response',
    answer: { status: 400 },
    shows:
      /The token request was refused: refused\. See the server's log\. If this continues, call signIn\(\) to begin a new session\./,
  },
  {
    name: 'invalid_request',
    answer: { status: 400, body: { error: 'invalid_request' } },
    shows:
      /refused: invalid_request\. Compare .* If this continues, call signIn\(\) to begin a new session\./,
  },
  {
    name: "a 200 response with GitHub's error for a dead refresh token",
    answer: { body: { error: 'bad_refresh_token' } },
    shows: /There is no session to use \(expired\)\. Call signIn\(\)\./,
    ends: true,
  },
  {
    name: 'a 401 response with HTML',
    answer: { ...page, status: 401 },
    shows:
      /answered by something between .* \(status 401\)\. Try again later\. If this continues, call signIn\(\) to begin a new session\./,
  },
  {
    name: 'a 403 response with HTML',
    answer: page,
    shows:
      /answered by something between .* \(status 403\)\. Try again later\. If this continues, call signIn\(\) to begin a new session\./,
  },
]

/** How a server answers each of them. */
export const atRefresh = ({ answer }: Refresh): Deviation => ({ answer: at('/token', answer) })

/** The user chooses Cancel at the authorization server (RFC 6749 section 4.1.2.1). */
export const cancels: Deviation = {
  callback(callback) {
    callback.searchParams.delete('code')
    callback.searchParams.set('error', 'access_denied')
    return callback
  },
}
