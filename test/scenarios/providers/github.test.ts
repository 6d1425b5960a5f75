import { expect, test } from 'vitest'
import { github } from '../../../src/providers/github.ts'
import { createGitHub } from '../../support/hosted/github.ts'
import { hostedWorlds } from '../../support/hosted/world.ts'

const USER = 'https://api.github.com/user'
const credentials = { clientId: 'Iv1.app', clientSecret: 'github-app-secret' }
const hosted = hostedWorlds()

const world = (isApp = true, options: Partial<Parameters<typeof github>[0]> = {}) => {
  const made = hosted(clock => createGitHub({ clock, ...credentials, isApp }))
  const app = { redirectUri: 'http://127.0.0.1:8400/callback', allowedOrigins: ['https://api.github.com'] }
  return {
    ...made,
    github: made.double,
    ...made.client({ ...github({ ...credentials, ...options }), ...app }),
  }
}

test("a GitHub App's session refreshes both tokens at once", async () => {
  const { client, github, clock } = world()
  await client.signIn()
  expect(github.met).toContain('issInCallback')
  for (let day = 0; day < 3; day++) {
    clock.advance(24 * 3_600_000)
    expect((await client.fetch(USER)).status).toBe(200)
  }
  expect(github.met).toContain('bothReplaced')
  expect(github.met).not.toContain('formUnlessAsked')
})

test("an OAuth app's session has an access token that does not expire", async () => {
  const { client, clock } = world(false, { scope: 'repo read:user' })
  await client.signIn()
  expect(client.session).toMatchObject({ scope: ['repo', 'read:user'], accessTokenExpiresAt: undefined })
  expect(client.session).not.toHaveProperty('missingScope')
  clock.advance(365 * 24 * 3_600_000)
  expect((await client.fetch(USER)).status).toBe(200)
})

test('a dead refresh token, which GitHub reports with status 200, ends the session as expired', async () => {
  const { client, github, clock } = world()
  await client.signIn()
  for (const grant of github.grants) grant.alive = false
  clock.advance(9 * 3_600_000)
  await expect(client.fetch(USER)).rejects.toMatchObject({ code: 'ERR_AUTHORIZATION_REQUIRED' })
  expect(client.session).toEqual({ status: 'signed-out', reason: 'expired' })
})

test('an error names a wrong secret without repeating it', async () => {
  const { client } = world(true, { clientSecret: 'a-wrong-secret' })
  const error = await client.signIn().catch(error => error)
  expect(error).toMatchObject({ code: 'ERR_CALLBACK', error: 'incorrect_client_credentials' })
  expect(JSON.stringify([error, error.message, error.cause])).not.toContain('a-wrong-secret')
})

test('GitHub Enterprise has its endpoints on its own host', () => {
  expect(github({ clientId: 'app', host: 'github.example.com' }).server).toEqual({
    issuer: 'https://github.example.com/login/oauth',
    authorization_endpoint: 'https://github.example.com/login/oauth/authorize',
    token_endpoint: 'https://github.example.com/login/oauth/access_token',
  })
})

test('the double answers a request for anything but JSON as GitHub does', async () => {
  const { github, fetch } = world()
  const answer = await fetch('https://github.com/login/oauth/access_token', { method: 'POST' })
  expect(answer.headers.get('content-type')).toBe('application/x-www-form-urlencoded')
  expect(github.met).toContain('formUnlessAsked')
})

// the last test: the others have met them
test('each known fact of the double has affected a test', () => {
  expect(hosted.unmet()).toEqual([])
})
