import { HttpResponse, http } from 'msw'
import type { HandClock } from '../clock.ts'
import { createHosted, json, oauthRefusal } from './server.ts'

/** Each fact names its source; "(general)" if there was none to cite. */
const FACTS = {
  noLocalhost:
    'localhost is refused as a redirect URI; 127.0.0.1 and [::1] are not (Spotify, Redirect URIs).',
  noIdToken: 'There is no ID Token, and openid is no scope (general).',
  rotation: 'PKCE refresh tokens work once: each gives the next and dies (rspotify, AuthCodePkceSpotify).',
  clientIdAtRefresh: 'A PKCE refresh has the client_id in its form (Spotify, Refreshing tokens).',
  sixMonths:
    'Refresh tokens end 6 months after the sign-in, however often they are refreshed (Spotify blog, 18 June 2026).',
  htmlError: 'A malformed token request may get an HTML page with 400 (volcengine.com question 1624423).',
  expired: 'A stale token: 401 {"error":{"status":401,"message":"The access token expired"}} (spotipy 83).',
  spurious401: '401 "Access token missing" for a fresh token goes away on a repeat (Mincka/spotcast v6.5.4).',
  rateLimit: '429 has Retry-After in seconds (spotify/web-api-ts-sdk, DefaultResponseValidator).',
  quota:
    '429 with reason QUOTA_EXCEEDED: the quota of the developer account (Spotify, changes of July 2026).',
  noContent: 'Some calls are answered with 204 (spotify/web-api-ts-sdk).',
} as const

const SIX_MONTHS_MS = 182 * 24 * 3_600_000
export const SPOTIFY_API = 'https://api.spotify.com'

/** Doubles of Spotify's authorization server and its Web API. */
export function createSpotify({ clock, clientId }: { clock: HandClock; clientId: string }) {
  const spotify = createHosted({
    facts: FACTS,
    clock,
    tokenEndpoint: 'https://accounts.spotify.com/api/token',
    authorize(query, meet) {
      if (/^https?:\/\/localhost(?=[:/]|$)/.test(query.get('redirect_uri') ?? '')) {
        meet('noLocalhost')
        throw new Error('INVALID_CLIENT: Invalid redirect URI')
      }
      if (query.get('scope')?.split(' ').includes('openid')) {
        meet('noIdToken')
        throw new Error('INVALID_SCOPE: Invalid scope')
      }
    },
    refuse(form, request, meet) {
      const isForm = request.headers.get('content-type')?.startsWith('application/x-www-form-urlencoded')
      if (!isForm || !form.get('grant_type')) {
        meet('htmlError')
        return HttpResponse.html('<!doctype html><title>400</title>Bad Request', { status: 400 })
      }
      meet('clientIdAtRefresh')
      if (form.get('client_id') !== clientId) return oauthRefusal('invalid_client', 'Invalid client')
      return undefined
    },
    answer(grant, kind, { meet, secret }) {
      if (kind === 'refresh_token') meet('rotation')
      grant.refreshToken = secret('refresh')
      grant.accessToken = secret('access')
      const tokens = { access_token: grant.accessToken, refresh_token: grant.refreshToken }
      return json({ ...tokens, token_type: 'Bearer', expires_in: 3600, scope: grant.scope })
    },
    dead: kind =>
      oauthRefusal('invalid_grant', kind === 'refresh_token' ? 'Invalid refresh token' : 'Invalid code'),
    lives(grant) {
      const isOver = clock.now() - grant.startedAt > SIX_MONTHS_MS
      if (isOver) spotify.meet('sixMonths')
      return !isOver
    },
  })
  /** Responses to send instead of the API's own, in order. */
  const apiNext: (() => Response)[] = []
  const apiError = (status: number, message: string, headers = {}, reason?: string) =>
    json({ error: { status, message, reason } }, status, headers)
  const call = (request: Request): Response => {
    const next = apiNext.shift()
    if (next) return next()
    if (!spotify.grantOf(request)) {
      spotify.meet('expired')
      return apiError(401, 'The access token expired')
    }
    if (request.method === 'PUT') {
      spotify.meet('noContent')
      return new HttpResponse(null, { status: 204 })
    }
    return json({ id: 'wizzler', display_name: 'Wizzler' })
  }
  spotify.handlers.push(http.all(`${SPOTIFY_API}/*`, ({ request }) => call(request)))
  const answerNext = (fact: 'spurious401' | 'rateLimit' | 'quota', make: () => Response) =>
    void apiNext.push(() => {
      spotify.meet(fact)
      return make()
    })
  return {
    ...spotify,
    spurious401: () => answerNext('spurious401', () => apiError(401, 'Access token missing')),
    rateLimit: () =>
      answerNext('rateLimit', () => apiError(429, 'API rate limit exceeded', { 'retry-after': '7' })),
    quota: () =>
      answerNext('quota', () => apiError(429, 'Too many requests', { 'retry-after': '7' }, 'QUOTA_EXCEEDED')),
    html: () =>
      void spotify.failNext.push(() => {
        spotify.meet('htmlError')
        return HttpResponse.html('<!doctype html><title>400</title>Bad Request', { status: 400 })
      }),
    expireAccessTokens: () => {
      for (const grant of spotify.grants) grant.accessToken = ''
    },
  }
}
