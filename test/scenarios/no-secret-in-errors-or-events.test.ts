import { expect, test } from 'vitest'
import { everything } from '../support/canaries.ts'
import {
  altered,
  captivePortal,
  type Fault,
  hang,
  oauthError,
  reset,
  resetAfterWork,
  status,
  truncated,
} from '../support/faults.ts'
import { API } from '../support/strict-api.ts'
import { type World, worlds } from '../support/world.ts'

const world = worlds()

/** The secrets of this world that a text contains. */
const secretsIn = ({ as }: World, text: string) => [...as.secrets].filter(secret => text.includes(secret))

/** A response that echoes the request, as careless servers do. */
const echo = (sent: () => string, code: number): Fault => ({
  afterWork: false,
  answer: () =>
    Response.json(
      {
        error: 'invalid_request',
        error_description: `bad: ${sent()}`,
        error_uri: `https://e.example/${sent()}`,
      },
      { status: code },
    ),
})

const failures: [string, (here: World) => Fault][] = [
  ['a broken connection', () => reset],
  ['a lost response', () => resetAfterWork],
  ['a truncated response', () => truncated],
  ['503', () => status(503)],
  ['429', () => status(429, { 'retry-after': '60' })],
  ['a captive portal', () => captivePortal],
  ['204', () => status(204)],
  ['a redirect', () => status(302, { location: 'https://portal.example' })],
  ['invalid_grant', () => oauthError('invalid_grant')],
  [
    'invalid_client with a challenge',
    () => oauthError('invalid_client', 401, { 'www-authenticate': 'Basic' }),
  ],
  [
    'an error that repeats the request [MX11]',
    ({ as }) => echo(() => as.tokenRequests.at(-1)?.sent ?? '', 400),
  ],
  [
    'an error that is the request itself',
    ({ as }) => ({
      afterWork: false,
      answer: () => Response.json({ error: as.tokenRequests.at(-1)?.sent }, { status: 400 }),
    }),
  ],
  [
    'a page that repeats the request',
    ({ as }) => ({
      afterWork: false,
      answer: () =>
        new Response(`<h1>${as.tokenRequests.at(-1)?.sent}</h1>`, {
          headers: { 'content-type': 'text/html' },
        }),
    }),
  ],
  ['a token type that nobody knows', () => altered({ token_type: 'mac' })],
  ['an access token that is no text', () => altered({ access_token: { nested: 'access' } })],
  ['a lifetime that is nonsense', () => altered({ expires_in: 'soon' })],
  ['an ID Token that is none', () => altered({ id_token: 'a.b.c' })],
  ['a scope that is no text', () => altered({ scope: ['read'] })],
]

test.each(failures)('no secret is in errors or events of a refresh that meets %s', async (_what, fault) => {
  const here = world()
  const client = await here.signedIn()
  here.expire()
  here.as.failNext.push(...Array<Fault>(3).fill(fault(here)))
  const shown: unknown[] = [client.told, client.session]
  await Promise.all([
    client.fetch(`${API}/me`).then(
      response => shown.push(response.status),
      error => shown.push(error),
    ),
    client.getAccessToken().catch((error: unknown) => shown.push(error)),
  ])
  expect(secretsIn(here, everything(shown))).toEqual([])
})

test.each(failures)('no secret is in errors or events of a sign-in that meets %s', async (_what, fault) => {
  const here = world()
  const client = here.client()
  here.as.failNext.push(...Array<Fault>(3).fill(fault(here)))
  const shown: unknown[] = [client.told]
  await client.signIn().catch((error: unknown) => shown.push(error))
  shown.push(client.session)
  expect(secretsIn(here, everything(shown))).toEqual([])
})

test('no secret is in errors or events of a time-out, a failed sign-out, or a complete successful session', async () => {
  const here = world()
  const { as, clock } = here
  const client = await here.signedIn()
  await client.fetch(`${API}/me`)
  here.expire()
  as.failNext.push(hang)
  const call = client.fetch(`${API}/me`).catch((error: unknown) => error)
  await expect.poll(() => as.count('refresh_token')).toBe(1)
  clock.advance(8000)
  const shown: unknown[] = [client.told, client.session, await call]
  clock.advance(60_000)
  await client.fetch(`${API}/me`)
  as.failRevocation.push(oauthError('invalid_request'))
  await client.signOut()
  shown.push(await client.fetch(`${API}/me`).catch((error: unknown) => error))
  expect(secretsIn(here, everything(shown))).toEqual([])
  expect(as.secrets.size).toBeGreaterThan(6)
})

test("no secret is in errors when the app's fetch repeats the request in its error", async () => {
  const here = world()
  const client = await here.signedIn({
    fetch: (input, init) =>
      here.as.count('authorization_code') && String(input).endsWith('/token')
        ? Promise.reject(new Error(`could not send ${String(init?.body)}`))
        : here.fetch(input, init),
  })
  here.expire()
  const error = await client.getAccessToken().catch((reason: unknown) => reason)
  expect(error).toMatchObject({ code: 'ERR_NETWORK' })
  expect(secretsIn(here, everything([error, client.told]))).toEqual([])
})

/** Everything that can be reached from a value through its members, including hidden ones. */
function reachable(value: unknown, seen = new Set<unknown>()): Set<unknown> {
  if (typeof value !== 'object' || value === null || seen.has(value)) return seen
  seen.add(value)
  for (const name of Reflect.ownKeys(value)) reachable(Reflect.get(value, name), seen)
  return seen
}

test.each([
  ['JSON', oauthError('invalid_request')],
  ['a challenge', oauthError('invalid_client', 401, { 'www-authenticate': 'Basic' })],
  ['a page', captivePortal],
])(
  'no response or headers can be reached from the error of a refresh rejected with %s [MX12]',
  async (_what, fault) => {
    const here = world()
    const client = await here.signedIn()
    here.expire()
    here.as.failNext.push(...Array<Fault>(3).fill(fault))
    const error = await client.getAccessToken().catch((reason: unknown) => reason)
    expect(error).toBeInstanceOf(Error)
    const parts = [...reachable(error)]
    expect(parts.filter(part => part instanceof Response || part instanceof Headers)).toEqual([])
  },
)

test('no secret is in messages to other clients [ST11]', async () => {
  const here = world()
  const news: unknown[] = []
  const listener = here.store.channel('latchkey https://id.example.com app')
  listener.listen(message => news.push(message))
  const client = await here.signedIn()
  here.expire()
  await client.fetch(`${API}/me`)
  await client.signOut()
  await expect.poll(() => news.length).toBe(4)
  listener.close()
  expect(secretsIn(here, everything(news))).toEqual([])
})
