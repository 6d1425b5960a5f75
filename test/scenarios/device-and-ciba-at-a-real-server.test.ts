import { afterAll, beforeAll, expect, test } from 'vitest'
import type { ClientEvent } from '../../src/core/events.ts'
import { dpop } from '../../src/dpop.ts'
import { CallbackError, ConfigurationError } from '../../src/errors.ts'
import { clientSecretBasic } from '../../src/extensions/client-authentication.ts'
import { ciba, clientCredentials, type DeviceCodePrompt, deviceCode } from '../../src/grants.ts'
import { createClient, memory, type NodeClientOptions } from '../../src/node.ts'
import { handClock } from '../support/clock.ts'
import {
  CLI,
  type GrantServer,
  NOTES,
  SERVICE,
  SERVICE_SECRET,
  startGrantServer,
} from '../support/grant-server.ts'

let server: GrantServer
beforeAll(async () => {
  server = await startGrantServer()
})
afterAll(() => server?.close())

function client(own: Partial<NodeClientOptions>) {
  const made = createClient({
    issuer: server.issuer,
    clientId: CLI,
    scope: 'openid offline_access notes:read',
    allowedOrigins: [],
    store: memory(),
    clock: handClock({ skipUpToMs: 5000 }), // the test skips the pauses between polls
    ...own,
  } as NodeClientOptions)
  const told: ClientEvent[] = []
  made.events.subscribe(event => told.push(event))
  return Object.assign(made, { told })
}

const polls = (type: string) => server.tokenRequests.filter(form => form.get('grant_type') === type).length

test('a device signs in with a code that its user enters elsewhere, and stays signed in', async () => {
  let shown: DeviceCodePrompt | undefined
  const clock = handClock({ skipUpToMs: 5000 })
  const device = client({
    clock,
    grant: deviceCode({
      show(prompt) {
        shown = prompt
        setTimeout(() => void server.agree(prompt.verificationUriComplete as string, 'alice'), 50)
      },
    }),
  })
  expect(await device.signIn()).toMatchObject({ status: 'signed-in', claims: { sub: 'alice' } })
  expect(shown).toMatchObject({
    userCode: expect.stringMatching(/^\w{4}-\w{4}$/),
    verificationUri: `${server.issuer}/device`,
    verificationUriComplete: expect.stringContaining('user_code='),
  })
  expect(polls('urn:ietf:params:oauth:grant-type:device_code')).toBeGreaterThan(1) // authorization_pending before
  const first = await device.getAccessToken()
  clock.advance(3601_000)
  expect(await device.getAccessToken()).not.toBe(first)
  expect(polls('refresh_token')).toBe(1)
  device.dispose()
})

test('a user who refuses ends the sign-in with access_denied and leaves the session unchanged', async () => {
  const device = client({
    grant: deviceCode({ show: ({ userCode }) => server.refuse(userCode) }),
  })
  await device.start()
  const error = await device.signIn().catch(reason => reason)
  expect(error).toBeInstanceOf(CallbackError)
  expect(error).toMatchObject({ reason: 'authorization_error', error: 'access_denied' })
  expect(device.session.status).toBe('signed-out')
  device.dispose()
})

test('a second terminal that waits with its own code adopts the session that the first one gets', async () => {
  const store = memory()
  const prompts: DeviceCodePrompt[] = []
  // each has its own clock: with a shared one, the pauses of one terminal would exceed the time limit of the other's request
  const terminals = [1, 2].map(() =>
    client({ store, grant: deviceCode({ show: one => void prompts.push(one) }) }),
  )
  const signIns = terminals.map(terminal => terminal.signIn())
  await expect.poll(() => prompts.length).toBe(2)
  await server.agree(prompts[1]?.verificationUriComplete as string, 'bob')
  for (const session of await Promise.all(signIns)) expect(session).toMatchObject({ claims: { sub: 'bob' } })
  expect(await terminals[0]?.getAccessToken()).toBe(await terminals[1]?.getAccessToken())
  for (const terminal of terminals) terminal.dispose()
})

test("a device's tokens can be bound to a key (RFC 9449)", async () => {
  const device = client({
    extensions: [dpop()],
    grant: deviceCode({
      show: prompt =>
        void setTimeout(() => void server.agree(prompt.verificationUriComplete as string, 'dora'), 50),
    }),
  })
  expect(await device.signIn()).toMatchObject({ claims: { sub: 'dora' } })
  const token = await server.provider.AccessToken.find(await device.getAccessToken())
  expect(token).toMatchObject({ jkt: expect.any(String) })
  device.dispose()
})

test('a user is found by a hint and approves on another device (CIBA in poll mode)', async () => {
  const bank = client({ grant: ciba({ loginHint: 'alice', bindingMessage: 'W4SCT' }) })
  expect(await bank.signIn()).toMatchObject({ status: 'signed-in', claims: { sub: 'alice' } })
  expect(polls('urn:openid:params:grant-type:ciba')).toBe(1)
  bank.dispose()

  server.decide = () => 'refuse'
  const refused = client({ grant: ciba() })
  await expect(refused.signIn({ authorizationParameters: { login_hint: 'bob' } })).rejects.toMatchObject({
    code: 'ERR_CALLBACK',
    error: 'access_denied',
  })
  await expect(refused.signIn()).rejects.toBeInstanceOf(ConfigurationError)
  refused.dispose()
})

test('a service gets a token for one API with its secret', async () => {
  const service = client({
    clientId: SERVICE,
    clock: undefined,
    clientAuthentication: clientSecretBasic(SERVICE_SECRET),
    grant: clientCredentials({ resource: NOTES }),
    scope: 'notes:read',
  })
  const accessToken = await service.getAccessToken()
  const known = await server.provider.ClientCredentials.find(accessToken)
  expect(known).toMatchObject({ clientId: SERVICE, scope: 'notes:read', aud: NOTES })
  service.dispose()
  const wrong = client({
    clientId: SERVICE,
    clock: undefined,
    clientAuthentication: clientSecretBasic('a wrong secret'),
    grant: clientCredentials(),
    scope: '',
  })
  await expect(wrong.getAccessToken()).rejects.toMatchObject({ code: 'ERR_SERVER', error: 'invalid_client' })
  wrong.dispose()
})

test("a service's tokens can be bound to a key", async () => {
  const service = client({
    clientId: SERVICE,
    clock: undefined,
    clientAuthentication: clientSecretBasic(SERVICE_SECRET),
    grant: clientCredentials({ resource: NOTES }),
    extensions: [dpop()],
    scope: 'notes:read',
  })
  const known = await server.provider.ClientCredentials.find(await service.getAccessToken())
  expect(known).toMatchObject({ jkt: expect.any(String) })
  service.dispose()
})
