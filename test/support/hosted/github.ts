import { HttpResponse, http } from 'msw'
import type { HandClock } from '../clock.ts'
import { createHosted, json } from './server.ts'

/** Each fact names its source; "(general)" if there was none to cite. */
const FACTS = {
  formUnlessAsked: 'Without Accept: application/json the answer is form-encoded (general).',
  errorsWith200:
    'Errors come with HTTP 200 (github/docs, troubleshooting token requests; the status general).',
  secret: 'client_secret is needed outside of the device flow (github/docs, refreshing-user-access-tokens).',
  bothReplaced: 'A refresh replaces both tokens: the old access token dies too (github/docs, the same page).',
  commas: 'scope is separated by commas, token_type is "bearer" (general).',
  issInCallback: 'The callback has iss=https://github.com/login/oauth (next-auth 4.24.14).',
  noExpiry: 'OAuth apps get no expires_in and no refresh token (general).',
} as const

/** Doubles of GitHub's token endpoint and user API. @param options.isApp whether it is a GitHub App, whose tokens expire. */
export function createGitHub({
  clock,
  clientId,
  clientSecret,
  isApp = true,
}: {
  clock: HandClock
  clientId: string
  clientSecret: string
  isApp?: boolean
}) {
  const error = (name: string, meet: (fact: 'errorsWith200') => void) => {
    meet('errorsWith200')
    return json({ error: name, error_description: 'See the docs.', error_uri: 'https://docs.github.com/' })
  }
  const github = createHosted({
    facts: FACTS,
    clock,
    tokenEndpoint: 'https://github.com/login/oauth/access_token',
    callback: { iss: 'https://github.com/login/oauth' },
    authorize: (_query, meet) => meet('issInCallback'),
    refuse(form, request, meet) {
      if (!request.headers.get('accept')?.includes('application/json')) {
        meet('formUnlessAsked')
        return new HttpResponse('error=not_acceptable', {
          headers: { 'content-type': 'application/x-www-form-urlencoded' },
        })
      }
      if (form.get('client_id') === clientId && form.get('client_secret') === clientSecret) return undefined
      meet('secret')
      return error('incorrect_client_credentials', meet)
    },
    answer(grant, kind, { meet, secret }) {
      if (kind === 'refresh_token') meet('bothReplaced')
      meet('commas')
      grant.accessToken = secret('ghu')
      const scope = grant.scope.split(' ').join(',')
      const tokens = { access_token: grant.accessToken, token_type: 'bearer', scope }
      if (!isApp) {
        meet('noExpiry')
        return json(tokens)
      }
      grant.refreshToken = secret('ghr')
      const lifetimes = { expires_in: 28_800, refresh_token_expires_in: 15_897_600 }
      return json({ ...tokens, ...lifetimes, refresh_token: grant.refreshToken })
    },
    dead: (kind, meet) =>
      error(kind === 'refresh_token' ? 'bad_refresh_token' : 'bad_verification_code', meet),
  })
  github.handlers.push(
    http.get('https://api.github.com/user', ({ request }) =>
      github.grantOf(request) ? json({ login: 'octocat' }) : json({ message: 'Bad credentials' }, 401),
    ),
  )
  return github
}
