import { describe, expect, test } from 'vitest'
import { oauthError } from '../support/faults.ts'
import { leaving, pageAt, refusing } from '../support/leaving.ts'
import { API } from '../support/strict-api.ts'
import { type World, worlds } from '../support/world.ts'

const world = worlds()
const HERE = 'https://app.example.com/notes?id=7#top'

/** A client whose session the server has ended. */
async function ended(here: World, page = pageAt(HERE)) {
  const client = await here.signedIn({ page })
  here.expire()
  here.as.failNext.push(oauthError('invalid_grant'))
  await expect(client.fetch(`${API}/me`)).rejects.toMatchObject({ reason: 'expired' })
  return client
}

test('a session that the server has ended is had back without asking the user, at the same place', async () => {
  const here = world()
  const client = await ended(here)
  const { userAgent, requests, callbacks } = leaving(here.as)
  await client.recover({ userAgent })
  expect(requests).toHaveLength(1)
  expect(requests[0]?.get('prompt')).toBe('none')
  // the page has left; another one is loaded at the redirect URI
  const page = pageAt(callbacks[0] as string)
  const next = here.client({ page })
  expect(await next.start()).toMatchObject({ status: 'signed-in', claims: { sub: 'alice' } })
  expect(page.location()).toBe(HERE)
  expect((await next.fetch(`${API}/me`)).status).toBe(200)
})

test.for(['login_required', 'consent_required', 'interaction_required', 'account_selection_required'])(
  'where the provider answers %s, nobody is signed in, and start() says why without an error',
  async error => {
    const here = world()
    const client = await ended(here)
    const { userAgent, callbacks } = leaving(here.as, refusing(here.as, error))
    await client.recover({ userAgent })
    const page = pageAt(callbacks[0] as string)
    const next = here.client({ page })
    expect(await next.start()).toEqual({ status: 'signed-out', reason: 'interaction_required' })
    expect(page.location()).toBe(HERE)
    // once: this page and the next one do not go round again
    for (const other of [next, here.client({ page: pageAt(HERE) })]) {
      await expect(other.recover({ userAgent })).rejects.toMatchObject({ reason: 'interaction_required' })
    }
    expect(callbacks).toHaveLength(1)
    await next.signIn()
    expect(next.session.status).toBe('signed-in')
  },
)

describe('where another user answers without being asked', () => {
  test('nobody is signed in, and start() says that it is somebody else [ID28]', async () => {
    const here = world()
    const client = await ended(here)
    const { userAgent, callbacks } = leaving(here.as, url => here.as.approve(url, 'bob'))
    await client.recover({ userAgent })
    const next = here.client({ page: pageAt(callbacks[0] as string) })
    expect(await next.start()).toEqual({ status: 'signed-out', reason: 'subject_changed' })
    expect(await here.stored()).toEqual([])
    await expect.poll(() => here.as.revocations.length).toBeGreaterThan(0)
    await next.signIn()
    expect(next.session).toMatchObject({ status: 'signed-in', claims: { sub: 'alice' } })
  })

  test('a page that was loaded anew in between knows whose session it was [ID28]', async () => {
    const here = world()
    await ended(here)
    const { userAgent, callbacks } = leaving(here.as, url => here.as.approve(url, 'bob'))
    await here.client({ page: pageAt(HERE) }).recover({ userAgent })
    const next = here.client({ page: pageAt(callbacks[0] as string) })
    expect(await next.start()).toEqual({ status: 'signed-out', reason: 'subject_changed' })
  })

  test('the session that there is stays as it is [ID28]', async () => {
    const here = world()
    const client = await here.signedIn()
    const silent = { authorizationParameters: { prompt: 'none' } }
    const { userAgent, callbacks } = leaving(here.as, url => here.as.approve(url, 'bob'))
    await client.signIn({ ...silent, userAgent })
    await expect(client.handleCallback(callbacks[0] as string)).rejects.toMatchObject({
      code: 'ERR_AUTHORIZATION_REQUIRED',
      reason: 'subject_changed',
    })
    expect(client.session).toMatchObject({ status: 'signed-in', claims: { sub: 'alice' } })
    await client.signIn(silent)
    expect(client.session).toMatchObject({ status: 'signed-in', claims: { sub: 'alice' } })
  })
})

test('a page that is loaded anew knows that there was a session to have back', async () => {
  const here = world()
  await ended(here)
  const { userAgent, requests } = leaving(here.as)
  const next = here.client({ page: pageAt(HERE) })
  await next.start()
  await next.recover({ userAgent })
  expect(requests).toHaveLength(1)
})

test('ten calls of recover() leave the page once', async () => {
  const here = world()
  const client = await ended(here)
  const { userAgent, requests } = leaving(here.as)
  await Promise.allSettled(Array.from({ length: 10 }, () => client.recover({ userAgent })))
  expect(requests).toHaveLength(1)
})

test('after a sign-out nothing is had back, here or in a page that is loaded anew', async () => {
  const here = world()
  const client = await ended(here)
  await client.signIn()
  await client.signOut()
  const { userAgent, requests } = leaving(here.as)
  for (const one of [client, here.client({ page: pageAt(HERE) })]) {
    await expect(one.recover({ userAgent })).rejects.toMatchObject({ code: 'ERR_AUTHORIZATION_REQUIRED' })
  }
  expect(requests).toEqual([])
})

test('who is signed in stays so, and nothing is asked for', async () => {
  const here = world()
  const client = await here.signedIn()
  const { userAgent, requests } = leaving(here.as)
  expect(await client.recover({ userAgent })).toMatchObject({ status: 'signed-in' })
  expect(requests).toEqual([])
})

test('a second session that ends may be had back too', async () => {
  const here = world()
  const client = await ended(here)
  const away = leaving(here.as, refusing(here.as, 'login_required'))
  await client.recover(away)
  await here.client({ page: pageAt(away.callbacks[0] as string) }).start()
  await ended(here)
  const again = leaving(here.as)
  await here.client({ page: pageAt(HERE) }).recover(again)
  expect(again.requests).toHaveLength(1)
})

describe('what a sign-in asked for', () => {
  const once = { prompt: 'login', max_age: '0', acr_values: 'high', claims: '{"id_token":{}}' }
  const choice = { organization: 'acme', kc_idp_hint: 'corporate' }

  /** A session that began with these parameters and has ended by `how`. */
  const endedAfter = async (here: World, how: 'server' | 'clock') => {
    if (how === 'clock') here.as.moreMembers = { refresh_token: undefined }
    const page = pageAt(HERE)
    const client = here.client({ page, authorizationParameters: { audience: 'notes' } })
    const { userAgent, callbacks } = leaving(here.as)
    await client.signIn({ userAgent, authorizationParameters: { ...choice, ...once } })
    here.as.idTokenClaims = { acr: 'high', auth_time: Math.floor(here.clock.now() / 1000) }
    await client.handleCallback(callbacks[0] as string)
    here.expire()
    if (how === 'server') here.as.failNext.push(oauthError('invalid_grant'))
    await expect(client.fetch(`${API}/me`)).rejects.toMatchObject({ code: 'ERR_AUTHORIZATION_REQUIRED' })
    return client
  }

  test.each(['server', 'clock'] as const)(
    'is asked for by recover() too, in another page and after an end by the %s, but for what was for once [F8.8]',
    async how => {
      const here = world()
      await endedAfter(here, how)
      const { userAgent, requests } = leaving(here.as)
      const next = here.client({ page: pageAt(HERE), authorizationParameters: { audience: 'notes' } })
      await next.start()
      await next.recover({ userAgent })
      const asked = Object.fromEntries(requests[0] ?? [])
      expect(asked).toMatchObject({ ...choice, audience: 'notes', prompt: 'none' })
      for (const name of ['max_age', 'acr_values', 'claims']) expect(asked).not.toHaveProperty(name)
    },
  )

  test('is changed by what recover() is given, but for its prompt=none [F8.8]', async () => {
    const here = world()
    const client = await endedAfter(here, 'server')
    const { userAgent, requests } = leaving(here.as)
    const authorizationParameters = { organization: 'other', login_hint: 'alice', prompt: 'login' }
    await client.recover({ userAgent, authorizationParameters })
    expect(Object.fromEntries(requests[0] ?? [])).toMatchObject({
      ...{ organization: 'other', kc_idp_hint: 'corporate', login_hint: 'alice', prompt: 'none' },
    })
  })

  test('is not asked for by the next sign-in, and not kept after a sign-out [F8.8]', async () => {
    const here = world()
    const client = await endedAfter(here, 'server')
    const { userAgent, requests, callbacks } = leaving(here.as)
    here.as.idTokenClaims = {}
    await client.signIn({ userAgent })
    expect(requests[0]?.has('organization')).toBe(false)
    await client.handleCallback(callbacks[0] as string)
    await client.signOut()
    const keys = await here.store.keyValue.keys('')
    const kept = await Promise.all(keys.filter(key => key.endsWith(' session')).map(here.store.keyValue.get))
    expect(JSON.stringify(kept)).not.toContain('acme')
  })
})
