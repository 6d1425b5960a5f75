import { expect, test } from 'vitest'
import { slack } from '../../../src/providers/slack.ts'
import { createSlack } from '../../support/hosted/slack.ts'
import { hostedWorlds } from '../../support/hosted/world.ts'

const TEST = 'https://slack.com/api/auth.test'
const credentials = { clientId: '1.2', clientSecret: 'slack-app-secret' }
const hosted = hostedWorlds()

const world = (options: Partial<Parameters<typeof slack>[0]>) => {
  const made = hosted(clock => createSlack({ clock, ...credentials }))
  const app = { redirectUri: 'https://app.example.com/callback', allowedOrigins: ['https://slack.com'] }
  return { ...made, slack: made.double, ...made.client({ ...slack({ ...credentials, ...options }), ...app }) }
}

test.each([
  ["the user's", { userScope: ['chat:write', 'users:read'] }, ['chat:write', 'users:read']],
  ["the bot's", { scope: 'commands chat:write' }, ['commands', 'chat:write']],
])('a session has %s token, and each refresh rotates it', async (_whose, options, scope) => {
  const { client, slack, clock } = world(options)
  await client.signIn()
  expect(client.session).toMatchObject({ scope })
  expect(client.session).not.toHaveProperty('missingScope')
  for (let day = 0; day < 2; day++) {
    clock.advance(24 * 3_600_000)
    const response = await client.fetch(TEST, { method: 'POST' })
    expect(await response.json()).toEqual({ ok: true, user_id: 'U1' })
  }
  expect(new Set(slack.forms.flatMap(form => form.get('refresh_token') ?? [])).size).toBe(2)
})

test('a dead refresh token, which Slack reports with status 200, ends the session as expired', async () => {
  const { client, slack, clock } = world({ userScope: 'chat:write' })
  await client.signIn()
  for (const grant of slack.grants) grant.alive = false
  clock.advance(13 * 3_600_000)
  await expect(client.fetch(TEST)).rejects.toMatchObject({ code: 'ERR_AUTHORIZATION_REQUIRED' })
  expect(client.session).toEqual({ status: 'signed-out', reason: 'expired' })
  expect(slack.met).toContain('deadRefreshToken')
})

test("a failed sign-in has Slack's error code", async () => {
  const { client } = world({ userScope: 'chat:write', clientSecret: 'other' })
  await expect(client.signIn()).rejects.toMatchObject({ code: 'ERR_CALLBACK', error: 'bad_client_secret' })
})

test("a bot's token is rejected as a session if the user's was requested", async () => {
  const { client, slack } = world({ userScope: 'chat:write' })
  slack.failNext.push(() =>
    Response.json({ ok: true, access_token: 'xoxb-1', token_type: 'bot', authed_user: { id: 'U1' } }),
  )
  await expect(client.signIn()).rejects.toMatchObject({ code: 'ERR_CALLBACK', reason: 'invalid_response' })
  expect(client.session.status).not.toBe('signed-in')
})

// the last test: the others have met them
test('each known fact of the double has affected a test', () => {
  expect(hosted.unmet()).toEqual([])
})
