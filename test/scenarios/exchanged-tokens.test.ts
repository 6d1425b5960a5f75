import { expect, test } from 'vitest'
import { ConfigurationError, ServerError } from '../../src/errors.ts'
import { custom, jwtBearer, tokenExchange } from '../../src/grants.ts'
import type { ClientOptions } from '../../src/options.ts'
import { altered } from '../support/faults.ts'
import { signingKey } from '../support/signing-key.ts'
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

test('the exchanged token says who acts for its user, and who acted before (RFC 8693 section 4.1)', async () => {
  const { signedIn, downstream, double, client: other } = service()
  const alice = await signedIn()
  const actor = async (name: string) => {
    const client = other({ session: name, subject: () => name })
    await client.signIn()
    return client
  }
  const exchange = (grant: Parameters<typeof tokenExchange>[0]) =>
    downstream({ grant: tokenExchange(grant), store: undefined })

  const plain = exchange({ subjectToken: alice })
  expect(double.actOf(await plain.getAccessToken())).toBeUndefined() // impersonation

  const byRobot = exchange({ subjectToken: alice, actorToken: await actor('robot') })
  expect(double.actOf(await byRobot.getAccessToken())).toEqual({ sub: 'robot' })
  expect(await who(byRobot)).toBe('alice')

  const byNext = exchange({ subjectToken: byRobot, actorToken: await actor('next') })
  expect(double.actOf(await byNext.getAccessToken())).toEqual({ sub: 'next', act: { sub: 'robot' } })
  expect(await who(byNext)).toBe('alice')
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

const PARTNER = 'https://partner.example.com'
const partnerKey = signingKey('partner')
const strangerKey = signingKey('partner')

/** The claims of an assertion of the partner that the server accepts. */
const claimsFor = ({ as, clock }: Pick<World, 'as' | 'clock'>) => ({
  ...{ iss: PARTNER, sub: 'alice', aud: as.issuer },
  exp: clock.now() / 1000 + 60,
})

test('a signed assertion is exchanged for a token', async () => {
  const { as, clock, downstream, double } = service()
  double.trusted.set(PARTNER, partnerKey)
  const assertion = await partnerKey.sign(claimsFor({ as, clock }))
  expect(await who(downstream({ grant: jwtBearer({ assertion }) }))).toBe('alice')
  const toEndpoint = await partnerKey.sign({
    ...claimsFor({ as, clock }),
    ...{ sub: 'bob', aud: ['https://other.example.com', `${as.issuer}/token`] },
  })
  expect(await who(downstream({ grant: jwtBearer({ assertion: toEndpoint }) }))).toBe('bob')
})

test.each<[string, (claims: ReturnType<typeof claimsFor>) => Promise<string>]>([
  ['that somebody else has signed', claims => strangerKey.sign(claims)],
  ['that nobody has signed', claims => partnerKey.sign(claims, { alg: 'none' })],
  [
    'that was changed after it was signed',
    async claims => {
      const [header, , signature] = (await partnerKey.sign(claims)).split('.')
      return [header, (await partnerKey.sign({ ...claims, sub: 'admin' })).split('.')[1], signature].join('.')
    },
  ],
  ['of an unknown issuer', claims => partnerKey.sign({ ...claims, iss: 'https://unknown.example.com' })],
  ['without an issuer', claims => partnerKey.sign({ ...claims, iss: undefined })],
  ['without a subject', claims => partnerKey.sign({ ...claims, sub: undefined })],
  ['for another server', claims => partnerKey.sign({ ...claims, aud: 'https://other.example.com' })],
  ['without an audience', claims => partnerKey.sign({ ...claims, aud: undefined })],
  ['that has expired', claims => partnerKey.sign({ ...claims, exp: claims.exp - 61 })],
  ['that never expires', claims => partnerKey.sign({ ...claims, exp: undefined })],
  ['that is not valid yet', claims => partnerKey.sign({ ...claims, nbf: claims.exp - 1 })],
  ['that is no JWT', async () => 'not-a-jwt'],
])('an assertion %s is refused, and the error says so (RFC 7523 section 3)', async (_what, sign) => {
  const { as, clock, downstream, double } = service()
  double.trusted.set(PARTNER, partnerKey)
  const assertion = await sign(claimsFor({ as, clock }))
  const client = downstream({ grant: jwtBearer({ assertion }) })
  const error = await client.getAccessToken().catch(reason => reason)
  expect(error).toBeInstanceOf(ServerError)
  expect(error).toMatchObject({ error: 'invalid_grant' })
  expect(double.seen.length).toBe(1)
})

test('an access token is exchanged on behalf of its user at Microsoft Entra', async () => {
  const { as, clock, downstream, double } = service()
  double.trusted.set(as.issuer, partnerKey)
  const assertion = await partnerKey.sign({ ...claimsFor({ as, clock }), iss: as.issuer, aud: 'app' })
  const grant = jwtBearer({ assertion, onBehalfOf: true })
  expect(await who(downstream({ grant, scope: 'https://graph.example.com/.default' }))).toBe('alice')
  expect(double.seen[0]?.form).toEqual({
    client_id: 'app',
    grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer',
    assertion,
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
