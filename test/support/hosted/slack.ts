import { http } from 'msw'
import type { HandClock } from '../clock.ts'
import { createHosted, json } from './server.ts'

/** Each fact names its source; "(general)" if there was none to cite. */
const FACTS = {
  ok: 'Every answer has HTTP 200 and "ok" (Slack, method pages).',
  nestedUser: "The user's token is in authed_user at the sign-in (@slack/web-api, OauthV2AccessResponse).",
  tokenTypes: 'token_type is "bot" or "user" (Slack, oauth.v2.access).',
  commas: 'Scopes are separated by commas (general).',
  oneUse:
    'With token rotation, refresh tokens work once and access tokens live 12 hours (Slack, Using token rotation).',
  deadRefreshToken:
    'A dead refresh token: {"ok":false,"error":"invalid_refresh_token"} (Slack, oauth.v2.access).',
} as const

/** Doubles of Slack's `oauth.v2.access` with token rotation, and of `auth.test`. */
export function createSlack({
  clock,
  clientId,
  clientSecret,
}: {
  clock: HandClock
  clientId: string
  clientSecret: string
}) {
  const failed = (error: string, meet: (fact: 'ok') => void) => {
    meet('ok')
    return json({ ok: false, error })
  }
  const slack = createHosted({
    facts: FACTS,
    clock,
    tokenEndpoint: 'https://slack.com/api/oauth.v2.access',
    authorize(query) {
      if (/ /.test(`${query.get('scope') ?? ''}${query.get('user_scope') ?? ''}`))
        throw new Error('invalid_scope')
      if (!query.get('scope') && !query.get('user_scope')) throw new Error('no_scopes')
    },
    refuse: (form, _request, meet) =>
      form.get('client_id') === clientId && form.get('client_secret') === clientSecret
        ? undefined
        : failed('bad_client_secret', meet),
    answer(grant, kind, { meet, secret }) {
      const userScope = grant.query.get('user_scope')
      meet('tokenTypes')
      meet('commas')
      if (kind === 'refresh_token') meet('oneUse')
      grant.accessToken = secret('xoxe.xoxp')
      grant.refreshToken = secret('xoxe')
      const tokens = {
        access_token: grant.accessToken,
        refresh_token: grant.refreshToken,
        expires_in: 43_200,
        scope: userScope ?? grant.scope,
        token_type: userScope ? 'user' : 'bot',
      }
      const team = { id: 'T1', name: 'Team' }
      if (!userScope || kind === 'refresh_token') return json({ ok: true, app_id: 'A1', team, ...tokens })
      meet('nestedUser')
      return json({ ok: true, app_id: 'A1', team, authed_user: { id: 'U1', ...tokens } })
    },
    dead(kind, meet) {
      if (kind === 'refresh_token') meet('deadRefreshToken')
      return failed(kind === 'refresh_token' ? 'invalid_refresh_token' : 'invalid_code', meet)
    },
  })
  slack.handlers.push(
    http.post('https://slack.com/api/auth.test', ({ request }) =>
      json(slack.grantOf(request) ? { ok: true, user_id: 'U1' } : { ok: false, error: 'token_expired' }),
    ),
  )
  return slack
}
