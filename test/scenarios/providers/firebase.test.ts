import { describe, expect, test } from 'vitest'
import { idToken } from '../../../src/actions/id-token.ts'
import type { UserAgent } from '../../../src/core/ports.ts'
import { ConfigurationError } from '../../../src/errors.ts'
import {
  anonymously,
  firebase,
  withCustomToken,
  withIdentityProvider,
  withNewUser,
  withPassword,
} from '../../../src/providers/firebase.ts'
import { google } from '../../../src/providers/google.ts'
import { createFirebase } from '../../support/hosted/firebase.ts'
import { createGoogle } from '../../support/hosted/google.ts'
import { hostedWorlds } from '../../support/hosted/world.ts'

const ME = 'https://api.example.com/me'
const project = { projectId: 'my-project', apiKey: 'AIza-key' }
const alice = { email: 'alice@example.com', password: 'correct horse battery staple' }
const hosted = hostedWorlds()

const world = (options: { apiKey?: string; emulator?: string } = {}) => {
  const { emulator } = options
  const made = hosted(clock => createFirebase({ clock, ...project, ...(emulator && { emulator }) }))
  const app = { allowedOrigins: ['https://api.example.com'] }
  return {
    ...made,
    firebase: made.double,
    ...made.client({ ...firebase({ ...project, ...options }), ...app }),
  }
}

const signedIn = async () => {
  const made = world()
  await made.client.signIn({ userAgent: withPassword(alice) })
  return made
}

test.each<[string, () => UserAgent, string]>([
  ['an e-mail address and a password', () => withPassword(alice), 'alice@example.com'],
  ['a new user', () => withNewUser({ email: 'bob@example.com', password: 'long enough' }), 'bob@example.com'],
  ['nothing', anonymously, 'anonymous-1'],
  ['a custom token', () => withCustomToken('custom'), 'custom-1'],
  [
    "Google's ID Token",
    () => withIdentityProvider({ providerId: 'google.com', idToken: 'google-id-token' }),
    'google-1',
  ],
])('a sign-in with %s starts a session whose ID Token is the access token', async (_what, userAgent, who) => {
  const { client, firebase } = world()
  await client.signIn({ userAgent: userAgent() })
  expect(client.session).toMatchObject({ status: 'signed-in', claims: { sub: who } })
  expect(await (await client.fetch(ME)).json()).toEqual({ who })
  expect([...firebase.met]).toEqual(expect.arrayContaining(['camelCase', 'textExpiry']))
})

test('a session is refreshed with the same refresh token, hour after hour', async () => {
  const { client, firebase, clock } = await signedIn()
  for (let hour = 1; hour < 4; hour++) {
    clock.advance(3_700_000)
    expect((await client.fetch(ME)).status).toBe(200)
    expect(firebase.requests.filter(one => one === 'token')).toHaveLength(hour)
  }
  expect([...firebase.met]).toEqual(expect.arrayContaining(['keeps', 'bearer', 'form']))
})

test.each(['TOKEN_EXPIRED', 'USER_DISABLED', 'USER_NOT_FOUND', 'INVALID_REFRESH_TOKEN'])(
  'a refresh that is rejected with %s ends the session as expired',
  async code => {
    const { client, firebase, clock } = await signedIn()
    firebase.refuseRefreshes(code)
    clock.advance(3_700_000)
    await expect(client.fetch(ME)).rejects.toMatchObject({ code: 'ERR_AUTHORIZATION_REQUIRED' })
    expect(client.session).toEqual({ status: 'signed-out', reason: 'expired' })
  },
)

test.each([
  ['TOO_MANY_ATTEMPTS_TRY_LATER', 400],
  ['QUOTA_EXCEEDED', 429],
  ['QUOTA_EXCEEDED : Exceeded quota.', 400],
  ['INTERNAL_ERROR', 500],
])(
  'a refresh that fails with %s and %d keeps the session, and a later one succeeds',
  async (code, status) => {
    const { client, firebase, clock } = await signedIn()
    clock.advance(3_700_000)
    for (let times = 0; times < 4; times++) firebase.failOnce(code, status)
    await expect(client.fetch(ME)).rejects.toMatchObject({ retryable: true })
    expect(client.session.status).toBe('signed-in')
    for (
      let minute = 0;
      minute < 30 && (await client.fetch(ME).catch(() => undefined))?.status !== 200;
      minute++
    )
      clock.advance(60_000)
    expect((await client.fetch(ME)).status).toBe(200)
  },
)

describe('a session at Google', () => {
  const credentials = { clientId: 'app.apps.googleusercontent.com', clientSecret: 'GOCSPX-secret' }

  /** Clients of Google and of a Firebase project that accepts the ID Tokens of one Google client. */
  const worldOf = (accepted: string) => {
    const made = hosted(clock => {
      const atGoogle = createGoogle({ clock, ...credentials })
      const atFirebase = createFirebase({
        ...{ clock, ...project },
        ...{ google: { clientId: accepted, jwks: atGoogle.jwks }, secrets: atGoogle.secrets },
      })
      return {
        ...{ atFirebase, approve: atGoogle.approve, facts: atFirebase.facts, met: atFirebase.met },
        handlers: [...atGoogle.handlers, ...atFirebase.handlers],
        secrets: atGoogle.secrets,
      }
    })
    const googleClient = made.client({
      ...google(credentials),
      ...{ redirectUri: 'http://127.0.0.1/callback', allowedOrigins: [] },
    }).client
    const { client } = made.client({ ...firebase(project), allowedOrigins: ['https://api.example.com'] })
    const enter = async () => {
      const credential = { providerId: 'google.com', idToken: await idToken(googleClient) }
      await client.signIn({ userAgent: withIdentityProvider(credential) })
    }
    return { ...made, googleClient, client, enter }
  }

  test('becomes one at Firebase, which refreshes by itself, also after the Google ID Token has expired', async () => {
    const { googleClient, client, enter, clock, double } = worldOf(credentials.clientId)
    await googleClient.signIn()
    clock.advance(3_700_000)
    await enter()
    expect(client.session).toMatchObject({ status: 'signed-in', claims: { sub: 'google-1069' } })
    clock.advance(3_700_000)
    expect(await (await client.fetch(ME)).json()).toEqual({ who: 'google-1069' })
    expect([...double.atFirebase.met]).toEqual(expect.arrayContaining(['googleAudience', 'keeps']))
    await client.signOut()
    expect(googleClient.session.status).toBe('signed-in')
  })

  test('of a client that the project does not know is refused', async () => {
    const { googleClient, client, enter } = worldOf('other.apps.googleusercontent.com')
    await googleClient.signIn()
    await expect(enter()).rejects.toMatchObject({ code: 'ERR_CALLBACK', error: 'INVALID_IDP_RESPONSE' })
    expect(client.session.status).not.toBe('signed-in')
    expect(googleClient.session.status).toBe('signed-in')
  })
})

describe('a sign-in that Firebase rejects', () => {
  test.each<[string, UserAgent, string]>([
    ['the password', withPassword({ ...alice, password: 'wrong password' }), 'INVALID_PASSWORD'],
    ['the address', withPassword({ ...alice, email: 'x@example.com' }), 'EMAIL_NOT_FOUND'],
    ['a weak password', withNewUser({ email: 'b@example.com', password: '12345' }), 'WEAK_PASSWORD'],
    ['the custom token', withCustomToken('other'), 'INVALID_CUSTOM_TOKEN'],
    [
      'the credential',
      withIdentityProvider({ providerId: 'google.com', accessToken: 'x' }),
      'INVALID_IDP_RESPONSE',
    ],
  ])(
    'for %s has its code as the error and repeats nothing that was sent',
    async (_what, userAgent, error) => {
      const { client, events } = world()
      const failure = await client.signIn({ userAgent }).catch(error => error)
      expect(failure).toMatchObject({ code: 'ERR_CALLBACK', reason: 'authorization_error', error })
      expect(events).toContainEqual(expect.objectContaining({ type: 'token-error', error }))
      expect(client.session.status).not.toBe('signed-in')
    },
  )

  test('for the API key reports that permission is denied', async () => {
    const { client } = world({ apiKey: 'other' })
    await expect(client.signIn({ userAgent: anonymously() })).rejects.toMatchObject({
      error: 'PERMISSION_DENIED',
    })
  })
})

test('a client of the real service rejects an unsigned ID Token', async () => {
  const emulator = 'http://127.0.0.1:9099'
  const made = hosted(clock => createFirebase({ clock, ...project, emulator }))
  const options = firebase(project)
  const server = {
    ...options.server,
    firebase_sign_in_endpoint: `${emulator}/identitytoolkit.googleapis.com/v1/accounts:METHOD?key=${project.apiKey}`,
  }
  const { client } = made.client({ ...options, server, allowedOrigins: [] })
  await expect(client.signIn({ userAgent: anonymously() })).rejects.toMatchObject({
    code: expect.stringMatching(/ERR_(SERVER|CALLBACK)/),
  })
  expect(client.session.status).not.toBe('signed-in')
})

test('with the emulator, a session starts and refreshes even though nothing is signed', async () => {
  const { client, clock } = world({ emulator: 'http://127.0.0.1:9099' })
  await client.signIn({ userAgent: anonymously() })
  expect(client.session).toMatchObject({ claims: { sub: 'anonymous-1' } })
  clock.advance(3_700_000)
  expect((await client.fetch(ME)).status).toBe(200)
})

test.each(['https://emulator.example.com', 'http://emulator.example.com', 'nonsense'])(
  'an emulator at %s is rejected: only loopback addresses are accepted',
  emulator => {
    expect(() => firebase({ ...project, emulator })).toThrow('"emulator" must be on loopback')
  },
)

test('signIn() without a method lists the methods', async () => {
  const { client } = world()
  const error = await client.signIn().catch(error => error)
  expect(error).toBeInstanceOf(ConfigurationError)
  expect(error.message).toContain('withPassword')
})

// the last test: the others have met them
test('each known fact of the double has affected a test', () => {
  expect(hosted.unmet()).toEqual([])
})
