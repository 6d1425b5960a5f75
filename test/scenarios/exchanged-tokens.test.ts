import { expect, test } from 'vitest'
import { ConfigurationError, ServerError } from '../../src/errors.ts'
import { custom, jwtBearer, tokenExchange } from '../../src/grants.ts'
import type { ClientOptions } from '../../src/options.ts'
import { altered } from '../support/faults.ts'
import { API } from '../support/strict-api.ts'
import { ACCESS_TOKEN, strictGrants } from '../support/strict-grants.ts'
import { type World, worlds } from '../support/world.ts'

const world = worlds()

function service() {
  const double = strictGrants()
  const here = world({ grants: double.grants })
  const downstream = (own: Partial<ClientOptions> & Pick<ClientOptions, 'grant'>) =>
    here.client({ redirectUri: undefined, scope: 'read', ...own } as never)
  return { ...here, double, downstream }
}

const who = async (client: ReturnType<World['client']>) =>
  ((await client.fetch(`${API}/me`).then(answer => answer.json())) as { who: string }).who

test("a user's token is exchanged for one that another API accepts [GR08]", async () => {
  const { signedIn, downstream, double } = service()
  const alice = await signedIn()
  const subjectToken = await alice.getAccessToken()
  const client = downstream({ grant: tokenExchange({ subjectToken, audience: 'photos' }) })
  expect(await who(client)).toBe('alice')
  expect(await who(client)).toBe('alice')
  expect(double.seen.map(({ form }) => form)).toEqual([
    {
      client_id: 'app',
      grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
      subject_token: subjectToken,
      subject_token_type: ACCESS_TOKEN,
      audience: 'photos',
      scope: 'read',
    },
  ])
})

test('the request names an actor in addition to the subject (RFC 8693 section 4.1)', async () => {
  const { signedIn, downstream, double, client: other } = service()
  const alice = await signedIn()
  const robot = other({ session: 'robot', subject: () => 'robot' })
  await robot.signIn()
  const grant = tokenExchange({ subjectToken: alice, actorToken: () => robot.getAccessToken() })
  expect(await who(downstream({ grant, store: undefined }))).toBe('alice')
  expect(double.seen[0]?.form).toMatchObject({
    actor_token: await robot.getAccessToken(),
    actor_token_type: ACCESS_TOKEN,
    subject_token: await alice.getAccessToken(),
  })
})

test('each subject token has its own tokens in a shared store, and no entry name reveals it', async () => {
  const { client, downstream, store, double } = service()
  const users = ['alice', 'bob'].map(name => client({ session: name, subject: () => name }))
  const tokens = await Promise.all(users.map(user => user.signIn().then(() => user.getAccessToken())))
  const clients = tokens.map(subjectToken => downstream({ grant: tokenExchange({ subjectToken }) }))
  expect(await Promise.all(clients.map(who))).toEqual(['alice', 'bob'])
  expect(await Promise.all([...clients].reverse().map(who))).toEqual(['bob', 'alice'])
  const again = tokens.map(subjectToken => downstream({ grant: tokenExchange({ subjectToken }) }))
  expect(await Promise.all(again.map(who))).toEqual(['alice', 'bob'])
  expect(double.seen.length).toBe(2)
  for (const key of await store.keyValue.keys('')) for (const one of tokens) expect(key).not.toContain(one)
})

test("a function that returns the subject token requires a session name if the store may hold other users' tokens", async () => {
  const { downstream, double, signedIn } = service()
  const alice = await signedIn()
  const subjectToken = () => alice.getAccessToken()
  expect(() => downstream({ grant: tokenExchange({ subjectToken }) })).toThrow(ConfigurationError)
  expect(() => downstream({ grant: tokenExchange({ subjectToken }) })).toThrow(/"session"/)
  expect(() => downstream({ grant: jwtBearer({ assertion: subjectToken }) })).toThrow(/"session"/)
  expect(() => downstream({ grant: custom('urn:example', () => ({})) })).toThrow(/"session"/)
  const both = [1, 2].map(() => downstream({ session: 'alice', grant: tokenExchange({ subjectToken }) }))
  expect(await Promise.all(both.map(who))).toEqual(['alice', 'alice'])
  expect(double.seen.length).toBe(1)
})

test("the exchanged tokens end with the subject's session [GR09]", async () => {
  const { signedIn, downstream, expire } = service()
  let user = 'alice'
  const person = await signedIn({ subject: () => user })
  const client = downstream({ grant: tokenExchange({ subjectToken: person }), store: undefined })
  expect(await who(client)).toBe('alice')
  await person.signOut()
  await expect.poll(() => client.session.status).toBe('signed-out')
  await expect(client.fetch(`${API}/me`)).rejects.toMatchObject({ code: 'ERR_AUTHORIZATION_REQUIRED' })

  user = 'bob'
  await person.signIn()
  expect(await who(client)).toBe('bob')
  user = 'carol'
  await person.signIn()
  await expect.poll(() => client.session.status).toBe('signed-out')
  expect(await who(client)).toBe('carol')
  expire()
  expect(await who(client)).toBe('carol')
})

test('a subject whose session has ended by the next exchange also ends the exchanged session [GR09]', async () => {
  const { signedIn, downstream, as, expire } = service()
  const alice = await signedIn()
  const client = downstream({
    grant: tokenExchange({ subjectToken: () => alice.getAccessToken() }),
    session: 'alice',
  })
  expect(await who(client)).toBe('alice')
  as.endSessions()
  expire()
  await expect(client.fetch(`${API}/me`)).rejects.toMatchObject({
    code: 'ERR_AUTHORIZATION_REQUIRED',
    reason: 'expired',
  })
  expect(client.session).toEqual({ status: 'signed-out', reason: 'expired' })
})

test.each([
  ['no issued_token_type', { issued_token_type: undefined }],
  [
    'a refresh token instead of an access token',
    { issued_token_type: 'urn:ietf:params:oauth:token-type:refresh_token' },
  ],
  [
    'a token that no API accepts',
    { issued_token_type: 'urn:ietf:params:oauth:token-type:id-jag', token_type: 'N_A' },
  ],
])('a response with %s is rejected [GR08]', async (_what, members) => {
  const { signedIn, downstream, double } = service()
  const alice = await signedIn()
  double.exchanged = members
  const subjectToken = await alice.getAccessToken()
  const error = await downstream({ grant: tokenExchange({ subjectToken }) })
    .getAccessToken()
    .catch(reason => reason)
  expect(error).toBeInstanceOf(ServerError)
  expect(error).toMatchObject({ error: 'invalid_response' })
})

test('an assertion is exchanged for a token, also on behalf of a user at Microsoft Entra', async () => {
  const { downstream, double } = service()
  double.assertions.set('the-token-that-the-service-was-called-with', 'alice')
  const grant = jwtBearer({ assertion: 'the-token-that-the-service-was-called-with', onBehalfOf: true })
  expect(await who(downstream({ grant, scope: 'https://graph.example.com/.default' }))).toBe('alice')
  expect(double.seen[0]?.form).toEqual({
    client_id: 'app',
    grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer',
    assertion: 'the-token-that-the-service-was-called-with',
    requested_token_use: 'on_behalf_of',
    scope: 'https://graph.example.com/.default',
  })
})

test('a refresh token from an exchange is used, and if the server rejects it the exchange runs again', async () => {
  const { signedIn, downstream, as, double, expire } = service()
  const alice = await signedIn()
  const subjectToken = () => alice.getAccessToken()
  const client = downstream({ grant: tokenExchange({ subjectToken }), store: undefined })
  as.failNext.push(altered({ refresh_token: 'not-known-to-the-server-any-more' }))
  expect(await who(client)).toBe('alice')
  expire()
  await alice.getAccessToken()
  expect(await who(client)).toBe('alice')
  expect(as.tokenRequests.map(({ sent, outcome }) => [sent, outcome])).toContainEqual([
    'not-known-to-the-server-any-more',
    'invalid_grant',
  ])
  expect(double.seen.length).toBe(2)
})

test('no error, event or report contains a subject token or an assertion', async () => {
  const { downstream, as } = service()
  const assertion = 'secret-assertion-of-alice'
  as.failNext.push({
    afterWork: false,
    answer: () =>
      Response.json({ error: 'invalid_grant', error_description: `no ${assertion}` }, { status: 400 }),
  } as never)
  const client = downstream({ grant: jwtBearer({ assertion }) })
  const error = (await client.getAccessToken().catch(reason => reason)) as ServerError
  expect(error.errorDescription).toBe('no …')
  expect(JSON.stringify([error, client.explain(), client.told])).not.toContain(assertion)
})
