import { describe, expect, test } from 'vitest'
import { adopt, fromAuth0, fromKeycloak, fromOidcClient } from '../../src/adopt.ts'
import type { SessionRecord } from '../../src/core/session.ts'
import { dpop } from '../../src/dpop.ts'
import { altered, type Fault, oauthError, reset, status } from '../support/faults.ts'
import { signingKey } from '../support/signing-key.ts'
import { API } from '../support/strict-api.ts'
import { sharedStore } from '../support/tabs.ts'
import { type World, worlds } from '../support/world.ts'

const world = worlds()

/** Tokens from a sign-in made with another library. This client's store knows nothing about it. */
async function foreignTokens(here: World, subject = 'alice') {
  const elsewhere = sharedStore(here.clock)
  const other = here.client({ store: elsewhere, subject: () => subject })
  await other.signIn()
  const [key = ''] = (await elsewhere.keyValue.keys('')).filter(name => name.endsWith(' session'))
  const { tokens } = (await elsewhere.keyValue.get(key)) as SessionRecord
  let forgotten = 0
  return {
    refreshToken: tokens.refreshToken as string,
    idToken: tokens.idToken as string,
    forget: () => void forgotten++,
    forgotten: () => forgotten,
  }
}

const revoked = ({ as }: World) => as.revocations.map(({ token }) => token)

describe('adopted tokens', () => {
  test('start a session that is stored, refreshed and used like any other [F8.12]', async () => {
    const here = world()
    const tokens = await foreignTokens(here)
    const client = here.client()
    const session = await adopt(client, tokens)
    expect(session).toMatchObject({
      status: 'signed-in',
      claims: { sub: 'alice' },
      scope: ['openid', 'read'],
    })
    expect((await client.fetch(`${API}/me`)).status).toBe(200)
    here.expire()
    expect((await client.fetch(`${API}/me`)).status).toBe(200)
    expect(here.as.count('refresh_token')).toBe(2)
    expect(here.as.reuses).toBe(0)
    expect(tokens.forgotten()).toBe(1)
    // and after a restart
    expect(await here.client().start()).toMatchObject({ status: 'signed-in', claims: { sub: 'alice' } })
  })

  test('are redeemed only once when two tabs adopt them at the same moment [F8.12]', async () => {
    const here = world()
    const tokens = await foreignTokens(here)
    const tabs = [here.client(), here.client()]
    const sessions = await Promise.all(tabs.map(tab => adopt(tab, tokens)))
    for (const session of sessions) expect(session).toMatchObject({ claims: { sub: 'alice' } })
    await adopt(here.client(), { refreshToken: tokens.refreshToken })
    expect(here.as.count('refresh_token')).toBe(1)
  })

  test('do not restart a session that the user has ended [F8.12]', async () => {
    const here = world()
    const tokens = await foreignTokens(here)
    const client = here.client()
    await adopt(client, tokens)
    await client.signOut()
    await expect(adopt(client, tokens)).rejects.toMatchObject({ reason: 'signed_out' })
    expect(here.as.count('refresh_token')).toBe(1)
    expect(tokens.forgotten()).toBe(2)
  })

  test.each([
    ['with their ID Token', true],
    ['without one', false],
  ])('do not replace the session of another user, %s [F8.12]', async (_what, hasIdToken) => {
    const here = world()
    const { refreshToken, idToken } = await foreignTokens(here, 'bob')
    const client = await here.signedIn()
    const adopting = adopt(client, { refreshToken, idToken: hasIdToken ? idToken : undefined })
    await expect(adopting).rejects.toMatchObject({ code: 'ERR_CONFIGURATION' })
    expect(client.session).toMatchObject({ claims: { sub: 'alice' } })
    expect(here.as.count('refresh_token')).toBe(0)
  })

  test('are ignored when the same user is already signed in [F8.12]', async () => {
    const here = world()
    const tokens = await foreignTokens(here)
    const client = await here.signedIn()
    expect(await adopt(client, tokens)).toMatchObject({ claims: { sub: 'alice' } })
    expect(here.as.count('refresh_token')).toBe(0)
    expect(tokens.forgotten()).toBe(1)
  })

  test('from another issuer or client are rejected before anything is sent [F8.12]', async () => {
    const here = world()
    const { refreshToken } = await foreignTokens(here)
    const key = signingKey()
    for (const claims of [
      { iss: 'https://other.example', aud: 'app', sub: 'alice' },
      { iss: here.as.issuer, aud: 'other', sub: 'alice' },
      { iss: here.as.issuer, aud: 'app' },
    ]) {
      const adopting = adopt(here.client(), { refreshToken, idToken: await key.sign(claims) })
      await expect(adopting).rejects.toMatchObject({ code: 'ERR_CONFIGURATION' })
    }
    expect(here.as.count('refresh_token')).toBe(0)
  })

  test('are revoked if they belong to another user than their ID Token says [F8.12]', async () => {
    const here = world()
    const { refreshToken } = await foreignTokens(here, 'bob')
    const { idToken } = await foreignTokens(here, 'alice')
    const client = here.client()
    const adopting = adopt(client, { refreshToken, idToken })
    await expect(adopting).rejects.toMatchObject({ reason: 'subject_changed' })
    await expect.poll(() => revoked(here)).toHaveLength(1)
    expect(await here.stored()).toEqual([])
  })

  test('start no session if the user signs out while they are redeemed [F8.12]', async () => {
    const here = world()
    const tokens = await foreignTokens(here)
    const client = here.client({
      async fetch(input, init) {
        if (String(input).endsWith('/token')) await client.signOut()
        return here.fetch(input, init)
      },
    })
    await client.start()
    await expect(adopt(client, tokens)).rejects.toMatchObject({ reason: 'signed_out' })
    expect(client.session.status).toBe('signed-out')
    expect(await here.stored()).toEqual([])
  })

  test('keep their ID Token and refresh token if the server returns neither [F8.12]', async () => {
    const here = world()
    const { refreshToken, idToken } = await foreignTokens(here)
    here.as.failNext.push(altered({ refresh_token: undefined, id_token: undefined }))
    const client = here.client()
    expect(await adopt(client, { refreshToken, idToken })).toMatchObject({ claims: { sub: 'alice' } })
    expect(await here.stored()).toMatchObject([{ tokens: { refreshToken, idToken } }])
  })

  test('are deleted when the server rejects them, and the error says to sign in [F8.12]', async () => {
    const here = world()
    const tokens = await foreignTokens(here)
    here.as.failNext.push(oauthError('invalid_grant'))
    const client = here.client()
    await client.start()
    await expect(adopt(client, tokens)).rejects.toMatchObject({
      code: 'ERR_AUTHORIZATION_REQUIRED',
      reason: 'expired',
    })
    expect(client.session.status).toBe('signed-out')
    expect(tokens.forgotten()).toBe(1)
  })

  test.for<[string, Fault]>([
    ['that cannot be reached', reset],
    ['that answers 503', status(503)],
  ])('are kept for the next attempt at a server %s [F8.12]', async ([, fault]) => {
    const here = world()
    const tokens = await foreignTokens(here)
    here.as.failNext.push(fault)
    const client = here.client()
    await expect(adopt(client, tokens)).rejects.toMatchObject({ code: 'ERR_NETWORK', retryable: true })
    expect(tokens.forgotten()).toBe(0)
    expect(await adopt(client, tokens)).toMatchObject({ claims: { sub: 'alice' } })
  })

  test('are revoked, with the new ones, when the token response is unusable [F8.12]', async () => {
    const here = world()
    const tokens = await foreignTokens(here)
    here.as.failNext.push(altered({ token_type: 'mac' }))
    await expect(adopt(here.client(), tokens)).rejects.toMatchObject({ code: 'ERR_SERVER' })
    await expect.poll(() => revoked(here)).toHaveLength(1)
    expect(revoked(here)).not.toContain(tokens.refreshToken)
    expect(await here.stored()).toEqual([])
  })

  test('are bound to their own key by a client with dpop() [F8.12]', async () => {
    const here = world()
    const tokens = await foreignTokens(here)
    const answer = { access_token: 'bound', token_type: 'DPoP', expires_in: 300, refresh_token: 'next' }
    here.as.failNext.push({ afterWork: false, answer: () => Response.json(answer) })
    const proofs: unknown[] = []
    const client = here.client({
      extensions: [dpop()],
      fetch(input, init) {
        if (String(input).endsWith('/token')) proofs.push(new Headers(init?.headers).get('dpop'))
        return here.fetch(input, init)
      },
    })
    expect(await adopt(client, tokens)).toMatchObject({ status: 'signed-in' })
    expect(await here.stored()).toMatchObject([{ tokenType: 'dpop' }])
    expect(proofs).toEqual([expect.stringMatching(/^ey/)])
  })

  test('without a refresh token are rejected [F8.12]', async () => {
    for (const tokens of [{}, { refreshToken: '' }, { refreshToken: 1 }, { refreshToken: 'a', idToken: 1 }]) {
      const adopting = adopt(world().client(), tokens as never)
      await expect(adopting).rejects.toMatchObject({ code: 'ERR_CONFIGURATION' })
    }
  })
})

describe('a token reader', () => {
  const area = (entries: Record<string, unknown>) => {
    const all = Object.fromEntries(
      Object.entries(entries).map(([key, value]) => [
        key,
        typeof value === 'string' ? value : JSON.stringify(value),
      ]),
    )
    const own = { getItem: (key: string) => all[key] ?? null, removeItem: (key: string) => delete all[key] }
    for (const [name, value] of Object.entries(own)) Object.defineProperty(all, name, { value })
    return all as never as Storage
  }

  test.each<[string, Record<string, unknown>]>([
    ['nothing', {}],
    ['invalid JSON', { 'oidc.user:https://id.example.com:app': '{', '@@auth0spajs@@::app::a::b': '{' }],
    [
      'no refresh token',
      {
        'oidc.user:https://id.example.com:app': { id_token: 'i' },
        '@@auth0spajs@@::app::a::b': { body: { access_token: 'a' } },
      },
    ],
    ['null', { 'oidc.user:https://id.example.com:app': null, '@@auth0spajs@@::app::a::b': null }],
  ])('finds no tokens in %s [F8.12]', (_what, entries) => {
    const authority = 'https://id.example.com'
    expect(fromOidcClient(area(entries), { authority, clientId: 'app' })).toBeUndefined()
    expect(fromAuth0(area(entries), { clientId: 'app' })).toBeUndefined()
    expect(fromKeycloak({})).toBeUndefined()
  })

  test('for auth0-spa-js takes the newest refresh token of its client and deletes all of them [F8.12]', () => {
    const entry = (refresh_token: string, expiresAt: number) => ({ body: { refresh_token }, expiresAt })
    const storage = area({
      '@@auth0spajs@@::app::one::openid': entry('old', 1),
      '@@auth0spajs@@::app::two::openid': entry('new', 3),
      '@@auth0spajs@@::app::@@user@@': { id_token: 'id' },
      '@@auth0spajs@@::other::one::openid': entry('of another client', 9),
    })
    const tokens = fromAuth0(storage, { clientId: 'app' })
    expect(tokens).toMatchObject({ refreshToken: 'new', idToken: 'id' })
    tokens?.forget?.()
    expect(Object.keys(storage)).toEqual(['@@auth0spajs@@::other::one::openid'])
  })
})
