import { createLocalJWKSet, type JSONWebKeySet, jwtVerify } from 'jose'
import { http } from 'msw'
import type { HandClock } from '../clock.ts'
import { signingKey } from '../signing-key.ts'
import { json } from './server.ts'

/** Each fact names its source; "(general)" if there was none to cite. */
const FACTS = {
  camelCase: 'A sign-in answers in camelCase, a refresh in snake_case (Auth emulator, measured).',
  textExpiry: 'The expiry is a text in both (REST reference; emulator).',
  bearer: 'The bearer is the ID token: access_token equals id_token at a refresh (emulator).',
  errorObject: 'error is an object with code, message and errors (firebase-js-sdk, api/errors.ts; emulator).',
  codeWithText: 'The message may be "CODE : text" (emulator: WEAK_PASSWORD).',
  final:
    'Final for a refresh: TOKEN_EXPIRED, USER_DISABLED, USER_NOT_FOUND, INVALID_REFRESH_TOKEN (firebase-js-sdk).',
  passing: 'To be tried again: TOO_MANY_ATTEMPTS_TRY_LATER, QUOTA_EXCEEDED (firebase-js-sdk).',
  keeps: 'The refresh token does not change (emulator).',
  key: 'Without a key: 403 PERMISSION_DENIED (emulator).',
  form: 'The refresh is a form, the sign-in is JSON (firebase-js-sdk; REST reference).',
  googleAudience:
    "A Google ID Token must be for one of the project's OAuth clients (Firebase, Authenticate using Google; INVALID_IDP_RESPONSE).",
} as const

type Fact = keyof typeof FACTS

const REAL = {
  identity: 'https://identitytoolkit.googleapis.com',
  token: 'https://securetoken.googleapis.com',
}

export interface FirebaseDoubleOptions {
  clock: HandClock
  projectId: string
  apiKey: string
  /** The emulator's address. With it, ID tokens are not signed. */
  emulator?: string
  /** Where to add the values that a client must never show. */
  secrets?: Set<string>
  /** Google's keys, and the client ID that the project accepts Google ID Tokens for. */
  google?: { readonly clientId: string; jwks(): Promise<{ keys: JsonWebKey[] }> }
}

/** Doubles of Firebase Authentication and of an API that accepts its ID tokens. */
export function createFirebase({
  clock,
  projectId,
  apiKey,
  emulator,
  google,
  secrets = new Set(),
}: FirebaseDoubleOptions) {
  const key = signingKey()
  const met = new Set<Fact>()
  const users = new Map([['alice@example.com', 'correct horse battery staple']])
  const refreshTokens = new Map<string, { uid: string; error?: string }>()
  const requests: string[] = []
  const failNext: (() => Response)[] = []
  let made = 0
  const secret = (value: string) => {
    secrets.add(value)
    return value
  }
  const at = (host: keyof typeof REAL) => (emulator ? `${emulator}/${new URL(REAL[host]).host}` : REAL[host])

  const fail = (message: string, code = 400) => {
    met.add('errorObject')
    if (message.includes(' : ')) met.add('codeWithText')
    return json(
      { error: { code, message, errors: [{ message, reason: 'invalid', domain: 'global' }] } },
      code,
    )
  }
  const idTokenOf = async (uid: string) => {
    const now = Math.floor(clock.now() / 1000)
    const claims = {
      iss: `https://securetoken.google.com/${projectId}`,
      aud: projectId,
      sub: uid,
      user_id: uid,
      auth_time: now,
      iat: now,
      exp: now + 3600,
      n: ++made,
    }
    if (!emulator) return secret(await key.sign(claims))
    const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
    return secret(`${part({ alg: 'none', typ: 'JWT' })}.${part(claims)}.`)
  }
  const signedIn = async (uid: string) => {
    met.add('camelCase')
    met.add('textExpiry')
    const refreshToken = secret(`refresh-${uid}-${++made}-${crypto.randomUUID()}`)
    refreshTokens.set(refreshToken, { uid })
    return json({ kind: 'x', localId: uid, idToken: await idTokenOf(uid), refreshToken, expiresIn: '3600' })
  }
  const isKeyed = (request: Request) => {
    const is = new URL(request.url).searchParams.get('key') === apiKey
    if (!is) met.add('key')
    return is
  }

  const subjectOfGoogle = async (idToken: string): Promise<string | undefined> => {
    if (!google) return idToken === 'google-id-token' ? '1' : undefined
    met.add('googleAudience')
    const keys = createLocalJWKSet((await google.jwks()) as JSONWebKeySet)
    const expected = { issuer: 'https://accounts.google.com', audience: google.clientId }
    return jwtVerify(idToken, keys, { ...expected, currentDate: new Date(clock.now()) }).then(
      ({ payload }) => payload.sub,
      () => undefined,
    )
  }

  const signIn = async (request: Request): Promise<Response> => {
    const method = new URL(request.url).pathname.split(':').at(-1) ?? ''
    requests.push(method)
    if (!isKeyed(request))
      return json({ error: { code: 403, message: 'No key', status: 'PERMISSION_DENIED' } }, 403)
    const body = (await request.json()) as Record<string, string>
    const { email = '', password = '' } = body
    if (method === 'signInWithPassword') {
      secret(password)
      if (!users.has(email)) return fail('EMAIL_NOT_FOUND')
      return users.get(email) === password ? signedIn(email) : fail('INVALID_PASSWORD')
    }
    if (method === 'signUp' && email) {
      if (password.length < 6) return fail('WEAK_PASSWORD : Password should be at least 6 characters')
      if (users.has(email)) return fail('EMAIL_EXISTS')
      users.set(email, password)
      return signedIn(email)
    }
    if (method === 'signUp') return signedIn('anonymous-1')
    if (method === 'signInWithCustomToken')
      return body.token === 'custom' ? signedIn('custom-1') : fail('INVALID_CUSTOM_TOKEN')
    if (method === 'signInWithIdp') {
      const form = new URLSearchParams(body.postBody)
      if (form.get('providerId') !== 'google.com') return fail('OPERATION_NOT_ALLOWED')
      const subject = await subjectOfGoogle(form.get('id_token') ?? '')
      return subject ? signedIn(`google-${subject}`) : fail('INVALID_IDP_RESPONSE : no')
    }
    return json({ error: { code: 404, message: 'Not found' } }, 404)
  }

  const refresh = async (request: Request): Promise<Response> => {
    requests.push('token')
    const failure = failNext.shift()
    if (failure) return failure()
    if (!isKeyed(request))
      return json({ error: { code: 403, message: 'No key', status: 'PERMISSION_DENIED' } }, 403)
    met.add('form')
    const form = new URLSearchParams(await request.text())
    if (form.get('grant_type') !== 'refresh_token') return fail('INVALID_GRANT_TYPE')
    const sent = form.get('refresh_token')
    if (!sent) return fail('MISSING_REFRESH_TOKEN')
    const known = refreshTokens.get(sent)
    if (!known) return fail('INVALID_REFRESH_TOKEN')
    if (known.error) {
      met.add('final')
      return fail(known.error)
    }
    met.add('keeps')
    met.add('bearer')
    const idToken = await idTokenOf(known.uid)
    const tokens = { id_token: idToken, access_token: idToken, refresh_token: sent }
    return json({
      ...tokens,
      expires_in: '3600',
      token_type: 'Bearer',
      user_id: known.uid,
      project_id: '12345',
    })
  }

  return {
    facts: FACTS,
    met,
    secrets,
    requests,
    approve: (): string => {
      throw new Error('There is no authorization endpoint.')
    },
    handlers: [
      http.post(`${at('identity')}/v1/*`, ({ request }) => signIn(request)),
      http.post(`${at('token')}/v1/token`, ({ request }) => refresh(request)),
      http.get(
        'https://www.googleapis.com/service_accounts/v1/jwk/securetoken@system.gserviceaccount.com',
        async () => json(await key.jwks()),
      ),
      http.get('https://api.example.com/me', ({ request }) => {
        const [, token = ''] = /^Bearer (.+)$/.exec(request.headers.get('authorization') ?? '') ?? []
        const { exp = 0, sub } = JSON.parse(
          Buffer.from(token.split('.')[1] ?? 'e30', 'base64url').toString() || '{}',
        )
        return exp * 1000 > clock.now() ? json({ who: sub }) : json({}, 401)
      }),
    ],
    /** Makes the refreshes of all users fail with this code from now on. */
    refuseRefreshes(error: string | undefined) {
      for (const [token, { uid }] of refreshTokens) refreshTokens.set(token, { uid, ...(error && { error }) })
    },
    failOnce: (code: string, status = 400) =>
      void failNext.push(() => {
        met.add('passing')
        return fail(code, status)
      }),
  }
}
