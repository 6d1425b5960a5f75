import { expect, test } from 'vitest'
import type { Fetch } from '../../src/core/ports.ts'
import { CallbackError, ConfigurationError, ServerError } from '../../src/errors.ts'
import { type DeviceCodePrompt, deviceCode } from '../../src/grants.ts'
import type { ClientOptions } from '../../src/options.ts'
import { google } from '../../src/providers.ts'
import { hold, oauthError, reset, status } from '../support/faults.ts'
import { API } from '../support/strict-api.ts'
import type { StrictGrant } from '../support/strict-as.ts'
import { worlds } from '../support/world.ts'

const world = worlds()
const DEVICE_CODE = 'urn:ietf:params:oauth:grant-type:device_code'

const deviceSecret = crypto.randomUUID()

/** A server with the device grant whose responses a test can change, and a clock that the test moves. */
function devices(answer: Record<string, unknown> = {}) {
  let isAgreed = false
  const pollsAt: number[] = []
  const device: StrictGrant = async (form, { issue, refuse, keep }) => {
    expect(form.get('device_code')).toBe(deviceSecret)
    keep(deviceSecret)
    return isAgreed ? Response.json(await issue('alice', 'read')) : refuse('authorization_pending')
  }
  const here = world({ grants: { [DEVICE_CODE]: device } })
  const { as, clock } = here
  Object.assign(as.metadata, { device_authorization_endpoint: `${as.issuer}/device_authorization` })
  const forms: URLSearchParams[] = []
  const fetch: Fetch = async (input, init) => {
    const url = String(input)
    if (url.endsWith('/token')) pollsAt.push(clock.now())
    if (!url.endsWith('/device_authorization')) return here.fetch(input, init)
    forms.push(new URLSearchParams(String(init?.body)))
    return Response.json({
      device_code: deviceSecret,
      user_code: 'WDJB-MJHT',
      verification_uri: 'https://id.example.com/device',
      expires_in: 1800,
      ...answer,
    })
  }
  const prompts: DeviceCodePrompt[] = []
  const show = (prompt: DeviceCodePrompt) => void prompts.push(prompt)
  const client = (own: Partial<ClientOptions> = {}) =>
    here.client({ scope: 'read', fetch, userAgent: undefined, grant: deviceCode({ show }), ...own } as never)
  /** Advances the clock until this number of polls has arrived. */
  const passUntil = async (polls: number, stepMs = 1000) => {
    while (pollsAt.length < polls) {
      await new Promise(resolve => setTimeout(resolve, 1))
      if (prompts.length) clock.advance(stepMs)
    }
    await new Promise(resolve => setTimeout(resolve, 5))
  }
  return {
    ...here,
    ...{ client, prompts, forms, pollsAt, passUntil },
    agree: () => {
      isAgreed = true
    },
    pauses: () => pollsAt.map((at, index) => Math.round((at - (pollsAt[index - 1] ?? at)) / 1000)).slice(1),
  }
}

test("verification_url, Google's spelling of the address, is accepted only with the quirk of google()", async () => {
  const url = 'https://www.google.com/device'
  const answer = { verification_uri: undefined, verification_url: url }
  const refused = await devices(answer)
    .client()
    .signIn()
    .catch((error: unknown) => error)
  expect(refused).toMatchObject({ error: 'invalid_response', quirk: 'verification_url' })
  const here = devices(answer)
  const { quirks } = google({ clientId: 'app' })
  const client = here.client({ quirks })
  const signIn = client.signIn()
  here.agree()
  await here.passUntil(1)
  await signIn
  expect(here.prompts).toMatchObject([{ verificationUri: url }])
  expect(client.session.status).toBe('signed-in')
})

test('without an interval from the server, latchkey polls every 5 s, one request at a time [GR01, RA07]', async () => {
  const here = devices()
  const signIn = here.client().signIn()
  await here.passUntil(4)
  expect(here.pauses()).toEqual([5, 5, 5])
  expect(here.forms.map(form => Object.fromEntries(form))).toEqual([{ client_id: 'app', scope: 'read' }])
  const holding = hold()
  here.as.failNext.push(holding)
  here.agree()
  await here.passUntil(5)
  here.clock.advance(6000)
  await new Promise(resolve => setTimeout(resolve, 20))
  expect(here.pollsAt.length).toBe(5)
  holding.release()
  await here.passUntil(5)
  expect(await signIn).toMatchObject({ status: 'signed-in' })
})

test('slow_down makes all later pauses 5 s longer [GR02]', async () => {
  const here = devices({ interval: 3 })
  here.as.failNext.push(oauthError('slow_down'), oauthError('authorization_pending'), oauthError('slow_down'))
  const signIn = here.client().signIn()
  await here.passUntil(4)
  here.agree()
  await here.passUntil(5)
  await signIn
  expect(here.pauses()).toEqual([8, 8, 13, 13])
})

test('latchkey polls an unreachable server at growing intervals and continues the sign-in [GR04]', async () => {
  const here = devices()
  here.as.failNext.push(reset, status(503), reset, oauthError('authorization_pending'))
  const signIn = here.client().signIn()
  await here.passUntil(5)
  here.agree()
  await here.passUntil(6)
  expect(await signIn).toMatchObject({ status: 'signed-in' })
  expect(here.pauses()).toEqual([10, 20, 40, 5, 5])
})

test('latchkey respects Retry-After, and a computer that slept continues polling', async () => {
  const here = devices()
  here.as.failNext.push(status(429, { 'retry-after': '90' }))
  const signIn = here.client().signIn()
  await here.passUntil(2)
  expect(here.pauses()).toEqual([90])
  here.agree()
  here.clock.advance(600_000)
  expect(await signIn).toMatchObject({ status: 'signed-in' })
})

test("the sign-in ends when the code expires, by the server's response or by the clock", async () => {
  const here = devices({ expires_in: 12 })
  const signIn = here
    .client()
    .signIn()
    .catch(error => error)
  await here.passUntil(3)
  here.clock.advance(20_000)
  const error = await signIn
  expect(error).toBeInstanceOf(CallbackError)
  expect(error).toMatchObject({ reason: 'cancelled' })
  expect(here.pauses()).toEqual([5, 2])

  const other = devices()
  other.as.failNext.push(oauthError('expired_token'))
  const refused = other
    .client()
    .signIn()
    .catch(reason => reason)
  await other.passUntil(1)
  expect(await refused).toMatchObject({ reason: 'cancelled', error: 'expired_token' })
})

test.each([
  ['a string as its interval', { interval: '5' }],
  ['an interval of 0', { interval: 0 }],
  ['no user code', { user_code: '\u001b\u0007' }],
  ['a verification_uri that runs code', { verification_uri: 'javascript:alert(1)' }],
  ['a verification_uri that is a file', { verification_uri: 'file:///etc/passwd' }],
  ['an unencrypted verification_uri', { verification_uri: 'http://id.example.com/device' }],
  ['a verification_uri with a password', { verification_uri: 'https://id.example.com@evil.example/device' }],
])('a response with %s is rejected, and nothing is shown [GR05, GR06]', async (_what, members) => {
  const here = devices(members)
  const error = await here
    .client()
    .signIn()
    .catch(reason => reason)
  expect(error).toBeInstanceOf(ServerError)
  expect(here.prompts).toEqual([])
})

test('an expires_in of 0 ends the sign-in immediately, and huge numbers are capped [GR05]', async () => {
  const none = devices({ expires_in: 0 })
  await expect(none.client().signIn()).rejects.toMatchObject({ reason: 'cancelled' })
  expect(none.pollsAt).toEqual([])
  const huge = devices({ expires_in: 1e9, interval: 1e9 })
  const signIn = huge.client().signIn()
  await huge.passUntil(1)
  huge.agree()
  await huge.passUntil(2)
  await signIn
  expect(huge.pauses()).toEqual([300])
})

test('the displayed text has no control characters, and a link that is not https is omitted [GR06]', async () => {
  const here = devices({
    user_code: 'AB\u001b[2J\u202eCD\r\nEF',
    verification_uri: 'https://id.example.com/\u001b[31mdevice',
    verification_uri_complete: 'javascript:alert(1)',
  })
  const signIn = here.client().signIn()
  await here.passUntil(1)
  expect(here.prompts).toEqual([
    {
      userCode: 'AB[2JCDEF',
      verificationUri: 'https://id.example.com/%1B[31mdevice',
      verificationUriComplete: undefined,
      expiresInSeconds: 1800,
    },
  ])
  here.agree()
  await here.passUntil(2)
  await signIn
})

test('the session works like any other, and a call without a user agent needs no redirect URI', async () => {
  const here = devices()
  here.agree()
  const client = here.client({ redirectUri: undefined } as never)
  const signIn = client.signIn()
  await here.passUntil(1)
  await signIn
  expect((await client.fetch(`${API}/me`)).status).toBe(200)
  expect(client.types().filter(type => /^(authorization|session)/.test(type))).toEqual([
    'authorization-request',
    'session-started',
  ])
})

test('an error names a server that lacks the device grant', async () => {
  const here = devices()
  delete here.as.metadata.device_authorization_endpoint
  const error = await here
    .client()
    .signIn()
    .catch(reason => reason)
  expect(error).toBeInstanceOf(ConfigurationError)
  expect(error.message).toContain('device_authorization_endpoint')
  expect(() => deviceCode({} as never)).toThrow(/"show"/)
})

test('an error in the function that shows the code ends the sign-in', async () => {
  const here = devices()
  const grant = deviceCode({ show: () => Promise.reject(new Error('no screen')) })
  await expect(here.client({ grant } as never).signIn()).rejects.toMatchObject({ code: expect.any(String) })
  expect(here.pollsAt).toEqual([])
})
