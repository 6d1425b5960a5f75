import { expect, test } from 'vitest'
import type { UserAgent } from '../../src/core/ports.ts'
import {
  captivePortal,
  type Fault,
  hang,
  reset,
  resetAfterWork,
  status,
  truncated,
} from '../support/faults.ts'
import { signingKey } from '../support/signing-key.ts'
import { type TestClient, type World, worlds } from '../support/world.ts'

const world = worlds()

/** Starts a sign-in by redirect. The callback URL arrives later. */
async function callbackOf(here: World, client: TestClient): Promise<string> {
  let callback = ''
  const redirect: UserAgent = {
    name: 'redirect',
    begin: redirectUri => ({
      redirectUri,
      async authorize(url) {
        callback = here.as.approve(url)
        return undefined
      },
      close() {},
    }),
  }
  await client.signIn({ userAgent: redirect })
  return callback
}

test.for<[string, Fault[]]>([
  ['answered with 503', [status(503)]],
  ['unreachable', [reset, reset]],
  ['replaced by a page', [status(200, { 'content-type': 'text/html' }, '<title>Wi-Fi</title>')]],
])(
  "a code is not sent while the server's keys are %s, so that a reload completes the sign-in [F8.5]",
  async ([, faults]) => {
    const here = world()
    const client = here.client()
    const callback = await callbackOf(here, client)
    here.as.failKeys.push(...faults)
    await expect(client.handleCallback(callback)).rejects.toMatchObject({
      code: 'ERR_NETWORK',
      retryable: true,
    })
    expect(here.as.tokenRequests).toEqual([])
    here.clock.advance(11_000)
    expect(await client.handleCallback(callback)).toMatchObject({
      handled: true,
      session: { status: 'signed-in' },
    })
    expect(here.as.count('authorization_code')).toBe(1)
  },
)

test('latchkey waits five seconds for keys that never arrive before it sends the code [F8.5]', async () => {
  const here = world()
  const client = here.client()
  const callback = await callbackOf(here, client)
  here.as.failKeys.push(hang)
  const late = client.handleCallback(callback)
  late.catch(() => {})
  await expect.poll(() => here.as.requests).toContain('GET /jwks')
  here.clock.advance(5000)
  await expect(late).rejects.toMatchObject({ code: 'ERR_NETWORK', reason: 'timeout' })
  expect(here.as.tokenRequests).toEqual([])
})

test('a key lookup after the exchange is repeated after a 503 [F8.5]', async () => {
  const here = world()
  const client = await here.signedIn()
  here.as.key = signingKey('key-2')
  here.as.failKeys.push(status(503), status(503))
  await client.signIn()
  expect(client.session.status).toBe('signed-in')
  expect(here.as.revocations).toEqual([])
})

test('tokens whose key does not arrive in time are dropped and revoked, and the error says to start again [F8.5]', async () => {
  const here = world()
  const client = await here.signedIn()
  await client.signOut()
  here.as.revocations.length = 0
  here.as.key = signingKey('key-2')
  here.as.failKeys.push(...Array<Fault>(40).fill(status(503)))
  const error = await client.signIn().catch(error => error)
  expect(error).toMatchObject({ code: 'ERR_CALLBACK', reason: 'invalid_response', retryable: true })
  expect(error.message).toMatch(/could not fetch the keys to verify them: .* Sign in again/)
  expect(error.message).not.toMatch(/stolen/)
  await expect.poll(() => here.as.revocations.map(({ hint }) => hint)).toEqual(['refresh_token'])
  here.as.failKeys.length = 0
  expect((await client.signIn()).status).toBe('signed-in')
})

test('a token response that was cut off or came from a captive portal is not blamed on the keys [F8.5]', async () => {
  for (const fault of [truncated, captivePortal]) {
    const here = world()
    const client = here.client()
    const callback = await callbackOf(here, client)
    here.as.failNext.push(fault)
    await expect(client.handleCallback(callback)).rejects.toMatchObject({ code: 'ERR_NETWORK' })
  }
})

test('a reload after a lost token response is not reported as an attack [F8.5]', async () => {
  const here = world()
  const client = here.client()
  const callback = await callbackOf(here, client)
  here.as.failNext.push(resetAfterWork)
  await expect(client.handleCallback(callback)).rejects.toMatchObject({ code: 'ERR_NETWORK' })
  const error = await client.handleCallback(callback).catch(error => error)
  expect(error).toMatchObject({ code: 'ERR_CALLBACK', error: 'invalid_grant' })
  expect(error.message).toMatch(/earlier try may have sent this code/)
  expect(error.message).not.toMatch(/stolen/)
})
