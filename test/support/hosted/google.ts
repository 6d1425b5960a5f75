import { http } from 'msw'
import type { HandClock } from '../clock.ts'
import { signingKey } from '../signing-key.ts'
import { createHosted, type HostedGrant, json, oauthRefusal } from './server.ts'

/** Each fact names its source; "(general)" if there was none to cite. */
const FACTS = {
  endpointsOnThreeHosts:
    'The endpoints are on other hosts than the issuer (copy of the discovery document in iamgbsmith/til).',
  secretBesidePkce:
    'Web and desktop clients without client_secret get 400 invalid_request "client_secret is missing." (AppAuth-JS 91, angular-oauth2-oidc 812, google-api-dotnet-client 1827).',
  refreshTokenOnlyOffline:
    'A refresh token comes only with access_type=offline (google-auth-library, CredentialRequest).',
  refreshTokenOnlyWithConsent: 'On later sign-ins it comes only with prompt=consent (kouhan.cn).',
  noRefreshTokenAtRefresh:
    'A refresh answer has no refresh token; the old one stays (general; the web server guide).',
  scopeNamesDiffer: 'Answers list long names for email and profile (general).',
  granularConsent:
    'The user may untick scopes; the answer names what is left (Google, granular permissions).',
  includeGranted:
    'include_granted_scopes=true adds what was granted before (omniauth-google-oauth2 pull request 420).',
  issuerWithoutScheme:
    'iss in an ID Token may be accounts.google.com (Google, OpenID Connect API reference).',
  deadRefreshToken: 'A dead refresh token: 400 invalid_grant "Token has been expired or revoked." (WorkOS).',
  revokingEitherEndsBoth:
    'Revoking either token ends the grant; a dead one gives 400 invalid_token (general).',
  apiError: 'APIs answer a stale token with 401 and an error object, status UNAUTHENTICATED (general).',
  unknownScope:
    'offline_access is no scope of Google (general): invalid_scope at the authorization endpoint.',
} as const

const LONG = 'https://www.googleapis.com/auth/userinfo.'
const ISSUER = 'https://accounts.google.com'
const DRIVE = 'https://www.googleapis.com/auth/drive.file'

export interface GoogleDoubleOptions {
  clock: HandClock
  clientId: string
  clientSecret: string
  /** The `iss` of the ID Token. */
  iss?: string
  /** Scopes that the user deselects. */
  unticked?: readonly string[]
  /** Scopes that the user granted this app before. */
  grantedBefore?: readonly string[]
}

/** Doubles of Google's authorization server and one of its APIs, `https://www.googleapis.com/drive/v3/files`. */
export function createGoogle({
  clock,
  clientId,
  clientSecret,
  iss = ISSUER,
  unticked = [],
  grantedBefore = [],
}: GoogleDoubleOptions) {
  const key = signingKey()
  let hasConsented = grantedBefore.length > 0

  const longScope = (names: string, meet: (fact: 'scopeNamesDiffer') => void) =>
    names
      .split(' ')
      .map(name => {
        if (name !== 'email' && name !== 'profile') return name
        meet('scopeNamesDiffer')
        return `${LONG}${name}`
      })
      .join(' ')

  const google = createHosted({
    facts: FACTS,
    clock,
    tokenEndpoint: 'https://oauth2.googleapis.com/token',
    callback: { iss: ISSUER },
    authorize(query, meet) {
      if (query.get('scope')?.split(' ').includes('offline_access')) {
        meet('unknownScope')
        throw new Error('Error 400: invalid_scope')
      }
    },
    refuse(form, _request, meet) {
      meet('endpointsOnThreeHosts')
      if (form.get('client_id') !== clientId)
        return oauthRefusal('invalid_client', 'The OAuth client was not found.', 401)
      if (form.has('client_secret')) {
        return form.get('client_secret') === clientSecret
          ? undefined
          : oauthRefusal('invalid_client', 'Unauthorized', 401)
      }
      meet('secretBesidePkce')
      return oauthRefusal('invalid_request', 'client_secret is missing.')
    },
    async answer(grant, kind, { meet, secret }) {
      const { query } = grant
      if (kind === 'authorization_code') {
        const names = grant.scope.split(' ').filter(name => !unticked.includes(name))
        if (names.length < grant.scope.split(' ').length) meet('granularConsent')
        const includes = query.get('include_granted_scopes') === 'true'
        if (includes && grantedBefore.length) meet('includeGranted')
        grant.scope = [...new Set([...names, ...(includes ? grantedBefore : [])])].join(' ')
        const isOffline = query.get('access_type') === 'offline'
        const isFirst = !hasConsented || query.get('prompt') === 'consent'
        if (!isOffline) meet('refreshTokenOnlyOffline')
        else if (!isFirst) meet('refreshTokenOnlyWithConsent')
        else grant.refreshToken = secret('refresh')
        hasConsented = true
      } else meet('noRefreshTokenAtRefresh')
      grant.accessToken = secret('access')
      const now = Math.floor(clock.now() / 1000)
      if (iss !== ISSUER) meet('issuerWithoutScheme')
      const times = { iat: now, exp: now + 3600 }
      const claims = {
        iss,
        aud: clientId,
        azp: clientId,
        sub: '1069',
        nonce: query.get('nonce') ?? undefined,
      }
      return json({
        access_token: grant.accessToken,
        expires_in: 3599,
        token_type: 'Bearer',
        scope: longScope(grant.scope, meet),
        id_token: grant.scope.split(' ').includes('openid')
          ? await key.sign({ ...claims, ...times })
          : undefined,
        refresh_token: kind === 'authorization_code' ? grant.refreshToken : undefined,
      })
    },
    dead(_kind, meet) {
      meet('deadRefreshToken')
      return oauthRefusal('invalid_grant', 'Token has been expired or revoked.')
    },
  })

  const end = (grant: HostedGrant) => {
    grant.alive = false
  }
  const revoke = async (request: Request) => {
    const token = new URLSearchParams(await request.text()).get('token')
    const grant = google.grants.find(
      one => one.alive && (one.refreshToken === token || one.accessToken === token),
    )
    google.meet('revokingEitherEndsBoth')
    if (!grant) return json({ error: 'invalid_token', error_description: 'Token expired or revoked' }, 400)
    end(grant)
    return json({})
  }
  const files = (request: Request) => {
    if (google.grantOf(request))
      return json({ kind: 'drive#fileList', files: [{ id: '1', name: 'Travel plan' }] })
    google.meet('apiError')
    const message = 'Request had invalid authentication credentials.'
    return json({ error: { code: 401, message, status: 'UNAUTHENTICATED' } }, 401, {
      'www-authenticate': 'Bearer realm="https://accounts.google.com/", error="invalid_token"',
    })
  }
  google.handlers.push(
    http.get(`${ISSUER}/.well-known/openid-configuration`, () =>
      json({
        issuer: ISSUER,
        authorization_endpoint: `${ISSUER}/o/oauth2/v2/auth`,
        device_authorization_endpoint: 'https://oauth2.googleapis.com/device/code',
        token_endpoint: 'https://oauth2.googleapis.com/token',
        userinfo_endpoint: 'https://openidconnect.googleapis.com/v1/userinfo',
        revocation_endpoint: 'https://oauth2.googleapis.com/revoke',
        jwks_uri: 'https://www.googleapis.com/oauth2/v3/certs',
        response_types_supported: ['code', 'token', 'id_token', 'code token'],
        subject_types_supported: ['public'],
        id_token_signing_alg_values_supported: ['RS256'],
        token_endpoint_auth_methods_supported: ['client_secret_post', 'client_secret_basic'],
        code_challenge_methods_supported: ['plain', 'S256'],
      }),
    ),
    http.get('https://www.googleapis.com/oauth2/v3/certs', async () => json(await key.jwks())),
    http.post('https://oauth2.googleapis.com/revoke', ({ request }) => revoke(request)),
    http.get('https://www.googleapis.com/drive/v3/files', ({ request }) => files(request)),
  )
  return {
    ...google,
    jwks: key.jwks,
    /** The user revokes the grants in their Google account. */
    withdraw: () => google.grants.forEach(end),
    expireAccessTokens: () => {
      for (const grant of google.grants) grant.accessToken = ''
    },
  }
}

export { DRIVE }
