import { describe, expect, test } from 'vitest'
import { oauthError } from '../support/faults.ts'
import { leaving, pageAt, refusing } from '../support/leaving.ts'
import { API } from '../support/strict-api.ts'
import { type World, worlds } from '../support/world.ts'

const world = worlds()
const HERE = 'https://app.example.com/notes?id=7#top'

/** A client whose session was ended by the server. */
async function ended(here: World, page = pageAt(HERE)) {
  const client = await here.signedIn({ page })
  here.expire()
  here.as.failNext.push(oauthError('invalid_grant'))
  await expect(client.fetch(`${API}/me`)).rejects.toMatchObject({ reason: 'expired' })
  return client
}

test('a session that the server has ended is restored without asking the user, at the same location', async () => {
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
  'if the provider responds with %s, the client stays signed out and start() reports why without an error',
  async error => {
    const here = world()
    const client = await ended(here)
    const { userAgent, callbacks } = leaving(here.as, refusing(here.as, error))
    await client.recover({ userAgent })
    const page = pageAt(callbacks[0] as string)
    const next = here.client({ page })
    expect(await next.start()).toEqual({ status: 'signed-out', reason: 'interaction_required' })
    expect(page.location()).toBe(HERE)
    // only once: neither this page nor the next one tries again
    for (const other of [next, here.client({ page: pageAt(HERE) })]) {
      await expect(other.recover({ userAgent })).rejects.toMatchObject({ reason: 'interaction_required' })
    }
    expect(callbacks).toHaveLength(1)
    await next.signIn()
    expect(next.session.status).toBe('signed-in')
  },
)

describe('if another user is signed in at the provider', () => {
  test('the client stays signed out, and start() reports the different user [ID28]', async () => {
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

  test('a page that was reloaded meanwhile knows whose session it was [ID28]', async () => {
    const here = world()
    await ended(here)
    const { userAgent, callbacks } = leaving(here.as, url => here.as.approve(url, 'bob'))
    await here.client({ page: pageAt(HERE) }).recover({ userAgent })
    const next = here.client({ page: pageAt(callbacks[0] as string) })
    expect(await next.start()).toEqual({ status: 'signed-out', reason: 'subject_changed' })
  })

  test('an existing session is kept [ID28]', async () => {
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

test('a page knows after a reload that a session could be restored', async () => {
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

test('after a sign-out no session is restored, in this page or after a reload', async () => {
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

test('recover() keeps an existing session and sends nothing', async () => {
  const here = world()
  const client = await here.signedIn()
  const { userAgent, requests } = leaving(here.as)
  expect(await client.recover({ userAgent })).toMatchObject({ status: 'signed-in' })
  expect(requests).toEqual([])
})

test('a second session that ends can also be restored', async () => {
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

describe('the parameters of a sign-in', () => {
  const once = { prompt: 'login', max_age: '0', acr_values: 'high', claims: '{"id_token":{}}' }
  const choice = { organization: 'acme', kc_idp_hint: 'corporate' }

  /** A session that started with these parameters and was ended by `how`. */
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
    'are also sent by recover(), in another page and after an end by the %s, except those for one sign-in [F8.8]',
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

  test('are changed by the options of recover(), except prompt=none [F8.8]', async () => {
    const here = world()
    const client = await endedAfter(here, 'server')
    const { userAgent, requests } = leaving(here.as)
    const authorizationParameters = { organization: 'other', login_hint: 'alice', prompt: 'login' }
    await client.recover({ userAgent, authorizationParameters })
    expect(Object.fromEntries(requests[0] ?? [])).toMatchObject({
      ...{ organization: 'other', kc_idp_hint: 'corporate', login_hint: 'alice', prompt: 'none' },
    })
  })

  test('are not sent by the next sign-in and not kept after a sign-out [F8.8]', async () => {
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
