import { describe, expect, test } from 'vitest'
import type { Quirk } from '../../src/core/quirks.ts'
import { altered } from '../support/faults.ts'
import { leaving, pageAt } from '../support/leaving.ts'
import { sharedStore } from '../support/tabs.ts'
import { type TestClient, worlds } from '../support/world.ts'

const world = worlds()
const warningsOf = (client: TestClient, topic: string) =>
  client.told.filter(event => event.type === 'warning' && event.about === topic)

describe('a server that announces PKCE methods without S256', () => {
  const without = () => {
    const here = world()
    here.as.metadata.code_challenge_methods_supported = ['plain']
    return here
  }

  test('is rejected at sign-in, and the error names the quirk that would accept it [AR03]', async () => {
    const here = without()
    const away = leaving(here.as)
    await expect(here.client(away).signIn()).rejects.toMatchObject({
      code: 'ERR_CONFIGURATION',
      quirk: 'pkce_not_announced',
      message: expect.stringContaining('"pkce_not_announced"'),
    })
    expect(away.requests).toEqual([])
    expect(await here.stored(' transaction ')).toEqual([])
  })

  test('gets S256 anyway if the quirk is set, with a warning [AR03]', async () => {
    const here = without()
    const client = await here.signedIn({ quirks: ['pkce_not_announced'] satisfies Quirk[] })
    expect(client.session.status).toBe('signed-in')
    expect(warningsOf(client, 'quirk')).toHaveLength(1)
  })
})

test('a server that announces no PKCE methods still gets S256 and a nonce [AR04]', async () => {
  const here = world()
  delete (here.as.metadata as Partial<typeof here.as.metadata>).code_challenge_methods_supported
  const away = leaving(here.as)
  const client = here.client(away)
  await client.signIn()
  expect(Object.fromEntries(away.requests[0] ?? [])).toMatchObject({
    code_challenge_method: 'S256',
    nonce: expect.stringMatching(/^[\w-]{43}$/),
  })
  expect(client.types()).not.toContain('warning')
})

describe('a sign-in that asks for offline_access', () => {
  const signIn = async (refresh_token: unknown) => {
    const here = world()
    const client = here.client({ scope: 'openid offline_access' })
    for (let time = 0; time < 2; time++) {
      here.as.failNext.push(altered({ refresh_token }))
      await client.signIn()
    }
    return client
  }

  test('but gets no refresh token causes one warning, with possible remedies [F6.7, AR11]', async () => {
    const client = await signIn(undefined)
    expect(warningsOf(client, 'offline_access')).toEqual([
      expect.objectContaining({ message: expect.stringContaining('prompt: "consent"') }),
    ])
    expect(warningsOf(client, 'no_refresh_token')).toEqual([])
  })

  test('and gets one causes no warning [F6.7, AR11]', async () => {
    expect((await signIn('refresh')).types()).not.toContain('warning')
  })

  test('never adds prompt automatically [AR11]', async () => {
    const here = world()
    const away = leaving(here.as)
    await here.client({ userAgent: away.userAgent, scope: 'openid offline_access' }).signIn()
    expect(away.requests[0]?.has('prompt')).toBe(false)
  })
})

test('a sign-in without a refresh token warns immediately and names offline_access', async () => {
  const here = world()
  here.as.failNext.push(altered({ refresh_token: undefined }))
  const client = await here.signedIn()
  expect(warningsOf(client, 'no_refresh_token')).toEqual([
    expect.objectContaining({ message: expect.stringContaining('offline_access') }),
  ])
  expect(warningsOf(await here.signedIn(), 'no_refresh_token')).toEqual([])
})

describe('two issuers that use one redirect URI', () => {
  const two = (announced: boolean) => {
    const one = world()
    const other = world({ issuer: 'https://other.example.com' })
    for (const { as } of [one, other]) as.metadata.authorization_response_iss_parameter_supported = announced
    return { one, other, store: sharedStore(one.clock) }
  }

  test('cause a warning, or an error with strict, if they do not identify themselves in responses [RS07, NA06]', async () => {
    const { one, other, store } = two(false)
    const alone = await one.signedIn({ store })
    expect(warningsOf(alone, 'mix_up')).toEqual([])
    const second = await other.signedIn({ store })
    expect(warningsOf(second, 'mix_up')).toEqual([
      expect.objectContaining({ message: expect.stringContaining('"redirectUri"') }),
    ])
    const strict = other.client({ store, strict: true })
    await expect(strict.signIn()).rejects.toMatchObject({ code: 'ERR_CONFIGURATION' })
  })

  test('cause no warning if they identify themselves [RS07]', async () => {
    const { one, other, store } = two(true)
    await one.signedIn({ store })
    expect(warningsOf(await other.signedIn({ store }), 'mix_up')).toEqual([])
  })

  test("complete only their own sign-ins: one client leaves the other's response unchanged [RS06, RS07]", async () => {
    const { one, other, store } = two(false)
    const away = leaving(one.as)
    await one.client({ store, userAgent: away.userAgent }).signIn()
    const address = away.callbacks[0] as string
    const page = pageAt(address)
    const stranger = other.client({ store, page })
    expect(await stranger.start()).toMatchObject({ status: 'signed-out' })
    expect(await stranger.handleCallback(address)).toEqual({ handled: false })
    expect(page.location()).toBe(address)
    expect(other.as.count('authorization_code')).toBe(0)
    expect(await one.client({ store, page }).start()).toMatchObject({ status: 'signed-in' })
  })

  test("do not get the code if one responds in the other's name [RS06]", async () => {
    const { one, other, store } = two(true)
    const away = leaving(one.as)
    const client = one.client({ store, userAgent: away.userAgent })
    await client.signIn()
    for (const iss of [other.as.issuer, 'https://ID.example.com', `${one.as.issuer}/`]) {
      const answer = new URL(away.callbacks.at(-1) as string)
      answer.searchParams.set('iss', iss)
      await expect(client.handleCallback(answer)).rejects.toMatchObject({ reason: 'invalid_response' })
      one.clock.advance(61_000)
      await client.signIn()
    }
    expect([one.as.count('authorization_code'), other.as.count('authorization_code')]).toEqual([0, 0])
  })
})
