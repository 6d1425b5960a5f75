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

/** An endpoint of the server. A test can make each of them fail. */
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
  /** The `client_id` of this server's only client. Default `app`. */
  clientId?: string
  /**
   * The redirect URI of that client. On loopback the server accepts any port (RFC 8252 section 7.3). Default
   * `https://app.example.com/callback`.
   */
  redirectUri?: string
  /** The source of time. Default: the device's clock. */
  clock?: Clock
  /** How many seconds an access token lasts, more than 0. Default 300. */
  accessTokenSeconds?: number
  /**
   * How many milliseconds a rotated refresh token still works, 0 or more: the server repeats the tokens of its rotation.
   * Default 0: a refresh token works once.
   */
  graceMs?: number
  /** The key for ID Tokens. Default: a new RS256 key. Making one takes up to a second, so share it between tests. */
  key?: SigningKey
  /** More grants for the token endpoint, by `grant_type`. They take precedence over the server's own. Default: none. */
  grants?: Readonly<Record<string, GrantHandler>>
  /** Whether a request comes from the client. Default: a public client, which sends its `client_id`. */
  isClient?: (form: URLSearchParams, headers: Headers) => boolean | Promise<boolean>
}

/** The tools that a `GrantHandler` gets. */
export interface GrantTools {
  readonly clientId: string
  readonly issuer: string
  readonly clock: Clock
  /** Issues an access token without a refresh token. @returns the members of the token response. */
  issue(subject: string, scope: string, resource?: string): Promise<Record<string, unknown>>
  /** Returns the facts about a valid access token, else `undefined`. */
  introspect(accessToken: string): AccessTokenInfo | undefined
  /** Creates an OAuth error response. Default status 400. */
  refuse(error: string, status?: number): Response
  /** Adds a secret to `secrets` of the server: it must never show up anywhere. @returns the secret. */
  keep(secret: string): string
}

/** Answers the token requests of one `grant_type`. */
export type GrantHandler = (form: URLSearchParams, tools: GrantTools) => Response | Promise<Response>

/** One request to the token endpoint. */
export interface TokenRequestEntry {
  readonly grantType: string
  /** The code, refresh token or device code in the request. */
  readonly sent: string
  /** The API that the access token is for (RFC 8707), if the request names one. */
  readonly resource: string | undefined
  readonly scope: string | undefined
  /** `ok`, the OAuth error, or `fault` if a fault replaced the server's work. */
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

/** Echoes the credentials that it received, as some servers do: a client must never show them. */
const invalidClient = (form: URLSearchParams, headers: Headers) => {
  const sent = [form.get('client_secret'), form.get('client_assertion'), headers.get('authorization')]
  const body = { error: 'invalid_client', error_description: sent.filter(Boolean).join() }
  return Response.json(body, { status: 401, headers: { 'www-authenticate': 'Basic realm="as"' } })
}

/** Whether the server treats two redirect URIs as equal: on loopback the port does not matter. */
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

/** The state that a test reads and changes while the server runs. */
const createState = (key: SigningKey, accessTokenSeconds: number) => ({
  idTokenClaims: {} as Record<string, unknown>,
  claimsFor: (async () => ({})) as TokenSettings['claimsFor'],
  key,
  moreMembers: {} as Record<string, unknown>,
  accessTokenSeconds,
  reuses: 0,
  /** How many times a client sent a code that was already redeemed. */
  codeReuses: 0,
  /** The user in the browser at the authorization endpoint. `undefined`: nobody, and the response is an error. */
  user: 'alice' as User | undefined,
  /** The nonce that DPoP proofs must contain (RFC 9449 section 8). Default: none. */
  dpopNonce: undefined as string | undefined,
  /** How many milliseconds the server's clock is ahead of the test's clock; negative if it is behind. Default 0. */
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

/** The token endpoint: records each request, checks its client and its DPoP proof, and calls the grant. */
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

/** Answers authorization requests, for the user in the browser or for a test that acts as the user. */
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
     * Signs the user in and grants the request.
     * @param authorizationUrl the URL of an authorization request.
     * @param user the subject, or the claims of the ID Token. Default: `user` of the server.
     * @returns the callback URL.
     * @throws Error if the request names a pushed request that is unknown, was used, or has expired.
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
     * Refuses the request, as the user or the server would.
     * @param authorizationUrl the URL of an authorization request.
     * @param error the OAuth error (RFC 6749 section 4.1.2.1). Default `access_denied`.
     * @returns the callback URL.
     */
    refuse: (authorizationUrl: string, error = 'access_denied'): string =>
      answer(par.resolve(new URL(authorizationUrl).searchParams), { error }),
  }
}

export type AuthorizationServer = ReturnType<typeof createAuthorizationServer>

/** The authorization server without HTTP: its interface for tests, and the work of its endpoints. */
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
    /** The server's metadata (RFC 8414). If you delete a member, the server no longer announces it. */
    metadata: metadataOf(issuer),
    /** Pushed authorization requests: the received ones, and responses for the next ones. */
    par,
    /** Every request to the token endpoint. */
    tokenRequests: tokens.tokenRequests,
    /** Every token that a client asked to revoke. */
    revocations,
    /** Every code, token, verifier and client secret so far. None of them may show up anywhere. */
    secrets,
    /** The client's mistakes: keep this list empty. */
    complaints: tokens.complaints,
    /** The credentials for the introspection endpoint (HTTP Basic authentication). */
    introspectionCredentials,
    /** Counts the token requests of a grant so far. */
    count: (grantType: string) => tokens.tokenRequests.filter(one => one.grantType === grantType).length,
    ...createAuthorizations(state, par, tokens.complaints, { issuer, redirectUri, codes, keep }),
    /** Grants a device's request, as the user who enters its code (RFC 8628 section 3.3). @throws Error if none shows it. */
    approveDevice: (userCode: string, user: User = state.user ?? 'alice') => devices.approve(userCode, user),
    /** Refuses a device's request, as the user who enters its code. @throws Error if none shows it. */
    denyDevice: devices.deny,
    /** Returns the facts about an access token (RFC 7662); `undefined` if it has expired, was revoked, or never existed. */
    introspect: (accessToken: string): AccessTokenInfo | undefined => families.introspect(accessToken),
    /** Revokes every access token. Refresh tokens still work. */
    revokeAccessTokens: families.revokeAccessTokens,
    /** Ends all sessions of all users: no token works any more. */
    endSessions: families.endSessions,
    /** Switches to a new signing key, and publishes only that one. */
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
