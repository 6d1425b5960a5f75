import type { Fetch } from '../extending.ts'
import type { ClientOptions, UserAgent } from '../index.ts'
import {
  type AuthorizationServer,
  type AuthorizationServerOptions,
  createAuthorizationServer,
  type Endpoint,
} from './authorization-server.ts'
import { deviceClock } from './clock.ts'
import { createDpopProofs } from './dpop-proofs.ts'
import type { Fault } from './faults.ts'
import type { AccessTokenInfo, User } from './token-families.ts'

/** Answers a request with a valid access token to the API. */
export type ApiHandler = (
  request: Request,
  accessToken: AccessTokenInfo,
) => Response | undefined | Promise<Response | undefined>

/** Options of `createTestServer()`. All are optional. */
export interface TestServerOptions extends AuthorizationServerOptions {
  /** The origin of the API. Default `https://api.example.com`. */
  api?: string
  /**
   * Answers requests with a valid access token to the API. Default, and also if it returns `undefined`: JSON with `subject`,
   * `scope`, `method`, `path` and `body`.
   */
  respond?: ApiHandler
  /** Answers requests to other origins. Default: throws an error that names the request. */
  elsewhere?: Fetch
}

/** One request to the API. */
export interface ApiRequestEntry {
  readonly method: string
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
  /** The status of the response; 0 while there is none. */
  status: number
}

/** The faults of the next requests to each endpoint and to the API, in order. */
export type Faults = Readonly<Record<Endpoint | 'api', Fault[]>>

/** An authorization server and an API as one function with the signature of `fetch`. */
export interface TestServer extends Omit<AuthorizationServer, 'work'> {
  /** Answers every request. Pass it to a client as `fetch`. */
  readonly fetch: Fetch
  /**
   * Answers one request. A response of the type `error` means that the connection breaks.
   * @returns `undefined` for a request to any other address than this server's endpoints and its API.
   */
  handle(request: Request): Promise<Response | undefined>
  /** The origin of the API. */
  readonly api: string
  /** The faults of the next requests to each endpoint and to the API, in order: `server.faults.token.push(lostAnswer)`. */
  readonly faults: Faults
  /** Every request to the authorization server, such as `POST /token`. */
  readonly requests: string[]
  /** Every request to the API. */
  readonly apiRequests: ApiRequestEntry[]
  /**
   * A user agent whose user signs in and agrees immediately.
   * @param user the subject, or the claims of the ID Token, or a function that returns them. Default: `user` of the server.
   */
  userAgent(user?: User | (() => User)): UserAgent
  /**
   * Options for a client of this server and API: `createClient({ ...server.options(), store: memory() })`.
   * @param user as for `userAgent()`.
   */
  options(user?: User | (() => User)): ClientOptions
}

const PATHS: Readonly<Record<string, Endpoint>> = {
  '/.well-known/openid-configuration': 'metadata',
  '/jwks': 'keys',
  '/authorize': 'authorization',
  '/par': 'par',
  '/device': 'device',
  '/token': 'token',
  '/revoke': 'revocation',
  '/introspect': 'introspection',
  '/userinfo': 'userinfo',
  '/end-session': 'end-session',
}

const PLACES = [...new Set(Object.values(PATHS)), 'api'] as (Endpoint | 'api')[]

const seeOther = (location: string) => new Response(null, { status: 302, headers: { location } })
const challenge = (status: number, text: string, headers: Record<string, string> = {}) =>
  Response.json({ problem: text }, { status, headers: { 'www-authenticate': text, ...headers } })

/** RFC 8414 section 3 inserts its well-known path before the issuer's path. */
function endpointOf(issuer: string, url: URL): Endpoint | undefined {
  const { origin, pathname } = new URL(issuer)
  const base = pathname.replace(/\/$/, '')
  if (url.origin !== origin) return undefined
  if (url.pathname === `/.well-known/oauth-authorization-server${base}`) return 'metadata'
  return url.pathname.startsWith(base) ? PATHS[url.pathname.slice(base.length)] : undefined
}

/** Answers a browser at the authorization endpoint or the end-session endpoint. */
function browse(server: AuthorizationServer, request: Request, place: Endpoint): Response {
  const query = new URL(request.url).searchParams
  if (place === 'end-session') {
    const target = query.get('post_logout_redirect_uri')
    const state = query.get('state')
    if (target === null) return new Response('You are signed out.')
    const url = new URL(target)
    if (state !== null) url.searchParams.set('state', state)
    return seeOther(url.href)
  }
  const error = query.get('prompt') === 'none' ? 'login_required' : 'access_denied'
  return seeOther(server.user ? server.approve(request.url) : server.refuse(request.url, error))
}

/** Answers requests to the endpoints of the authorization server. */
function createEndpoints(server: AuthorizationServer, judge: ReturnType<typeof createTokenCheck>) {
  const { families, devices, tokens, pushed, revoke } = server.work
  const isIntrospector = ({ headers }: Request) => {
    const { clientId, clientSecret } = server.introspectionCredentials
    return headers.get('authorization') === `Basic ${btoa(`${clientId}:${clientSecret}`)}`
  }
  const introspect = (request: Request, form: URLSearchParams) => {
    if (!isIntrospector(request)) return challenge(401, 'Basic realm="introspection"')
    const found = families.introspect(form.get('token') ?? '')
    if (!found) return Response.json({ active: false })
    const { subject: sub, scope, resource: aud, jkt } = found
    const bound = jkt ? { token_type: 'DPoP', cnf: { jkt } } : { token_type: 'Bearer' }
    return Response.json({ active: true, sub, scope, aud, client_id: server.clientId, ...bound })
  }
  const userInfo = async (request: Request) => {
    const found = await judge(request)
    if (found instanceof Response) return found
    return Response.json(families.userOf(found.accessToken) ?? {})
  }
  return (place: Endpoint, request: Request, form: URLSearchParams): Response | Promise<Response> => {
    switch (place) {
      case 'metadata':
        return Response.json(server.metadata)
      case 'keys':
        return server.key.jwks().then(keys => Response.json(keys))
      case 'authorization':
      case 'end-session':
        return browse(server, request, place)
      case 'par':
        return pushed(request, form)
      case 'device':
        return devices.begin(form)
      case 'token':
        return tokens.answer(request, form)
      case 'revocation':
        return revoke(request, form)
      case 'introspection':
        return introspect(request, form)
      case 'userinfo':
        return userInfo(request)
    }
  }
}

/** Checks the access token of a request (RFC 6750, RFC 9449 section 7). */
function createTokenCheck(server: AuthorizationServer) {
  const proofs = createDpopProofs(server.work.ahead)
  return async (request: Request): Promise<(AccessTokenInfo & { accessToken: string }) | Response> => {
    const [, scheme = '', accessToken = ''] =
      /^(Bearer|DPoP) (.+)$/i.exec(request.headers.get('authorization') ?? '') ?? []
    if (!accessToken) return challenge(401, 'Bearer realm="api"')
    const found = server.introspect(accessToken)
    const invalid = `${found?.jkt ? 'DPoP' : 'Bearer'} error="invalid_token", error_description="over"`
    if (!found) return challenge(401, invalid)
    if (found.jkt === undefined) return { ...found, accessToken }
    if (!/^dpop$/i.test(scheme)) return challenge(401, `${invalid}, algs="ES256"`)
    const { jkt, problem } = await proofs.judge(request, accessToken, server.dpopNonce)
    const nonce = server.dpopNonce ? { 'dpop-nonce': server.dpopNonce } : undefined
    if (problem === 'nonce') return challenge(401, 'DPoP error="use_dpop_nonce", algs="ES256"', nonce)
    if (jkt !== found.jkt) return challenge(401, `${invalid}, algs="ES256"`)
    return { ...found, accessToken }
  }
}

/** The API: records each request, checks its access token and answers. */
function createApi(server: AuthorizationServer, respond: ApiHandler = () => undefined) {
  const apiRequests: ApiRequestEntry[] = []
  const judge = createTokenCheck(server)
  return {
    apiRequests,
    judge,
    async note(request: Request): Promise<ApiRequestEntry> {
      const headers = Object.fromEntries(request.headers)
      const body = await request.clone().text()
      const entry = { method: request.method, url: request.url, headers, body, status: 0 }
      apiRequests.push(entry)
      return entry
    },
    async answer(request: Request, { method, body }: ApiRequestEntry): Promise<Response> {
      const found = await judge(request)
      if (found instanceof Response) return found
      const { accessToken: _, ...facts } = found
      const own = await respond(request, facts)
      const { subject, scope } = facts
      return own ?? Response.json({ subject, scope, method, path: new URL(request.url).pathname, body })
    },
  }
}

/** Allows a page of another origin to send any request and to read the response (CORS). @param sent the page's headers. */
export function allowOrigin(sent: Headers, response: Response): Response {
  const origin = sent.get('origin')
  if (origin === null || response.type === 'error') return response
  const headers = new Headers(response.headers)
  headers.set('access-control-allow-origin', origin)
  headers.set('access-control-expose-headers', 'DPoP-Nonce, WWW-Authenticate, Date')
  const asked = sent.get('access-control-request-headers')
  if (asked !== null) headers.set('access-control-allow-headers', asked)
  headers.set('access-control-allow-methods', 'GET, HEAD, POST, PUT, PATCH, DELETE')
  const { status, statusText } = response
  return new Response(response.body, { status, statusText, headers })
}

/** Behaves like `fetch`: rejects if the connection breaks or the caller aborts. */
const asFetch =
  (handle: TestServer['handle'], elsewhere: Fetch): Fetch =>
  async (input, init) => {
    const request = new Request(input, init)
    const { signal } = request
    signal.throwIfAborted()
    const aborted = new Promise<never>((_, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason), { once: true })
    })
    const answer = await Promise.race([handle(request), aborted])
    const response = answer ?? (await elsewhere(request))
    if (response.type === 'error') throw new TypeError('Failed to fetch')
    return response
  }

const nobody: Fetch = async input => {
  const request = new Request(input)
  throw new TypeError(
    `The test server does not answer ${request.method} ${request.url}. Pass "elsewhere" to answer it yourself.`,
  )
}

/**
 * Creates an authorization server and an API that validates its tokens, as one function with the signature of `fetch`. It
 * checks PKCE, rotates refresh tokens and ends a session whose refresh token is reused. It supports pushed requests
 * (RFC 9126), DPoP (RFC 9449), the device grant (RFC 8628), revocation (RFC 7009), introspection (RFC 7662) and UserInfo. A
 * test makes requests fail with `faults`.
 * @param options all are optional.
 */
export function createTestServer(options: TestServerOptions = {}): TestServer {
  const { api = 'https://api.example.com', respond, elsewhere = nobody, clock = deviceClock } = options
  const server = createAuthorizationServer({ ...options, clock })
  const { issuer, clientId, redirectUri } = server
  const faults = Object.fromEntries(PLACES.map(place => [place, []])) as unknown as Faults
  const requests: string[] = []
  const { judge, note, answer, apiRequests } = createApi(server, respond)
  const endpoint = createEndpoints(server, judge)

  /** Handles a request, unless a fault replaces the work. */
  const work = async (place: Endpoint | 'api', real: () => Response | Promise<Response>) => {
    const fault = faults[place].shift()
    if (fault && !fault.afterWork) return fault.answer(undefined, clock)
    const response = await real()
    return fault ? fault.answer(response, clock) : response
  }
  const answerApi = async (request: Request) => {
    const entry = await note(request)
    const response = await work('api', () => answer(request, entry))
    entry.status = response.status
    return response
  }
  const answerEndpoint = async (place: Endpoint, request: Request) => {
    requests.push(`${request.method} ${new URL(request.url).pathname}`)
    const form = new URLSearchParams(request.method === 'POST' ? await request.clone().text() : '')
    if (place === 'revocation') {
      server.revocations.push({ token: form.get('token') ?? '', hint: form.get('token_type_hint') })
    }
    const entry = place === 'token' ? server.work.tokens.note(request, form) : undefined
    return work(place, async () => {
      const real = await endpoint(place, request, form)
      if (entry) entry.outcome = ((await real.clone().json()) as { error?: string }).error ?? 'ok'
      return real
    })
  }
  const handle: TestServer['handle'] = async request => {
    const url = new URL(request.url)
    const place = endpointOf(issuer, url)
    if (!place && url.origin !== api) return undefined
    const isPreflight = request.method === 'OPTIONS' && request.headers.has('access-control-request-method')
    if (isPreflight) return allowOrigin(request.headers, new Response(null, { status: 204 }))
    return allowOrigin(request.headers, await (place ? answerEndpoint(place, request) : answerApi(request)))
  }

  const userAgent: TestServer['userAgent'] = user => ({
    name: 'test',
    begin: sent => ({
      redirectUri: sent,
      authorize: async url => server.approve(url, typeof user === 'function' ? user() : user),
      close() {},
    }),
  })
  const fetch = asFetch(handle, elsewhere)
  return Object.assign(server, {
    ...{ api, handle, fetch, faults, requests, apiRequests, userAgent },
    options: (user?: User | (() => User)): ClientOptions => ({
      ...{ issuer, clientId, redirectUri, fetch, clock },
      scope: 'openid profile offline_access',
      allowedOrigins: [api],
      userAgent: userAgent(user),
    }),
  })
}
