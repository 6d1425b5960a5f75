import { describe, expect, test } from 'vitest'
import type { UserAgent } from '../../src/core/ports.ts'
import { altered, oauthError, reset, resetAfterWork } from '../support/faults.ts'
import { signingKey } from '../support/signing-key.ts'
import { API } from '../support/strict-api.ts'
import { type TestClient, type World, worlds } from '../support/world.ts'

const world = worlds()

/** Starts a sign-in by redirect. The callback URL arrives later, in another place. */
async function callbackOf(here: World, one: TestClient): Promise<string> {
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
  await one.signIn({ userAgent: redirect })
  return callback
}

test('signIn() as a click listener reads no options from the event [F4.8]', async () => {
  const click = { isTrusted: true, nativeEvent: {}, target: { returnTo: 'elsewhere' }, returnTo: 42 }
  expect(
    await world()
      .client()
      .signIn(click as object),
  ).toMatchObject({ status: 'signed-in' })
})

describe('a callback', () => {
  test('that is handled twice at once exchanges its code once and returns the same result [RS03]', async () => {
    const here = world()
    const one = here.client()
    const callback = await callbackOf(here, one)
    const results = await Promise.all([one.handleCallback(callback), one.handleCallback(new URL(callback))])
    for (const result of results)
      expect(result).toMatchObject({ handled: true, session: { status: 'signed-in' } })
    expect(here.as.count('authorization_code')).toBe(1)
    expect((await one.fetch(`${API}/me`)).status).toBe(200)
  })

  test('that is handled in two clients of one store exchanges its code once [RS03, MX20]', async () => {
    const here = world()
    const [one, other] = [here.client(), here.client()]
    const callback = await callbackOf(here, one)
    const results = await Promise.all([one.handleCallback(callback), other.handleCallback(callback)])
    for (const result of results)
      expect(result).toMatchObject({ handled: true, session: { status: 'signed-in' } })
    expect(here.as.count('authorization_code')).toBe(1)
  })

  test('that arrives again later exchanges nothing and keeps the session [RS03]', async () => {
    const here = world()
    const one = here.client()
    const callback = await callbackOf(here, one)
    await one.handleCallback(callback)
    expect(await one.handleCallback(callback)).toMatchObject({
      handled: true,
      session: { status: 'signed-in' },
    })
    expect(await here.client().handleCallback(callback)).toMatchObject({ handled: true })
    expect(here.as.count('authorization_code')).toBe(1)
  })

  test('that arrives again after a sign-out does not sign the user in again', async () => {
    const here = world()
    const one = here.client()
    const callback = await callbackOf(here, one)
    await one.handleCallback(callback)
    await one.signOut()
    await one.handleCallback(callback)
    expect(one.session.status).toBe('signed-out')
    expect(here.as.count('authorization_code')).toBe(1)
  })

  test.each([
    'https://app.example.com/callback?code=abc&state=of-somebody-else',
    'https://app.example.com/callback?code=abc',
    'https://app.example.com/callback',
    'https://app.example.com/?error=access_denied&state=xyz',
    'not a url',
    '',
  ])('for another client is left alone: %s [RS02]', async url => {
    const { signedIn, as, stored } = world()
    const client = await signedIn()
    const before = [client.session, await stored('')]
    expect(await client.handleCallback(url)).toEqual({ handled: false })
    expect([client.session, await stored('')]).toEqual(before)
    expect(as.count('authorization_code')).toBe(1)
  })

  test('at a different address than the redirect URI is rejected, and its code is not sent', async () => {
    const here = world()
    const one = here.client()
    const callback = await callbackOf(here, one)
    for (const place of [
      'https://app.example.com/other',
      'https://evil.example/callback',
      'http://app.example.com/callback',
    ]) {
      const elsewhere = callback.replace('https://app.example.com/callback', place)
      await expect(one.handleCallback(elsewhere)).rejects.toMatchObject({ reason: 'wrong_address' })
    }
    expect(here.as.count('authorization_code')).toBe(0)
    expect(await one.handleCallback(callback)).toMatchObject({ handled: true })
  })

  test('with an unknown state throws a typed error and sends nothing', async () => {
    const { client, as } = world()
    const url = 'https://app.example.com/callback?code=abc&state=lk.test.unknown'
    await expect(client().handleCallback(url)).rejects.toMatchObject({
      code: 'ERR_CALLBACK',
      reason: 'state_not_found',
      retryable: false,
    })
    expect(as.requests).toEqual([])
  })

  test('that arrives more than an hour later is no longer recognized [RS04]', async () => {
    const here = world()
    const one = here.client()
    const callback = await callbackOf(here, one)
    here.clock.advance(3_600_000)
    await expect(one.handleCallback(callback)).rejects.toMatchObject({ reason: 'state_not_found' })
  })

  test('with access_denied throws a typed error with that code [RS12]', async () => {
    const here = world()
    const one = here.client()
    const url = new URL(await callbackOf(here, one))
    url.searchParams.delete('code')
    url.searchParams.set('error', 'access_denied')
    url.searchParams.set('error_description', 'secret words')
    await expect(one.handleCallback(url)).rejects.toMatchObject({
      code: 'ERR_CALLBACK',
      reason: 'authorization_error',
      error: 'access_denied',
    })
    expect(here.as.count('authorization_code')).toBe(0)
  })

  test.each([
    ['of another issuer', 'https://evil.example'],
    ['of no issuer', undefined],
  ])('with the iss %s is rejected before its code is sent [RS05, RS06, NA06]', async (_what, iss) => {
    const here = world()
    const one = here.client()
    const url = new URL(await callbackOf(here, one))
    if (iss) url.searchParams.set('iss', iss)
    else url.searchParams.delete('iss')
    await expect(one.handleCallback(url)).rejects.toMatchObject({
      code: 'ERR_CALLBACK',
      reason: 'invalid_response',
    })
    expect(here.as.count('authorization_code')).toBe(0)
    expect(one.session.status).not.toBe('signed-in')
  })

  test('with two codes is rejected before either is sent [RS10]', async () => {
    const here = world()
    const one = here.client()
    const callback = await callbackOf(here, one)
    await expect(one.handleCallback(`${callback}&code=another`)).rejects.toMatchObject({
      code: 'ERR_CALLBACK',
    })
    expect(here.as.count('authorization_code')).toBe(0)
  })

  test.each<[string, Record<string, unknown>]>([
    ['another nonce', { nonce: 'another' }],
    ['no nonce', { nonce: undefined }],
    ['another audience', { aud: 'another app' }],
    ['another issuer', { iss: 'https://evil.example' }],
    ['no subject', { sub: undefined }],
    ['an exp in the distant past', { exp: 1 }],
  ])('whose ID Token has %s does not sign the user in', async (_what, claims) => {
    const { client, as, stored } = world()
    as.idTokenClaims = claims
    const one = client()
    await expect(one.signIn()).rejects.toMatchObject({ code: 'ERR_CALLBACK', reason: 'invalid_response' })
    expect(one.session.status).not.toBe('signed-in')
    expect(await stored()).toEqual([])
  })

  test('whose ID Token was signed with another key does not sign the user in', async () => {
    const { sign } = signingKey()
    const { client, stored } = world({ key: { ...signingKey(), sign } })
    await expect(client().signIn()).rejects.toMatchObject({
      code: 'ERR_CALLBACK',
      reason: 'invalid_response',
    })
    expect(await stored()).toEqual([])
  })

  test('whose code is rejected throws a typed error, and the code is not sent again', async () => {
    const here = world()
    const one = here.client()
    const callback = await callbackOf(here, one)
    here.as.failNext.push(oauthError('invalid_grant'))
    await expect(one.handleCallback(callback)).rejects.toMatchObject({
      code: 'ERR_CALLBACK',
      error: 'invalid_grant',
    })
    await one.handleCallback(callback).catch(() => {})
    expect(here.as.count('authorization_code')).toBe(1)
  })

  test('can be retried if the server could not be reached for the exchange', async () => {
    const here = world()
    const one = here.client()
    const callback = await callbackOf(here, one)
    here.as.failNext.push(reset, reset, reset)
    await expect(one.handleCallback(callback)).rejects.toMatchObject({ code: 'ERR_NETWORK', retryable: true })
    here.as.failNext.length = 0
    expect(await one.handleCallback(callback)).toMatchObject({
      handled: true,
      session: { status: 'signed-in' },
    })
  })

  test('cannot be retried if the connection broke after the server had exchanged the code', async () => {
    const here = world()
    const one = here.client()
    const callback = await callbackOf(here, one)
    here.as.failNext.push(resetAfterWork)
    await expect(one.handleCallback(callback)).rejects.toMatchObject({ code: 'ERR_NETWORK', retryable: true })
    expect(here.as.codeReuses).toBe(0)
    await expect(one.handleCallback(callback)).rejects.toMatchObject({
      code: 'ERR_CALLBACK',
      error: 'invalid_grant',
    })
    expect(one.session.status).not.toBe('signed-in')
  })

  test('with a malformed ID Token in the token response ends the sign-in: its code is not sent again', async () => {
    const { client, as } = world()
    as.failNext.push(altered({ id_token: 'a.b.c' }))
    await expect(client().signIn()).rejects.toMatchObject({
      code: 'ERR_CALLBACK',
      reason: 'invalid_response',
    })
    expect(as.codeReuses).toBe(0)
  })
})
