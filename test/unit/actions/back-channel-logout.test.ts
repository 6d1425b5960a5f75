import { describe, expect, test } from 'vitest'
import {
  type BackChannelLogoutOptions,
  createBackChannelLogout,
  type LoggedOut,
} from '../../../src/actions/back-channel-logout.ts'
import { memoryKeyValue } from '../../../src/storage/memory.ts'
import { handClock } from '../../support/clock.ts'
import { reset } from '../../support/faults.ts'
import { handledFetch } from '../../support/handled-fetch.ts'
import { signingKey } from '../../support/signing-key.ts'
import { createStrictAs } from '../../support/strict-as.ts'

const key = signingKey()
const stranger = signingKey()
const EVENT = 'http://schemas.openid.net/event/backchannel-logout'

const setUp = (options: Partial<BackChannelLogoutOptions> = {}) => {
  const clock = handClock()
  const as = createStrictAs({ clock, key })
  const ended: LoggedOut[] = []
  const make = (more: Partial<BackChannelLogoutOptions> = {}) =>
    createBackChannelLogout({
      issuer: as.issuer,
      clientId: 'app',
      endSessions: who => void ended.push(who),
      fetch: handledFetch(as.handlers),
      clock,
      ...options,
      ...more,
    } as BackChannelLogoutOptions)
  const claims = (change: Record<string, unknown> = {}) => {
    const iat = Math.floor(clock.now() / 1000)
    const events = { [EVENT]: {} }
    const own = { iss: as.issuer, aud: 'app', iat, exp: iat + 120, jti: crypto.randomUUID() }
    return { ...own, events, sub: 'alice', sid: 's1', ...change }
  }
  return { as, clock, ended, make, claims, logout: make() }
}
const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')
const posted = (body: string | URLSearchParams, init: RequestInit = {}) =>
  new Request('https://app.example.com/back-channel-logout', { method: 'POST', body, ...init })
const withToken = (token: string) => posted(new URLSearchParams({ logout_token: token }))

describe('a logout token', () => {
  test.each<[string, Record<string, unknown>, LoggedOut]>([
    ['sub and sid', {}, { issuer: 'https://id.example.com', subject: 'alice', sessionId: 's1' }],
    ['sub', { sid: undefined }, { issuer: 'https://id.example.com', subject: 'alice', sessionId: undefined }],
    ['sid', { sub: undefined }, { issuer: 'https://id.example.com', subject: undefined, sessionId: 's1' }],
    [
      'several audiences',
      { aud: ['other', 'app'] },
      { issuer: 'https://id.example.com', subject: 'alice', sessionId: 's1' },
    ],
  ])('with %s ends the matching sessions [LO10]', async (_what, change, who) => {
    const { logout, ended, claims } = setUp()
    const response = await logout.handle(withToken(await key.sign(claims(change))))
    expect([response.status, response.headers.get('cache-control')]).toEqual([200, 'no-store'])
    expect(ended).toEqual([who])
  })

  test.each<[string, Record<string, unknown>]>([
    ['of another issuer', { iss: 'https://evil.example' }],
    ['without an issuer', { iss: undefined }],
    ['for another client', { aud: 'other' }],
    ['without an audience', { aud: undefined }],
    ['without events', { events: undefined }],
    ['with an array as events', { events: [EVENT] }],
    ['with another event', { events: { 'http://schemas.openid.net/event/other': {} } }],
    ['with an event that is not an object', { events: { [EVENT]: true } }],
    ['with a nonce', { nonce: 'n' }],
    ['without jti', { jti: undefined }],
    ['without a subject', { sub: undefined, sid: undefined }],
    ['with a sub that is not a string', { sub: 1 }],
    ['without iat', { iat: undefined }],
    ['that is too old', { iat: Math.floor(Date.now() / 1000) - 700 }],
    ['from the future', { iat: Math.floor(Date.now() / 1000) + 700 }],
    ['that has expired', { exp: Math.floor(Date.now() / 1000) - 60 }],
    ['without exp', { exp: undefined }],
  ])('%s is rejected, and no session ends [LO10]', async (_what, change) => {
    const { logout, ended, claims } = setUp()
    const token = await key.sign(claims(change))
    await expect(logout.accept(token)).rejects.toMatchObject({ code: 'ERR_SERVER', error: 'invalid_request' })
    const response = await logout.handle(withToken(token))
    expect(response.status).toBe(400)
    const text = await response.text()
    expect(text).toContain('invalid_request')
    expect(text).not.toContain(token.split('.')[2])
    expect(ended).toEqual([])
  })

  test('whose alg is none, or differs from the configured one, is rejected [LO10]', async () => {
    const { logout, make, ended, claims } = setUp()
    const payload = encode(claims())
    const signed = await key.sign(claims())
    const [, , signature] = signed.split('.')
    for (const token of [
      `${encode({ alg: 'none' })}.${payload}.`,
      `${encode({ alg: 'HS256', kid: 'key-1' })}.${payload}.${signature}`,
      `${encode({ alg: 'PS256', kid: 'key-1' })}.${payload}.${signature}`,
      `${encode({ alg: 'RS256', kid: 'key-1' })}.${payload}.${signature}`,
      await stranger.sign(claims()),
      `${signed}x`,
      'a.b.c',
      'nonsense',
      '',
      'x'.repeat(30_000),
    ]) {
      await expect(logout.accept(token)).rejects.toMatchObject({ code: 'ERR_SERVER' })
    }
    await expect(make({ signingAlgorithm: 'ES256' }).accept(signed)).rejects.toMatchObject({
      code: 'ERR_SERVER',
    })
    expect(ended).toEqual([])
  })

  test('of another JWT type is rejected [LO10]', async () => {
    const { logout, ended, claims } = setUp()
    await expect(logout.accept(await key.sign(claims(), { typ: 'at+jwt' }))).rejects.toThrow(/typ/)
    await logout.accept(await key.sign(claims(), { typ: 'logout+jwt' }))
    expect(ended).toHaveLength(1)
  })

  test('is accepted once by all clients that share the replay memory [LO10]', async () => {
    const { make, ended, claims } = setUp({ remembered: memoryKeyValue() })
    const [one, other] = [make(), make()]
    const token = await key.sign(claims())
    const all = await Promise.allSettled([one.accept(token), one.accept(token), other.accept(token)])
    expect(all.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
    await expect(other.accept(token)).rejects.toThrow(/accepted before/)
    expect(ended).toHaveLength(1)
  })

  test('is remembered only as long as it could be accepted [LO10]', async () => {
    const remembered = memoryKeyValue()
    const { logout, clock, claims } = setUp({ remembered })
    for (let round = 0; round < 3; round++) await logout.accept(await key.sign(claims()))
    expect(await remembered.keys('')).toHaveLength(3)
    clock.advance(21 * 60_000)
    await logout.accept(await key.sign(claims()))
    expect(await remembered.keys('')).toHaveLength(1)
  })

  test('whose sessions could not be ended may be sent again [LO10]', async () => {
    let works = false
    const { logout, claims } = setUp({
      endSessions() {
        if (!works) throw new Error('database password is hunter2')
      },
    })
    const token = await key.sign(claims())
    const failed = await logout.handle(withToken(token))
    expect(failed.status).toBe(400)
    expect(await failed.text()).not.toContain('hunter2')
    works = true
    expect((await logout.handle(withToken(token))).status).toBe(200)
  })

  test('whose sessions do not end within 30 seconds gets a response and may be sent again [LO10]', async () => {
    let begun = () => {}
    const hasBegun = new Promise<void>(resolve => {
      begun = resolve
    })
    let endSessions = (): unknown => {
      begun()
      return new Promise(() => {})
    }
    const { logout, clock, claims } = setUp({ endSessions: () => endSessions() })
    const token = await key.sign(claims())
    const answer = logout.handle(withToken(token))
    await hasBegun
    clock.advance(30_000)
    expect((await answer).status).toBe(400)
    endSessions = () => undefined
    expect((await logout.handle(withToken(token))).status).toBe(200)
  })

  test('may be sent again if the provider could not be reached [LO10]', async () => {
    const { as, logout, claims } = setUp()
    const token = await key.sign(claims())
    as.failMetadata.push(reset, reset)
    await expect(logout.accept(token)).rejects.toMatchObject({ code: 'ERR_NETWORK', retryable: true })
    await logout.accept(token)
  })
})

test('a request that is not a form post with one logout token is rejected [LO10]', async () => {
  const { logout, ended, claims } = setUp()
  const token = await key.sign(claims())
  const json = { 'content-type': 'application/json' }
  for (const request of [
    new Request(`https://app.example.com/?logout_token=${token}`),
    posted(JSON.stringify({ logout_token: token }), { headers: json }),
    posted(
      new URLSearchParams([
        ['logout_token', token],
        ['logout_token', token],
      ]),
    ),
    posted(new URLSearchParams({ logout_token: '' })),
    posted(new URLSearchParams({ padding: 'x'.repeat(100_000), logout_token: token })),
  ]) {
    expect((await logout.handle(request)).status).toBe(400)
  }
  expect(ended).toEqual([])
})

test('errors name the wrong options', () => {
  const { make } = setUp()
  expect(() => make({ issuer: 'http://id.example.com' })).toThrow(/"issuer"/)
  expect(() => make({ endSessions: undefined as never })).toThrow(/endSessions/)
})

describe('a request whose body does not end', () => {
  const endless = (
    start: (controller: ReadableStreamDefaultController<Uint8Array>) => void,
    cancel = () => {},
  ) =>
    new Request('https://app.example.com/back-channel-logout', {
      method: 'POST',
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      body: new ReadableStream({ start, cancel }),
      duplex: 'half',
    } as RequestInit)
  const begin = (controller: ReadableStreamDefaultController<Uint8Array>) =>
    controller.enqueue(new TextEncoder().encode('logout_token=a'))

  test.each<[string, Parameters<typeof endless>]>([
    ['sends nothing', [() => {}]],
    ['stops in the middle', [begin]],
    ['never finishes its cancellation', [begin, () => new Promise<void>(() => {}) as never]],
  ])(
    'because it %s is rejected after ten seconds, and no session ends [F5.7]',
    async (_what, [start, cancel]) => {
      const { logout, clock, ended } = setUp()
      const answer = logout.handle(endless(start, cancel))
      await expect.poll(() => clock.waiting).toBe(1)
      clock.advance(10_000)
      const response = await answer
      expect(response.status).toBe(400)
      expect(await response.json()).toMatchObject({
        error: 'invalid_request',
        error_description: expect.stringContaining('did not end in time'),
      })
      expect([ended, clock.waiting]).toEqual([[], 0])
    },
  )

  test('is cancelled, so that its connection can close [F5.7]', async () => {
    const { logout, clock } = setUp()
    let isCancelled = false
    const answer = logout.handle(
      endless(begin, () => {
        isCancelled = true
      }),
    )
    await expect.poll(() => clock.waiting).toBe(1)
    clock.advance(10_000)
    await answer
    await expect.poll(() => isCancelled).toBe(true)
  })
})
