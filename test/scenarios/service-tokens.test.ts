import { expect, test } from 'vitest'
import {
  AuthorizationRequiredError,
  ConfigurationError,
  NetworkError,
  ServerError,
} from '../../src/errors.ts'
import { clientCredentials, custom } from '../../src/grants.ts'
import type { ClientOptions } from '../../src/options.ts'
import { hold, oauthError, reset, resetAfterWork } from '../support/faults.ts'
import { signingKey } from '../support/signing-key.ts'
import { API } from '../support/strict-api.ts'
import { strictGrants } from '../support/strict-grants.ts'
import { type World, worlds } from '../support/world.ts'

const world = worlds()

/** A server with grants for services, and the requests that it received. */
function service(options: Parameters<typeof world>[0] = {}) {
  const double = strictGrants()
  const here = world({ ...options, grants: double.grants })
  const program = (own: Partial<ClientOptions> = {}) =>
    here.client({ redirectUri: undefined, scope: 'read', grant: clientCredentials(), ...own } as never)
  return { ...here, double, program, runs: () => here.as.count('client_credentials') }
}

const get = (client: ReturnType<World['client']>) => client.fetch(`${API}/me`).then(({ status }) => status)

test('a service calls an API without a user: latchkey gets a token and uses it until it expires', async () => {
  const { program, runs, expire, double } = service()
  const client = program()
  expect(client.session.status).toBe('starting')
  expect(await get(client)).toBe(200)
  expect(await get(client)).toBe(200)
  expect(runs()).toBe(1)
  expect(double.seen[0]?.form).toEqual({
    grant_type: 'client_credentials',
    scope: 'read',
    client_id: 'app',
  })
  expect(client.session).toMatchObject({ status: 'signed-in', scope: ['read'], claims: undefined })
  expire()
  expect(await get(client)).toBe(200)
  expect(runs()).toBe(2)
  expect(client.types()).toContain('session-started')
})

test('a thousand calls at once send one token request, and all services that share the store use that token', async () => {
  const { program, runs, expire } = service()
  const [one, other] = [program(), program()]
  const answers = await Promise.all(Array.from({ length: 1000 }, () => get(one)))
  expect(new Set(answers)).toEqual(new Set([200]))
  expect(runs()).toBe(1)
  expect(await get(other)).toBe(200)
  expect(runs()).toBe(1)
  expire()
  await Promise.all([get(one), get(other), get(one), get(other)])
  expect(runs()).toBe(2)
})

test('a thousand calls at once, before there is a token and after it has expired, read the store only a few times', async () => {
  const { program, expire, store } = service()
  let [reads, writes] = [0, 0]
  const { keyValue } = store
  const counted = {
    ...store,
    keyValue: {
      ...keyValue,
      get(key: string) {
        reads++
        return keyValue.get(key)
      },
      update(key: string, change: (stored: unknown) => unknown) {
        writes++
        return keyValue.update(key, change)
      },
    },
  }
  const client = program({ store: counted })
  for (const _ of ['no token', 'an expired token']) {
    ;[reads, writes] = [0, 0]
    await Promise.all(Array.from({ length: 1000 }, () => get(client)))
    expect(reads).toBeLessThan(20)
    expect(writes).toBeLessThan(20)
    expire()
  }
})

test('the next token is fetched in the background before the current one expires', async () => {
  const { program, runs, clock, as } = service()
  const client = program()
  await client.getAccessToken()
  clock.advance(as.accessTokenSeconds * 1000 - 30_000)
  const holding = hold()
  as.failNext.push(holding)
  expect(await get(client)).toBe(200) // with the old one
  await expect.poll(runs).toBe(2)
  holding.release()
  await expect.poll(() => client.types().filter(type => type === 'token-response').length).toBe(2)
})

test('an access token that the API rejects is replaced by running the grant once, and the call is replayed', async () => {
  const { program, runs, as } = service()
  const client = program()
  await client.getAccessToken()
  as.revokeAccessTokens()
  expect(await Promise.all([get(client), get(client)])).toEqual([200, 200])
  expect(runs()).toBe(2)
})

test('a refresh token from client credentials is not used [GR07]', async () => {
  const { program, runs, expire, double, as, stored } = service()
  double.givesRefreshTokens = true
  const client = program()
  await client.getAccessToken()
  expire()
  await client.getAccessToken()
  expect([runs(), as.count('refresh_token')]).toEqual([2, 0])
  expect(JSON.stringify(await stored(''))).not.toContain('refresh-of-service')
})

test('services that request other scopes or audiences have separate tokens in the same store', async () => {
  const { program, runs, double } = service()
  const clients = [
    program(),
    program({ scope: 'write' }),
    program({ grant: clientCredentials({ audience: 'photos' }) }),
    program({ session: 'tenant-1' }),
  ]
  const tokens = await Promise.all(clients.map(client => client.getAccessToken()))
  expect(new Set(tokens).size).toBe(4)
  expect(runs()).toBe(4)
  expect(double.seen.map(({ form }) => form.audience ?? form.scope).sort()).toEqual([
    'photos',
    'read',
    'read',
    'write',
  ])
})

test('each API of "resources" gets a separate token, which is fetched again when it expires', async () => {
  const { program, runs, double, expire } = service()
  const other = 'https://photos.example.com'
  const client = program({ resources: { [other]: { audience: 'photos', scope: 'look' } } })
  const tokens = async () => [await client.getAccessToken(), await client.getAccessToken({ resource: other })]
  const first = await tokens()
  expect(new Set(first).size).toBe(2)
  expect(await tokens()).toEqual(first)
  expect(double.seen.map(({ form }) => [form.scope, form.audience])).toEqual([
    ['read', undefined],
    ['look', 'photos'],
  ])
  expire()
  expect(new Set([...first, ...(await tokens())]).size).toBe(4)
  expect(runs()).toBe(4)
})

test('a server that rejects the secret is not asked again immediately by any client of the store', async () => {
  const { program, runs, as, clock } = service()
  as.failNext.push(...Array.from({ length: 3 }, () => oauthError('invalid_client', 401)))
  const [one, other] = [program(), program()]
  const refused = async (client = one) => (await client.getAccessToken().catch(error => error)) as ServerError
  expect(await refused()).toBeInstanceOf(ServerError)
  expect(await refused(other)).toMatchObject({ code: 'ERR_SERVER', error: 'invalid_client' })
  expect(await refused()).toMatchObject({ error: 'invalid_client' })
  expect(runs()).toBe(1)
  clock.advance(10_000)
  await refused()
  expect(runs()).toBe(1)
  clock.advance(21_000)
  await refused()
  await refused(other)
  expect(runs()).toBe(2)
  clock.advance(61_000)
  as.failNext.length = 0
  expect(await get(other)).toBe(200)
  expect(await get(one)).toBe(200)
  expect(runs()).toBe(3)
})

test("no rejection ends a service's session: latchkey retries a failed grant later", async () => {
  const { program, as, clock, expire } = service()
  const client = program()
  await client.getAccessToken()
  for (const error of ['invalid_grant', 'unauthorized_client', 'invalid_grant']) {
    expire()
    as.failNext.push(oauthError(error))
    expect(await client.getAccessToken().catch(({ error }) => error)).toBe(error)
    clock.advance(61_000)
  }
  expect(client.session).toMatchObject({ status: 'signed-in', trouble: expect.anything() })
  expect(await get(client)).toBe(200)
})

test('a broken connection is retried, and a lost response does no harm', async () => {
  const { program, as, runs } = service()
  as.failNext.push(reset, resetAfterWork)
  expect(await get(program())).toBe(200)
  expect(runs()).toBe(3)
})

test('signOut() revokes and removes the token, and the next call gets another', async () => {
  const { program, as, stored, runs } = service()
  const client = program()
  const first = await client.getAccessToken()
  await client.signOut()
  expect(as.revocations.map(({ token }) => token)).toEqual([first])
  expect(client.session.status).toBe('signed-out')
  expect(await stored()).toEqual([])
  expect(await client.getAccessToken()).not.toBe(first)
  expect(runs()).toBe(2)
  const unused = program({ session: 'never used' })
  await unused.signOut()
  expect(as.revocations.length).toBe(1)
})

test('signIn() gets the first token, so a service detects a misconfiguration at start', async () => {
  const { program, runs } = service()
  expect(await program().signIn()).toMatchObject({ status: 'signed-in' })
  expect(runs()).toBe(1)
  const { program: wrong, as } = service()
  as.failNext.push(oauthError('invalid_scope'))
  await expect(wrong().signIn()).rejects.toMatchObject({ code: 'ERR_SERVER', error: 'invalid_scope' })
})

test('a hanging token request gives the caller a typed error in time', async () => {
  const { program, as, clock } = service()
  as.failNext.push(hold(), hold(), hold())
  const asked = program()
    .getAccessToken()
    .catch(error => error)
  await expect.poll(() => as.count('client_credentials')).toBe(1)
  clock.advance(8000)
  expect(await asked).toBeInstanceOf(NetworkError)
})

test('custom() runs any other grant, with parameters that are fixed or made for each request', async () => {
  const { program, double, as, expire } = service()
  const robots = signingKey('robots')
  double.trusted.set('https://robots.example.com', robots)
  let count = 0
  const client = program({
    grant: custom(
      'urn:ietf:params:oauth:grant-type:jwt-bearer',
      async ({ issuer, clientId, server, now }) => {
        expect([issuer, clientId, server.token_endpoint]).toEqual([as.issuer, 'app', `${as.issuer}/token`])
        expect(now).toBeGreaterThan(1_600_000_000)
        const claims = { iss: 'https://robots.example.com', sub: 'robot', aud: issuer, exp: now + 60 }
        return { assertion: await robots.sign({ ...claims, jti: `assertion-${++count}` }) }
      },
    ),
    store: undefined,
  } as never)
  expect(await get(client)).toBe(200)
  expire()
  expect(await get(client)).toBe(200)
  const ids = double.seen.map(({ form }) => {
    const [, claims = ''] = (form.assertion ?? '').split('.')
    return JSON.parse(Buffer.from(claims, 'base64url').toString()).jti
  })
  expect(ids).toEqual(['assertion-1', 'assertion-2'])
})

test('an app function that fails or hangs is reported with a typed error', async () => {
  const { program, clock } = service()
  const failing = program({
    grant: custom('urn:example', () => Promise.reject(new Error('no key'))),
    store: undefined,
  } as never)
  await expect(failing.getAccessToken()).rejects.toMatchObject({
    code: 'ERR_CONFIGURATION',
    cause: expect.objectContaining({ message: 'no key' }),
  })
  const hanging = program({
    grant: custom('urn:example', () => new Promise(() => {})),
    store: undefined,
  } as never)
  const asked = hanging.getAccessToken().catch(error => error)
  await expect.poll(() => clock.waiting).toBeGreaterThan(0)
  clock.advance(8000)
  expect(await asked).toMatchObject({ code: 'ERR_NETWORK', reason: 'timeout' })
  const empty = program({
    grant: custom('urn:example', () => ({ assertion: '' })),
    store: undefined,
  } as never)
  await expect(empty.getAccessToken()).rejects.toThrow(/"assertion"/)
})

test('the password grant works only with custom(), and warns [GR11]', async () => {
  const { program } = service()
  const client = program({
    grant: custom('password', { username: 'alice', password: 'correct horse battery' }),
    store: undefined,
  } as never)
  expect(await get(client)).toBe(200)
  expect(client.told).toContainEqual(expect.objectContaining({ type: 'warning', about: 'password_grant' }))
})

test("a grant's forbidden parameters are rejected at creation", () => {
  expect(() => clientCredentials({ parameters: { client_id: 'other' } })).toThrow(ConfigurationError)
  expect(() => clientCredentials({ parameters: { audience: '' } })).toThrow(/"audience"/)
  expect(() => custom('refresh_token')).toThrow(ConfigurationError)
  expect(() => custom('')).toThrow(ConfigurationError)
  const { program } = service()
  expect(() => program({ grant: 'client_credentials' as never })).toThrow(/"grant"/)
  expect(() => program({ session: '' })).toThrow(/"session"/)
})

test('a client of the code flow never uses the token of a service with the same client ID', async () => {
  const { program, client } = service()
  await program().getAccessToken()
  const person = client()
  expect((await person.start()).status).toBe('signed-out')
  await expect(person.getAccessToken()).rejects.toBeInstanceOf(AuthorizationRequiredError)
})
