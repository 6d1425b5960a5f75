import { expect, test } from 'vitest'
import { CallbackError } from '../../../src/errors.ts'
import { google } from '../../../src/providers/google.ts'
import { createGoogle, DRIVE, type GoogleDoubleOptions } from '../../support/hosted/google.ts'
import { hostedWorlds } from '../../support/hosted/world.ts'

const FILES = 'https://www.googleapis.com/drive/v3/files'
const CALENDAR = 'https://www.googleapis.com/auth/calendar.readonly'
const credentials = { clientId: 'app.apps.googleusercontent.com', clientSecret: 'GOCSPX-secret' }
const hosted = hostedWorlds()

const world = (
  double: Partial<GoogleDoubleOptions> = {},
  options: Partial<Parameters<typeof google>[0]> = {},
) => {
  const made = hosted(clock => createGoogle({ clock, ...credentials, ...double }))
  const app = {
    redirectUri: 'https://app.example.com/callback',
    allowedOrigins: ['https://www.googleapis.com'],
  }
  return {
    ...made,
    google: made.double,
    ...made.client({ ...google({ ...credentials, ...options }), ...app }),
  }
}

test('a sign-in gets a refresh token, and a refresh response without one keeps it', async () => {
  const { client, google, clock } = world()
  await client.signIn()
  expect(google.forms[0]?.get('client_secret')).toBe(credentials.clientSecret)
  for (const round of [1, 2]) {
    clock.advance(3_600_000)
    google.expireAccessTokens()
    expect((await client.fetch(FILES)).status).toBe(200)
    expect(google.forms.filter(form => form.get('grant_type') === 'refresh_token')).toHaveLength(round)
  }
  expect(google.met).toContain('noRefreshTokenAtRefresh')
})

test('a second sign-in of the same user gets a refresh token too', async () => {
  const { client, google, warnings } = world({ grantedBefore: ['openid'] })
  await client.signIn()
  expect(google.met).not.toContain('refreshTokenOnlyWithConsent')
  expect(warnings()).not.toContain('no_refresh_token')
})

test("a client without the secret reports Google's message that it is missing", async () => {
  const { client, google } = world({}, { clientSecret: undefined })
  const error = await client.signIn().catch(error => error)
  expect(error).toBeInstanceOf(CallbackError)
  expect(error).toMatchObject({
    error: 'invalid_request',
    cause: { errorDescription: 'client_secret is missing.' },
  })
  expect(google.met).toContain('secretBesidePkce')
})

test("scopes keep the app's names, however Google spells them", async () => {
  const short = world()
  await short.client.signIn()
  expect(short.client.session).toMatchObject({ scope: ['openid', 'email', 'profile'] })
  expect(short.client.session).not.toHaveProperty('missingScope')
  expect(short.google.met).toContain('scopeNamesDiffer')
  const long = 'https://www.googleapis.com/auth/userinfo.email'
  const spelt = world({}, { scope: ['openid', long] })
  await spelt.client.signIn()
  expect(spelt.client.session).toMatchObject({ scope: ['openid', long] })
})

test('scopes that the user unticked are on the session, also after a refresh', async () => {
  const { client, google, clock } = world({ unticked: [DRIVE] }, { scope: `openid email ${DRIVE}` })
  await client.signIn()
  expect(client.session).toMatchObject({ scope: ['openid', 'email'], missingScope: [DRIVE] })
  clock.advance(3_600_000)
  google.expireAccessTokens()
  await client.fetch(FILES)
  expect(client.session).toMatchObject({ status: 'signed-in', missingScope: [DRIVE] })
  expect(google.met).toContain('granularConsent')
})

test('previously granted scopes are added if the app requests it', async () => {
  const { client, google, warnings } = world(
    { grantedBefore: [DRIVE] },
    { scope: 'openid', includeGrantedScopes: true },
  )
  await client.signIn()
  expect(client.session).toMatchObject({ scope: ['openid', DRIVE] })
  expect(warnings()).toContain('scope')
  expect(google.met).toContain('includeGranted')
})

test('a step-up adds a scope to those that the user granted before, and a refresh keeps them all', async () => {
  const { client, google, clock } = world(
    { grantedBefore: [CALENDAR] },
    { scope: 'openid', includeGrantedScopes: true },
  )
  await client.signIn()
  await client.signIn({ stepUp: { scope: DRIVE } })
  const all = [...['openid', CALENDAR, DRIVE]].sort()
  const scopes = () => 'scope' in client.session && [...(client.session.scope ?? [])].sort()
  expect(scopes()).toEqual(all)
  const asked = google.grants.map(({ query }) => [
    query.get('include_granted_scopes'),
    query.get('scope')?.split(' ').includes(DRIVE),
  ])
  expect(asked).toEqual([
    ['true', false],
    ['true', true],
  ])
  clock.advance(3_600_000)
  google.expireAccessTokens()
  expect((await client.fetch(FILES)).status).toBe(200)
  expect(scopes()).toEqual(all)
  expect(client.session).not.toHaveProperty('missingScope')
})

test('an ID Token whose issuer has no https:// is accepted', async () => {
  const { client, google } = world({ iss: 'accounts.google.com' })
  await client.signIn()
  expect(client.session).toMatchObject({ claims: { sub: '1069' } })
  expect(google.met).toContain('issuerWithoutScheme')
})

test('offline_access, which Google does not know, is not sent', async () => {
  const { client } = world({}, { scope: 'openid offline_access' })
  await client.signIn()
  expect(client.session.status).toBe('signed-in')
})

test('a page that needs no refresh token asks for none', async () => {
  const { client, google, warnings } = world({}, { offline: false })
  await client.signIn()
  expect(google.met).toContain('refreshTokenOnlyOffline')
  expect(warnings()).toContain('no_refresh_token')
})

test('a user who withdraws the grant is signed out with the reason', async () => {
  const { client, google } = world()
  await client.signIn()
  google.withdraw()
  expect((await client.fetch(FILES)).status).toBe(401)
  expect(client.session).toEqual({ status: 'signed-out', reason: 'expired' })
  expect([...google.met]).toEqual(expect.arrayContaining(['apiError', 'deadRefreshToken']))
})

test('a sign-out revokes the grant once, and the error for the other token is not reported as a failure', async () => {
  const { client, google, events } = world()
  await client.signIn()
  await client.signOut()
  expect(google.grants.map(({ alive }) => alive)).toEqual([false])
  expect(events).toContainEqual(expect.objectContaining({ type: 'revocation-response', ok: true }))
})

test("the app's parameters are added to the ones that Google requires", () => {
  const { authorizationParameters } = google({
    ...credentials,
    authorizationParameters: { hd: 'example.com', prompt: 'select_account consent' },
  })
  expect(authorizationParameters).toEqual({
    access_type: 'offline',
    hd: 'example.com',
    prompt: 'select_account consent',
  })
})

test('an app that takes away prompt=consent gets no refresh token at a later sign-in, and a warning', async () => {
  const { client, google, warnings } = world(
    { grantedBefore: ['openid'] },
    { authorizationParameters: { prompt: 'select_account' } },
  )
  await client.signIn()
  expect(google.met).toContain('refreshTokenOnlyWithConsent')
  expect(warnings()).toContain('no_refresh_token')
})

test('Google itself refuses the scope offline_access on a page of its own', async () => {
  const made = hosted(clock => createGoogle({ clock, ...credentials }))
  const { client } = made.client({
    ...{ ...google(credentials), scope: 'openid offline_access' },
    ...{ redirectUri: 'https://app.example.com/callback', allowedOrigins: [] },
  })
  await expect(client.signIn()).rejects.toThrow()
  expect(made.double.met).toContain('unknownScope')
})

// the last test: the others have met them
test('each known fact of the double has affected a test', () => {
  expect(hosted.unmet()).toEqual([])
})
