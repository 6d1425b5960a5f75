import type { Clock } from '../extending.ts'
import { createDeviceRequests } from './device-requests.ts'
import { createDpopProofs } from './dpop-proofs.ts'
import { createPushedRequests } from './pushed-requests.ts'
import { type SigningKey, sha256, signingKey } from './signing-key.ts'
import {
  type AccessTokenInfo,
  createTokenFamilies,
  type Family,
  secret,
  type TokenSettings,
  type User,
} from './token-families.ts'

/** A place of the server that can fail on order. */
export type Endpoint =
  | 'metadata'
  | 'keys'
  | 'authorization'
  | 'par'
  | 'device'
  | 'token'
  | 'revocation'
  | 'introspection'
  | 'userinfo'
  | 'end-session'

/** Options of the authorization server. */
export interface AuthorizationServerOptions {
  /** The issuer: an https URL. Default `https://id.example.com`. */
  issuer?: string
  /** The one client of this server. Default `app`. */
  clientId?: string
  /**
   * The redirect URI of that client. On loopback any port is accepted (RFC 8252 section 7.3). Default
   * `https://app.example.com/callback`.
   */
  redirectUri?: string
  /** The source of time. Default: the device's clock. */
  clock?: Clock
  /** How many seconds an access token lasts, more than 0. Default 300. */
  accessTokenSeconds?: number
  /**
   * How many milliseconds the server still answers a rotated refresh token, with the tokens that it was rotated to: 0 or more.
   * Default 0: a refresh token works once.
   */
  graceMs?: number
  /** The key for ID Tokens. Default: a new one for RS256. Web Crypto needs up to a second for it: share one between tests. */
  key?: SigningKey
  /** Further grants of the token endpoint, by their `grant_type`. They come before the server's own. Default: none. */
  grants?: Readonly<Record<string, GrantHandler>>
  /** Whether a request comes from the client. Default: a public client, which sends its `client_id`. */
  isClient?: (form: URLSearchParams, headers: Headers) => boolean | Promise<boolean>
}

/** What a further grant works with. */
export interface GrantTools {
  readonly clientId: string
  readonly issuer: string
  readonly clock: Clock
  /** Issues an access token without a refresh token. @returns the members of the answer. */
  issue(subject: string, scope: string, resource?: string): Promise<Record<string, unknown>>
  introspect(accessToken: string): AccessTokenInfo | undefined
  /** An OAuth error as an answer. The status is 400 by default. */
  refuse(error: string, status?: number): Response
  /** Notes a secret, which must never be shown. @returns it. */
  keep(secret: string): string
}

/** Answers the token request of a further grant. */
export type GrantHandler = (form: URLSearchParams, tools: GrantTools) => Response | Promise<Response>

/** One request to the token endpoint. */
export interface TokenRequestEntry {
  readonly grantType: string
  /** The code, refresh token or device code in it. */
  readonly sent: string
  /** The API that it asks an access token for (RFC 8707), if it names one. */
  readonly resource: string | undefined
  readonly scope: string | undefined
  /** `ok`, the OAuth error, or `fault` if a fault came before the server's work. */
  outcome: string
}

export const DEVICE_CODE = 'urn:ietf:params:oauth:grant-type:device_code'

interface Code {
  readonly query: URLSearchParams
  readonly user: User
  family?: Family
}

const refuse = (error: string, code = 400, headers: Record<string, string> = {}) =>
  Response.json({ error, error_description: `refused: ${error}` }, { status: code, headers })

/** Repeats what it was sent, as some servers do: nobody may show it. */
const invalidClient = (form: URLSearchParams, headers: Headers) => {
  const sent = [form.get('client_secret'), form.get('client_assertion'), headers.get('authorization')]
  const body = { error: 'invalid_client', error_description: sent.filter(Boolean).join() }
  return Response.json(body, { status: 401, headers: { 'www-authenticate': 'Basic realm="as"' } })
}

/** Two redirect URIs that are the same for a server: on loopback the port does not count. */
const isSameRedirect = (sent: string, registered: string) => {
  const [one, other] = [sent, registered].map(text => (URL.canParse(text) ? new URL(text) : undefined))
  if (!one || !other || sent === registered) return sent === registered
  const isLoopback = /^(127\.0\.0\.1|\[::1\]|localhost)$/.test(other.hostname)
  return isLoopback && one.hostname === other.hostname && one.pathname === other.pathname
}

const metadataOf = (issuer: string): Record<string, unknown> => ({
  issuer,
  authorization_endpoint: `${issuer}/authorize`,
  token_endpoint: `${issuer}/token`,
  revocation_endpoint: `${issuer}/revoke`,
  introspection_endpoint: `${issuer}/introspect`,
  userinfo_endpoint: `${issuer}/userinfo`,
  end_session_endpoint: `${issuer}/end-session`,
  pushed_authorization_request_endpoint: `${issuer}/par`,
  device_authorization_endpoint: `${issuer}/device`,
  jwks_uri: `${issuer}/jwks`,
  response_types_supported: ['code'],
  grant_types_supported: ['authorization_code', 'refresh_token', 'client_credentials', DEVICE_CODE],
  code_challenge_methods_supported: ['S256'],
  dpop_signing_alg_values_supported: ['ES256'],
  authorization_response_iss_parameter_supported: true,
})

/** What a test looks at and changes while the server runs. */
const createState = (key: SigningKey, accessTokenSeconds: number) => ({
  idTokenClaims: {} as Record<string, unknown>,
  claimsFor: (async () => ({})) as TokenSettings['claimsFor'],
  key,
  moreMembers: {} as Record<string, unknown>,
  accessTokenSeconds,
  reuses: 0,
  /** How often a code came back that had been redeemed already. */
  codeReuses: 0,
  /** Who sits at the browser that comes to the authorization endpoint. `undefined`: nobody, and the answer is an error. */
  user: 'alice' as User | undefined,
  /** The nonce that DPoP proofs must have (RFC 9449 section 8). Default: none. */
  dpopNonce: undefined as string | undefined,
  /** How many milliseconds the server's clock is ahead of the test's, below 0 if it is behind. Default 0. */
  clockAheadMs: 0,
})

/** The grants of the token endpoint. */
function createGrants(
  state: ReturnType<typeof createState>,
  families: ReturnType<typeof createTokenFamilies>,
  devices: ReturnType<typeof createDeviceRequests>,
  { codes, clock, clientId, keep }: AuthorizationServerPorts,
) {
  const exchange = async (form: URLSearchParams, jkt: string | undefined): Promise<Response> => {
    const code = codes.get(form.get('code') ?? '')
    const verifier = keep(form.get('code_verifier') ?? 'none')
    if (!code) return refuse('invalid_grant')
    const { query, user } = code
    if (code.family) {
      state.codeReuses++
      families.end(code.family)
      return refuse('invalid_grant')
    }
    const bound = query.get('dpop_jkt')
    if (form.get('redirect_uri') !== query.get('redirect_uri')) return refuse('invalid_grant')
    if ((await sha256(verifier)) !== query.get('code_challenge')) return refuse('invalid_grant')
    if (bound !== null && bound !== jkt) return refuse('invalid_dpop_proof')
    const { family, answer } = await families.begin({
      user,
      jkt,
      scope: query.get('scope') ?? '',
      nonce: query.get('nonce'),
      acr: query.get('acr_values')?.split(' ')[0],
      authTime: query.has('max_age') ? Math.floor(clock.now() / 1000) : undefined,
    })
    code.family = family
    return Response.json(answer)
  }
  const grants: Record<string, (form: URLSearchParams, jkt: string | undefined) => Promise<Response>> = {
    authorization_code: exchange,
    async refresh_token(form, jkt) {
      const resource = form.get('resource') ?? form.get('audience') ?? undefined
      const answer = await families.rotate(form.get('refresh_token') ?? '', jkt, resource)
      return typeof answer === 'string' ? refuse(answer) : Response.json(answer)
    },
    async client_credentials(form, jkt) {
      const scope = form.get('scope') ?? ''
      const { answer } = await families.begin({ user: clientId, scope, jkt, isRefreshable: false })
      return Response.json(answer)
    },
    async [DEVICE_CODE](form, jkt) {
      const found = devices.poll(form.get('device_code') ?? '')
      if (typeof found === 'string') return refuse(found)
      return Response.json((await families.begin({ ...found, jkt })).answer)
    },
  }
  return grants
}

interface AuthorizationServerPorts {
  readonly clock: Clock
  readonly clientId: string
  readonly codes: Map<string, Code>
  keep(value: string): string
}

/** The token endpoint: notes each request, checks its client and its DPoP proof, and leaves the rest to the grants. */
function createTokenEndpoint(
  state: ReturnType<typeof createState>,
  grants: ReturnType<typeof createGrants>,
  { clientId, isClient, grants: further = {} }: AuthorizationServerOptions,
  tools: GrantTools,
) {
  const { clock } = tools
  const tokenRequests: TokenRequestEntry[] = []
  const complaints: string[] = []
  const proofs = createDpopProofs(clock)

  /** @returns the thumbprint of the key that the tokens will be bound to, or the server's refusal. */
  const keyOf = async (request: Request): Promise<string | undefined | Response> => {
    if (!request.headers.has('dpop')) return undefined
    const { jkt, problem } = await proofs.judge(request, undefined, state.dpopNonce)
    if (problem === 'nonce') return refuse('use_dpop_nonce', 400, { 'dpop-nonce': state.dpopNonce ?? '' })
    return problem ? refuse('invalid_dpop_proof') : jkt
  }

  return {
    tokenRequests,
    complaints,
    /** @param work how the request is answered, unless a fault comes first. */
    async answer(request: Request, form: URLSearchParams): Promise<Response> {
      if (isClient && !(await isClient(form, request.headers))) return invalidClient(form, request.headers)
      const own = further[form.get('grant_type') ?? '']
      if (own) return own(form, tools)
      const grant = grants[form.get('grant_type') ?? '']
      if (!grant) return refuse('unsupported_grant_type')
      const key = await keyOf(request)
      return key instanceof Response ? key : grant(form, key)
    },
    note(request: Request, form: URLSearchParams): TokenRequestEntry {
      const { headers, url } = request
      const entry: TokenRequestEntry = {
        grantType: form.get('grant_type') ?? '',
        sent: form.get('code') ?? form.get('refresh_token') ?? form.get('device_code') ?? '',
        resource: form.get('resource') ?? form.get('audience') ?? undefined,
        scope: form.get('scope') ?? undefined,
        outcome: 'fault',
      }
      tokenRequests.push(entry)
      if (!headers.get('content-type')?.startsWith('application/x-www-form-urlencoded')) {
        complaints.push('a token request was not a form')
      }
      if (new URL(url).search) complaints.push('a token request had a query')
      if (!isClient && form.get('client_id') !== clientId) {
        complaints.push('a token request had the wrong client_id')
      }
      return entry
    },
  }
}

/** What becomes of authorization requests: an answer of the user who is at the browser, or of a test in their place. */
function createAuthorizations(
  state: ReturnType<typeof createState>,
  par: ReturnType<typeof createPushedRequests>,
  complaints: string[],
  {
    issuer,
    redirectUri,
    codes,
    keep,
  }: Pick<AuthorizationServerPorts, 'codes' | 'keep'> & { issuer: string; redirectUri: string },
) {
  const answer = (query: URLSearchParams, members: Record<string, string>) => {
    const sent = query.get('redirect_uri') ?? ''
    const callback = new URL(isSameRedirect(sent, redirectUri) ? sent : redirectUri)
    callback.search = new URLSearchParams({
      ...members,
      state: query.get('state') ?? '',
      iss: issuer,
    }).toString()
    return callback.href
  }
  return {
    /**
     * The user signs in and agrees.
     * @param authorizationUrl the URL of an authorization request.
     * @param user the subject, or the claims of the ID Token. Default: `user` of the server.
     * @returns the callback URL.
     * @throws Error if the request names a pushed one that is unknown, was used, or has expired.
     */
    approve(authorizationUrl: string, user: User = state.user ?? 'alice'): string {
      const query = par.resolve(new URL(authorizationUrl).searchParams)
      if (!isSameRedirect(query.get('redirect_uri') ?? '', redirectUri))
        complaints.push('an unknown redirect_uri')
      if (query.get('code_challenge_method') !== 'S256') complaints.push('an authorization without PKCE')
      const code = keep(secret('code'))
      codes.set(code, { query, user })
      return answer(query, { code })
    },
    /**
     * The user or the server refuses.
     * @param authorizationUrl the URL of an authorization request.
     * @param error the OAuth error (RFC 6749 section 4.1.2.1). Default `access_denied`.
     * @returns the callback URL.
     */
    refuse: (authorizationUrl: string, error = 'access_denied'): string =>
      answer(par.resolve(new URL(authorizationUrl).searchParams), { error }),
  }
}

export type AuthorizationServer = ReturnType<typeof createAuthorizationServer>

/** The authorization server without its HTTP: what a test does with it, and what its endpoints do. */
export function createAuthorizationServer({
  issuer = 'https://id.example.com',
  clientId = 'app',
  redirectUri = 'https://app.example.com/callback',
  clock,
  accessTokenSeconds = 300,
  graceMs = 0,
  key = signingKey(),
  isClient,
  grants: further,
}: AuthorizationServerOptions & { clock: Clock }) {
  const state = createState(key, accessTokenSeconds)
  /** The server's own clock. */
  const ahead: Clock = { ...clock, now: () => clock.now() + state.clockAheadMs }
  const secrets = new Set<string>()
  const keep = (value: string) => {
    secrets.add(value)
    return value
  }
  const codes = new Map<string, Code>()
  const revocations: { token: string; hint: string | null }[] = []
  const introspectionCredentials = {
    clientId: 'resource-server',
    clientSecret: keep(secret('client-secret')),
  }
  const families = createTokenFamilies({ issuer, clientId, clock: ahead, graceMs, settings: state, keep })
  const devices = createDeviceRequests(ahead, issuer, keep)
  const par = createPushedRequests(ahead)
  const grants = createGrants(state, families, devices, { codes, clock: ahead, clientId, keep })
  const tools: GrantTools = {
    ...{ clientId, issuer, clock: ahead, keep, refuse, introspect: families.introspect },
    issue: async (user, scope, resource) =>
      (await families.begin({ user, scope, isRefreshable: false }, resource)).answer,
  }
  const tokens = createTokenEndpoint(state, grants, { clientId, isClient, grants: further }, tools)
  const isOurs = async (request: Request, form: URLSearchParams) =>
    !isClient || (await isClient(form, request.headers))

  return Object.assign(state, {
    issuer,
    clientId,
    redirectUri,
    /** The server's metadata (RFC 8414). Delete a member, and the server no longer announces it. */
    metadata: metadataOf(issuer),
    /** Pushed authorization requests: those that came, and answers for the next ones. */
    par,
    /** Every request to the token endpoint. */
    tokenRequests: tokens.tokenRequests,
    /** Every token that a client asked to revoke. */
    revocations,
    /** Every code, token, verifier and client secret that there was. None of it may be shown anywhere. */
    secrets,
    /** The client's mistakes: keep this list empty. */
    complaints: tokens.complaints,
    /** Shows who asks at the introspection endpoint, by HTTP Basic authentication. */
    introspectionCredentials,
    /** How many token requests of this grant have come. */
    count: (grantType: string) => tokens.tokenRequests.filter(one => one.grantType === grantType).length,
    ...createAuthorizations(state, par, tokens.complaints, { issuer, redirectUri, codes, keep }),
    /** The user enters the code that a device shows, and agrees (RFC 8628 section 3.3). */
    approveDevice: (userCode: string, user: User = state.user ?? 'alice') => devices.approve(userCode, user),
    /** The user enters the code that a device shows, and refuses. */
    denyDevice: devices.deny,
    /** The facts about an access token (RFC 7662); `undefined` if it has expired, was revoked, or never existed. */
    introspect: (accessToken: string): AccessTokenInfo | undefined => families.introspect(accessToken),
    /** Revokes every access token before its time. Refresh tokens still work. */
    revokeAccessTokens: families.revokeAccessTokens,
    /** Ends every session of every user: no token works any more. */
    endSessions: families.endSessions,
    /** Signs with a new key from now on, and publishes only that one. */
    rotateKeys() {
      state.key = signingKey(secret('key'))
    },
    /** The work of the endpoints. */
    work: {
      ahead,
      families,
      devices,
      tokens,
      async pushed(request: Request, form: URLSearchParams): Promise<Response> {
        return (await isOurs(request, form)) ? par.push(form) : invalidClient(form, request.headers)
      },
      async revoke(request: Request, form: URLSearchParams): Promise<Response> {
        if (!(await isOurs(request, form))) return invalidClient(form, request.headers)
        families.revoke(form.get('token') ?? '')
        return new Response(null, { status: 200 })
      },
    },
  })
}
