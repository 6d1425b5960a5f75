import { describe, expect, test } from 'vitest'
import type { SignOutOptions } from '../../src/core/client.ts'
import type { ClientOptions } from '../../src/options.ts'
import { type Fault, hang, oauthError, reset, status } from '../support/faults.ts'
import { pageAt } from '../support/leaving.ts'
import { API } from '../support/strict-api.ts'
import { type World, worlds } from '../support/world.ts'

const world = worlds()
const HOME = 'https://app.example.com/'

/** A server that also ends its own sessions, and a client whose page can navigate to it. */
const withLogout = (endpoint?: string) => {
  const here = world()
  Object.assign(here.as.metadata, { end_session_endpoint: endpoint ?? `${here.as.issuer}/logout` })
  return here
}
const leavingPage = (left: URL[], look: () => Promise<void> = async () => {}) => ({
  ...pageAt(HOME),
  async leave(url: string) {
    await look()
    left.push(new URL(url))
  },
})

test('a sign-out revokes the refresh token, then the access token, each with its hint [LO01, LO02]', async () => {
  const { signedIn, as } = world()
  const client = await signedIn()
  const accessToken = await client.getAccessToken()
  as.endSessions() // neither token is known any more: still 200 (RFC 7009 section 2.2)
  await client.signOut()
  expect(as.revocations.map(({ hint }) => hint)).toEqual(['refresh_token', 'access_token'])
  expect(as.revocations[1]?.token).toBe(accessToken)
  expect(client.told).toContainEqual(expect.objectContaining({ type: 'revocation-response', ok: true }))
})

describe('a revocation', () => {
  test.each<[string, Fault]>([
    ['that does not support this token type', oauthError('unsupported_token_type')],
    ['that is rejected', oauthError('invalid_request')],
    ['that is told to wait', status(503, { 'retry-after': '60' })],
  ])(
    '%s is reported, does not restore the session, and the other token is still revoked [LO03]',
    async (_what, fault) => {
      const { signedIn, as, stored } = world()
      const client = await signedIn()
      as.failRevocation.push(fault)
      await client.signOut()
      expect(client.session).toEqual({ status: 'signed-out', reason: 'signed_out' })
      expect(await stored()).toEqual([])
      expect(as.revocations.map(({ hint }) => hint)).toEqual(['refresh_token', 'access_token'])
      expect(client.told.filter(({ type }) => type === 'revocation-response')).toEqual([
        expect.objectContaining({ ok: false }),
      ])
    },
  )

  test.each<[string, Fault]>([
    ['breaks', status(503)],
    ['cannot be sent', reset],
  ])('that %s is retried once [F9.1]', async (_what, fault) => {
    const { signedIn, as } = world()
    const client = await signedIn()
    as.failRevocation.push(fault)
    await client.signOut()
    expect(as.revocations.map(({ hint }) => hint)).toEqual(['refresh_token', 'refresh_token', 'access_token'])
    expect(told(client)).toEqual([{ type: 'revocation-request' }, { type: 'revocation-response', ok: true }])
  })

  const told = (client: { told: readonly { type: string; at: number }[] }) =>
    client.told.filter(({ type }) => type.startsWith('revocation')).map(({ at: _, ...event }) => event)

  test.each<[string, boolean, Fault[]]>([
    ['also invalidated the second token', true, [status(200), oauthError('invalid_token', 400)]],
    ['did not support the first token type', false, [oauthError('unsupported_token_type')]],
    ['did not support the second token type', false, [status(200), oauthError('unsupported_token_type')]],
    ['never reached the second token', false, [status(200), status(503), status(503)]],
  ])('that %s is reported correctly [F6.7]', async (_what, ok, faults) => {
    const { signedIn, as } = world()
    const client = await signedIn()
    as.failRevocation.push(...faults)
    await client.signOut()
    expect(told(client)).toEqual([{ type: 'revocation-request' }, { type: 'revocation-response', ok }])
  })

  test('is not reported if the server has no endpoint for it, since none was sent [F6.7]', async () => {
    const { signedIn, as } = world()
    delete (as.metadata as Partial<typeof as.metadata>).revocation_endpoint
    const client = await signedIn()
    await client.signOut()
    expect(told(client)).toEqual([])
  })

  test('that could not start because the metadata was unavailable is reported as failed [F6.7, F9.7]', async () => {
    const { signedIn, client, as } = world()
    await signedIn()
    const other = client()
    await other.start()
    as.failMetadata.push(status(503), status(503))
    await other.signOut()
    expect(told(other)).toEqual([{ type: 'revocation-response', ok: false }])
  })

  test('with a 204 response succeeds with a warning [LO04]', async () => {
    const { signedIn, as } = world()
    const client = await signedIn()
    as.failRevocation.push(status(204), status(204))
    await client.signOut()
    expect(client.told).toContainEqual(expect.objectContaining({ type: 'revocation-response', ok: true }))
    expect(client.told).toContainEqual(expect.objectContaining({ type: 'warning', about: 'revocation' }))
  })
})

describe('the sign-out at the provider', () => {
  const signOut = async (
    here: World,
    options: Pick<ClientOptions, 'postLogoutRedirectUri' | 'logoutParameters'> = {},
    choice?: SignOutOptions,
  ) => {
    const left: URL[] = []
    const client = await here.signedIn({ page: leavingPage(left), ...options })
    await client.signOut(choice)
    return left
  }

  test.each([
    ['is omitted if it has no page to send the user back to', {}, undefined, 0],
    ['is omitted if the app says so', { postLogoutRedirectUri: HOME }, false, 0],
    ['happens if the app says so, even if the user may not return', {}, true, 1],
  ])('%s [F2.5]', async (_what, options, endProviderSession, times) => {
    const choice = endProviderSession === undefined ? undefined : { endProviderSession }
    expect(await signOut(withLogout(), options, choice)).toHaveLength(times)
  })

  test('sends the ID Token as a hint, the client, the return address, and a state [LO06]', async () => {
    const here = withLogout('https://id.example.com/logout?tenant=1')
    const [left] = await signOut(here, { postLogoutRedirectUri: HOME })
    expect(left?.origin).toBe('https://id.example.com')
    expect(Object.fromEntries(left?.searchParams ?? [])).toEqual({
      tenant: '1',
      id_token_hint: expect.stringMatching(/^[\w-]+\.[\w-]+\.[\w-]+$/),
      client_id: here.as.clientId,
      post_logout_redirect_uri: HOME,
      state: expect.stringMatching(/^lk-out\.[\w-]{43}$/),
    })
  })

  test('has no state if it does not send the user back [LO06]', async () => {
    const [left] = await signOut(withLogout(), {}, { endProviderSession: true })
    expect(left?.searchParams.has('state')).toBe(false)
  })

  test.each(['http://id.example.com/logout', 'javascript:alert(1)', 'https://u:p@id.example.com/'])(
    'is omitted if its address is %s [LO06]',
    async endpoint =>
      expect(await signOut(withLogout(endpoint), {}, { endProviderSession: true })).toEqual([]),
  )

  test("sends the client's parameters and those of this call, which take precedence [F8.6]", async () => {
    const logoutParameters = { logout_uri: HOME, ui_locales: 'de' }
    const parameters = { ui_locales: 'fr', logout_hint: 'alice' }
    const [left] = await signOut(withLogout(), { logoutParameters }, { parameters })
    expect(Object.fromEntries(left?.searchParams ?? [])).toEqual({
      ...logoutParameters,
      ...parameters,
      client_id: 'app',
      id_token_hint: expect.any(String),
    })
  })

  test('returns the user to the page given in this call, relative to the current one [F8.6]', async () => {
    const [left] = await signOut(
      withLogout(),
      { postLogoutRedirectUri: HOME },
      { postLogoutRedirectUri: '/bye' },
    )
    expect(left?.searchParams.get('post_logout_redirect_uri')).toBe(`${HOME}bye`)
    expect(left?.searchParams.get('state')).toMatch(/^lk-out\./)
  })

  test.for<[string, object, SignOutOptions | undefined, number]>([
    ['the client has parameters for it', { logoutParameters: { logout_uri: HOME } }, undefined, 1],
    ['this call has a page to return to', {}, { postLogoutRedirectUri: HOME }, 1],
    ['this call has parameters for it', {}, { parameters: { logout_hint: 'a' } }, 1],
    [
      'this call has parameters but must not leave the page',
      {},
      { parameters: { logout_hint: 'a' }, endProviderSession: false },
      0,
    ],
  ])('happens if %s, unless the app says otherwise [F8.6]', async ([, options, choice, times]) => {
    expect(await signOut(withLogout(), options, choice)).toHaveLength(times)
  })

  test('omits an ID Token that is too long for an address, and warns [F8.6]', async () => {
    const here = withLogout()
    here.as.idTokenClaims = { groups: 'g'.repeat(14_000) }
    const left: URL[] = []
    const client = await here.signedIn({ page: leavingPage(left), postLogoutRedirectUri: HOME })
    await client.signOut()
    expect(left[0]?.searchParams.has('id_token_hint')).toBe(false)
    expect(left[0]?.href.length).toBeLessThan(1000)
    expect(client.told.filter(({ type }) => type === 'warning')).toMatchObject([{ about: 'id_token_hint' }])
  })

  test.for<SignOutOptions>([
    { parameters: { id_token_hint: 'x' } },
    { parameters: { client_secret: 'x' } },
    { parameters: { state: 'x' } },
    { parameters: { logout_hint: 1 as never } },
    { postLogoutRedirectUri: 'http://app.example.com/' },
    { postLogoutRedirectUri: 'javascript:alert(1)' },
  ])('with invalid options %o is rejected before anything is removed [F8.6]', async choice => {
    const here = withLogout()
    const client = await here.signedIn({ page: leavingPage([]) })
    await expect(client.signOut(choice)).rejects.toMatchObject({
      code: 'ERR_CONFIGURATION',
      message: expect.stringContaining('"signOut.'),
    })
    expect(client.session.status).toBe('signed-in')
    expect(here.as.revocations).toEqual([])
  })

  test('starts after the tokens are gone in every tab [LO08]', async () => {
    const here = withLogout()
    const others = [here.client(), here.client()]
    const seen: unknown[] = []
    const left: URL[] = []
    const page = leavingPage(left, async () => {
      seen.push(await here.stored(), ...others.map(({ session }) => session.status))
    })
    const client = await here.signedIn({ page, postLogoutRedirectUri: HOME })
    for (const other of others) await other.start()
    await client.signOut()
    expect(left).toHaveLength(1)
    expect(seen).toEqual([[], 'signing-out', 'signing-out'])
  })

  test('leaves no state in the address that the user returns to [LO06]', async () => {
    const { client } = world()
    for (const [address, clean] of [
      [`${HOME}?state=lk-out.abc`, HOME],
      [`${HOME}?a=1&state=lk-out.abc&code=mine#x`, `${HOME}?a=1&code=mine#x`],
      [`${HOME}?state=of-somebody-else`, `${HOME}?state=of-somebody-else`],
    ] as const) {
      const page = pageAt(address)
      expect(await client({ page }).start()).toMatchObject({ status: 'signed-out' })
      expect(page.location()).toBe(clean)
    }
  })
})

test('when one of five tabs signs out, all tabs show it, clear their memory and send no queued replay', async () => {
  const here = world()
  const tabs = [await here.signedIn(), ...Array.from({ length: 4 }, () => here.client())]
  await Promise.all(tabs.map(tab => tab.start()))
  here.as.revokeAccessTokens()
  here.as.failNext.push(hang)
  // this one received a 401 and waits for new tokens to replay its request
  const waits = tabs[1]?.fetch(`${API}/me`).catch((error: unknown) => error)
  await expect.poll(() => here.as.count('refresh_token')).toBe(1)
  await tabs[0]?.signOut()
  for (const tab of tabs) {
    await expect.poll(() => tab.session).toEqual({ status: 'signed-out', reason: 'signed_out' })
    expect(tab.types().filter(type => type === 'session-ended')).toHaveLength(1)
    await expect(tab.fetch(`${API}/me`)).rejects.toMatchObject({ code: 'ERR_AUTHORIZATION_REQUIRED' })
  }
  expect(await waits).toMatchObject({ status: 401 })
  expect(here.api.requests).toHaveLength(1)
})
