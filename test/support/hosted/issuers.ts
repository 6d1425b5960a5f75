import { http } from 'msw'
import type { HandClock } from '../clock.ts'
import { signingKey } from '../signing-key.ts'
import { createHosted, type HostedRules, json, oauthRefusal } from './server.ts'

/** What one system with published metadata does differently. */
export interface Peculiarities {
  readonly facts: Readonly<Record<string, string>>
  /** The issuer in its metadata. */
  readonly issuer: string
  /** The address of its metadata, if it is not below the issuer. */
  readonly metadataAt?: string
  readonly metadata?: Readonly<Record<string, unknown>>
  readonly tokenEndpoint: string
  readonly authorizationEndpoint?: string
  readonly clientId: string
  /** Whether the server rotates refresh tokens. Default true. */
  readonly rotates?: boolean
  /** More members in token responses. */
  readonly members?: Readonly<Record<string, unknown>>
  /** More claims in ID Tokens. */
  readonly claims?: Readonly<Record<string, unknown>>
  /** Whether a refresh returns an ID Token. Default true. */
  readonly idTokenAtRefresh?: boolean
  readonly callback?: Readonly<Record<string, string>>
  readonly authorize?: HostedRules<string>['authorize']
  readonly refuse?: HostedRules<string>['refuse']
  /** The response to an invalid refresh token. Default: 400 `invalid_grant`. */
  readonly dead?: () => Response
}

/** Creates a double that differs from a plain OpenID provider in the system's peculiarities. */
export function createIssuer(clock: HandClock, own: Peculiarities) {
  const key = signingKey()
  const { issuer, clientId, rotates = true, idTokenAtRefresh = true } = own
  const double = createHosted({
    facts: own.facts,
    clock,
    tokenEndpoint: own.tokenEndpoint,
    ...(own.callback && { callback: own.callback }),
    ...(own.authorize && { authorize: own.authorize }),
    refuse(form, request, meet) {
      if (form.get('client_id') !== clientId) return oauthRefusal('invalid_client', undefined, 401)
      return own.refuse?.(form, request, meet)
    },
    async answer(grant, kind, { secret }) {
      const isFirst = kind === 'authorization_code'
      grant.accessToken = secret('access')
      if (isFirst || rotates) grant.refreshToken = secret('refresh')
      const now = Math.floor(clock.now() / 1000)
      const times = { iat: now, exp: now + 3600 }
      const nonce = isFirst ? grant.query.get('nonce') : undefined
      const claims = {
        iss: issuer,
        aud: clientId,
        sub: 'alice',
        ...times,
        nonce: nonce ?? undefined,
        ...own.claims,
      }
      return json({
        access_token: grant.accessToken,
        token_type: 'Bearer',
        expires_in: 3600,
        scope: grant.scope,
        refresh_token: isFirst || rotates ? grant.refreshToken : undefined,
        id_token: isFirst || idTokenAtRefresh ? await key.sign(claims) : undefined,
        ...own.members,
      })
    },
    dead: kind => (kind === 'refresh_token' && own.dead?.()) || oauthRefusal('invalid_grant'),
  })
  const { origin } = new URL(own.tokenEndpoint)
  double.handlers.push(
    http.get(own.metadataAt ?? `${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`, () =>
      json({
        issuer,
        authorization_endpoint: own.authorizationEndpoint ?? `${origin}/authorize`,
        token_endpoint: own.tokenEndpoint,
        jwks_uri: `${origin}/keys-of-the-double`,
        id_token_signing_alg_values_supported: ['RS256'],
        ...own.metadata,
      }),
    ),
    http.get(`${origin}/keys-of-the-double`, async () => json(await key.jwks())),
    http.get('https://discord.com/api/oauth2/keys', async () => json(await key.jwks())),
    http.get('https://api.example.com/me', ({ request }) =>
      double.grantOf(request) ? json({ who: 'alice' }) : json({}, 401),
    ),
  )
  return double
}
