import { delay, HttpResponse, http, type RequestHandler } from 'msw'
import type { Clock } from '../../src/core/ports.ts'
import type { Fault } from './faults.ts'
import { type SigningKey, signingKey } from './signing-key.ts'
import { createStrictPar } from './strict-par.ts'

export interface StrictAsOptions {
  issuer?: string
  clientId?: string
  redirectUri?: string
  clock: Clock
  /** Default 300. */
  accessTokenSeconds?: number
  /** How long a refresh token that was rotated is still answered, with the tokens it was rotated to. Default 0. */
  graceMs?: number
  /** How long every answer takes, in real time. Default 0. */
  latencyMs?: number
  key?: SigningKey
  /** Whether a request shows that it is of this client. Default: a public client, which says its `client_id`. */
  isClient?: (form: URLSearchParams, headers: Headers) => boolean | Promise<boolean>
  /** Further grants, by their `grant_type`. */
  grants?: Readonly<Record<string, StrictGrant>>
}

/** What a further grant works with. */
export interface StrictGrantTools {
  readonly clientId: string
  readonly issuer: string
  readonly clock: Clock
  /** An access token without a refresh token, as the members of an answer. */
  issue(subject: string, scope: string, resource?: string): Promise<Record<string, unknown>>
  introspect(accessToken: string): { subject: string; scope: string; resource?: string } | undefined
  refuse(error: string, status?: number): Response
  /** Must never be shown. */
  keep(secret: string): string
}

/** Answers the token request of a further grant. */
export type StrictGrant = (form: URLSearchParams, tools: StrictGrantTools) => Response | Promise<Response>

/** One request to the token endpoint. */
export interface TokenRequestEntry {
  readonly grantType: string
  readonly sent: string
  /** Which API the access token is asked for (RFC 8707), or `undefined`. */
  readonly resource: string | undefined
  readonly scope: string | undefined
  /** `ok`, the OAuth error, or `fault` where it was not worked on. */
  outcome: string
}

/** All tokens that began with one sign-in (RFC 9700 section 4.14.2). */
interface Family {
  readonly subject: string
  readonly scope: string
  /** The first of the `acr_values` that the sign-in asked for. */
  readonly acr: string | undefined
  /** When the user was authenticated, where the sign-in asked for it (`max_age`). */
  readonly authTime: number | undefined
  readonly rotated: Map<string, { at: number; answer: Record<string, unknown> }>
  refreshToken: string
  alive: boolean
}

interface Code {
  readonly query: URLSearchParams
  readonly subject: string
  family?: Family
}

export type StrictAs = ReturnType<typeof createStrictAs>

let made = 0
const secret = (kind: string) => `${kind}-${++made}-${crypto.randomUUID()}`
const s256 = async (verifier: string) => {
  const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(verifier))
  const text = btoa(String.fromCharCode(...new Uint8Array(digest)))
  return text.replaceAll('+', '-').replaceAll('/', '_').replace(/=+$/, '')
}

/**
 * A small, strict authorization server as msw handlers, for what a real one cannot be made to do. It rotates refresh
 * tokens, kills the whole family of one that comes back, and fails on order.
 */
export function createStrictAs({
  issuer = 'https://id.example.com',
  clientId = 'app',
  redirectUri = 'https://app.example.com/callback',
  clock,
  accessTokenSeconds = 300,
  graceMs = 0,
  latencyMs = 0,
  key = signingKey(),
  isClient,
  grants = {},
}: StrictAsOptions) {
  const codes = new Map<string, Code>()
  const families: Family[] = []
  const accessTokens = new Map<string, { family: Family; resource: string | undefined; expiresAt: number }>()
  const tokenRequests: TokenRequestEntry[] = []
  const revocations: { token: string; hint: string | null }[] = []
  const requests: string[] = []
  /** Everything that must never be shown. */
  const secrets = new Set<string>()
  /** What a client must not do, and did. */
  const complaints: string[] = []
  const failNext: Fault[] = []
  const failRevocation: Fault[] = []
  const failMetadata: Fault[] = []
  const failKeys: Fault[] = []
  const as = {
    /** Changes the claims of the ID Tokens that are issued from now on. */
    idTokenClaims: {} as Record<string, unknown>,
    /** Changes them by the access token beside them. */
    claimsFor: async (_accessToken: string): Promise<Record<string, unknown>> => ({}),
    /** What ID Tokens are signed with, and shown. */
    key,
    /** Beside what every token answer has. */
    moreMembers: {} as Record<string, unknown>,
    /** What takes pushed authorization requests. */
    par: createStrictPar({ clock, isClient }),
    accessTokenSeconds,
    reuses: 0,
    codeReuses: 0,
  }

  const keep = (value: string) => {
    secrets.add(value)
    return value
  }
  const refuse = (error: string, status = 400) =>
    HttpResponse.json({ error, error_description: `refused: ${error}` }, { status })

  /** New tokens for a family, which make the old refresh token an old one. */
  const issue = async (family: Family, nonce?: string | null, resource?: string) => {
    const { subject: sub, scope, acr, authTime: auth_time } = family
    const now = Math.floor(clock.now() / 1000)
    const accessToken = keep(secret('access'))
    family.refreshToken = keep(secret('refresh'))
    accessTokens.set(accessToken, { family, resource, expiresAt: clock.now() + as.accessTokenSeconds * 1000 })
    const times = { iat: now, exp: now + 3600 }
    const claims = { iss: issuer, sub, aud: clientId, ...times, nonce: nonce ?? undefined, acr, auth_time }
    const more = { ...(await as.claimsFor(accessToken)), ...as.idTokenClaims }
    const idToken = scope.split(' ').includes('openid')
      ? keep(await as.key.sign({ ...claims, ...more }))
      : undefined
    return {
      access_token: accessToken,
      token_type: 'Bearer',
      expires_in: as.accessTokenSeconds,
      refresh_token: family.refreshToken,
      scope,
      id_token: idToken,
      ...as.moreMembers,
    }
  }

  const kill = (family: Family) => {
    family.alive = false
    for (const [token, entry] of accessTokens) if (entry.family === family) accessTokens.delete(token)
  }

  const exchange = async (form: URLSearchParams): Promise<Response> => {
    const code = codes.get(form.get('code') ?? '')
    const verifier = keep(form.get('code_verifier') ?? 'none')
    if (!code) return refuse('invalid_grant')
    if (code.family) {
      as.codeReuses++
      kill(code.family)
      return refuse('invalid_grant')
    }
    if (form.get('redirect_uri') !== code.query.get('redirect_uri')) return refuse('invalid_grant')
    if ((await s256(verifier)) !== code.query.get('code_challenge')) return refuse('invalid_grant')
    const scope = code.query.get('scope') ?? ''
    const acr = code.query.get('acr_values')?.split(' ')[0]
    const authTime = code.query.has('max_age') ? Math.floor(clock.now() / 1000) : undefined
    code.family = {
      subject: code.subject,
      scope,
      acr,
      authTime,
      rotated: new Map(),
      refreshToken: '',
      alive: true,
    }
    families.push(code.family)
    return HttpResponse.json(await issue(code.family, code.query.get('nonce')))
  }

  const refresh = async (form: URLSearchParams): Promise<Response> => {
    const sent = form.get('refresh_token') ?? ''
    const family = families.find(one => one.refreshToken === sent || one.rotated.has(sent))
    if (!family?.alive) return refuse('invalid_grant')
    const old = family.rotated.get(sent)
    if (old && clock.now() - old.at < graceMs) return HttpResponse.json(old.answer)
    if (old) {
      as.reuses++
      kill(family)
      return refuse('invalid_grant')
    }
    const answer = await issue(family, undefined, form.get('resource') ?? form.get('audience') ?? undefined)
    family.rotated.set(sent, { at: clock.now(), answer })
    return HttpResponse.json(answer)
  }

  const introspect = (accessToken: string) => {
    const entry = accessTokens.get(accessToken)
    if (!entry || clock.now() >= entry.expiresAt) return undefined
    const { subject, scope } = entry.family
    return { subject, scope, resource: entry.resource }
  }

  const tools: StrictGrantTools = {
    ...{ clientId, issuer, clock, refuse, keep, introspect },
    async issue(subject, scope, resource) {
      const none = { acr: undefined, authTime: undefined, rotated: new Map(), refreshToken: '', alive: true }
      const { refresh_token: _, ...members } = await issue({ subject, scope, ...none }, undefined, resource)
      return members
    },
  }

  /** Some servers repeat what they were sent. */
  const invalidClient = (form: URLSearchParams, headers: Headers) =>
    HttpResponse.json(
      {
        error: 'invalid_client',
        error_description: [
          form.get('client_secret'),
          form.get('client_assertion'),
          headers.get('authorization'),
        ]
          .filter(Boolean)
          .join(),
      },
      { status: 401, headers: { 'www-authenticate': 'Basic realm="as"' } },
    )

  const token = async (request: Request): Promise<Response> => {
    const form = new URLSearchParams(await request.clone().text())
    const grantType = form.get('grant_type') ?? ''
    const sent = form.get('code') ?? form.get('refresh_token') ?? ''
    const resource = form.get('resource') ?? form.get('audience') ?? undefined
    const scope = form.get('scope') ?? undefined
    const entry: TokenRequestEntry = { grantType, sent, resource, scope, outcome: 'fault' }
    tokenRequests.push(entry)
    if (!request.headers.get('content-type')?.startsWith('application/x-www-form-urlencoded')) {
      complaints.push('a token request was not a form')
    }
    if (new URL(request.url).search) complaints.push('a token request had a query')
    if (!isClient && form.get('client_id') !== clientId) {
      complaints.push('a token request had the wrong client_id')
    }
    const fault = failNext.shift()
    if (fault && !fault.afterWork) return fault.answer(undefined)
    if (isClient && !(await isClient(form, request.headers))) return invalidClient(form, request.headers)
    const further = grants[grantType]
    const work =
      { authorization_code: exchange, refresh_token: refresh }[grantType] ??
      (further && ((sent: URLSearchParams) => further(sent, tools)))
    const real = work ? await work(form) : refuse('unsupported_grant_type')
    const { error } = (await real.clone().json()) as { error?: string }
    entry.outcome = error ?? 'ok'
    return fault ? fault.answer(real) : real
  }

  const revoke = async (request: Request): Promise<Response> => {
    const form = new URLSearchParams(await request.text())
    const sent = form.get('token') ?? ''
    revocations.push({ token: sent, hint: form.get('token_type_hint') })
    const fault = failRevocation.shift()
    if (fault) return fault.answer(undefined)
    if (isClient && !(await isClient(form, request.headers))) return invalidClient(form, request.headers)
    const family = families.find(one => one.refreshToken === sent || one.rotated.has(sent))
    if (family) kill(family)
    accessTokens.delete(sent)
    return new HttpResponse(null, { status: 200 })
  }

  const metadata: Record<string, unknown> = {
    issuer,
    authorization_endpoint: `${issuer}/authorize`,
    token_endpoint: `${issuer}/token`,
    revocation_endpoint: `${issuer}/revoke`,
    jwks_uri: `${issuer}/jwks`,
    response_types_supported: ['code'],
    code_challenge_methods_supported: ['S256'],
    authorization_response_iss_parameter_supported: true,
  }
  const seen = async (request: Request, answer: () => Response | Promise<Response>) => {
    requests.push(`${request.method} ${new URL(request.url).pathname}`)
    if (latencyMs) await delay(latencyMs)
    return answer()
  }
  const handlers: RequestHandler[] = [
    http.get(`${issuer}/.well-known/openid-configuration`, ({ request }) =>
      seen(request, () => failMetadata.shift()?.answer(undefined) ?? HttpResponse.json(metadata)),
    ),
    http.get(`${issuer}/jwks`, ({ request }) =>
      seen(request, async () => {
        const real = HttpResponse.json(await as.key.jwks())
        return failKeys.shift()?.answer(real) ?? real
      }),
    ),
    http.post(`${issuer}/token`, ({ request }) => seen(request, () => token(request))),
    http.post(`${issuer}/revoke`, ({ request }) => seen(request, () => revoke(request))),
    http.post(`${issuer}/par`, ({ request }) => seen(request, () => as.par.push(request))),
  ]

  return Object.assign(as, {
    issuer,
    clientId,
    redirectUri,
    metadata,
    handlers,
    failNext,
    failRevocation,
    failMetadata,
    failKeys,
    tokenRequests,
    revocations,
    requests,
    secrets,
    complaints,
    /** How many requests for this grant have come. */
    count: (grantType: string) => tokenRequests.filter(entry => entry.grantType === grantType).length,
    /** The user signs in and agrees: the callback URL that follows from an authorization request. */
    approve(address: string, subject = 'alice'): string {
      const query = as.par.resolve(new URL(address).searchParams)
      if (query.get('redirect_uri') !== redirectUri) complaints.push('an unknown redirect_uri')
      if (query.get('code_challenge_method') !== 'S256') complaints.push('an authorization without PKCE')
      const code = keep(secret('code'))
      codes.set(code, { query, subject })
      const callback = new URL(redirectUri)
      callback.search = new URLSearchParams({ code, state: query.get('state') ?? '', iss: issuer }).toString()
      return callback.href
    },
    /** What the resource server is told of an access token (RFC 7662). */
    introspect,
    /** An access token is over before its time. */
    revokeAccessTokens: () => accessTokens.clear(),
    /** Every session of everyone is over. */
    endSessions: () => families.forEach(kill),
  })
}
