import { expect, test } from 'vitest'
import { type LeavingPage, leaving, pageAt, refusing } from '../support/leaving.ts'
import { API } from '../support/strict-api.ts'
import { type World, worlds } from '../support/world.ts'

const world = worlds()
const RETURN_TO = 'https://app.example.com/notes?id=7#top'
const SILENT = { silentFirst: true, returnTo: RETURN_TO } as const

/** A page that was opened with this address, and the address that it left for. */
function visited(address: string, leave: (url: string) => void = () => {}) {
  const left: string[] = []
  const page: LeavingPage = {
    ...pageAt(address),
    async leave(url) {
      left.push(url)
      leave(url)
    },
  }
  return { page, left, requests: () => left.map(url => new URL(url).searchParams) }
}

/** Starts a sign-in that first tries without the user. @returns the request, and the address that its response opens. */
async function begun(here: World, answer: (url: string) => string, options: object = {}) {
  const { userAgent, requests, callbacks } = leaving(here.as, answer)
  const client = here.client({ page: pageAt('https://app.example.com/') })
  await client.signIn({ ...SILENT, ...options, userAgent: { ...userAgent, leaves: true } })
  const [request] = requests
  const [callback] = callbacks
  if (!request || !callback) throw new Error('No sign-in has begun.')
  return { client, request, callback }
}

const refused = (here: World, error = 'login_required', options: object = {}) =>
  begun(here, refusing(here.as, error), options)

test('a silent-first sign-in signs in a user whom the provider knows, without interaction', async () => {
  const here = world()
  const { request, callback } = await begun(here, url => here.as.approve(url))
  expect(request.get('prompt')).toBe('none')
  const { page, left } = visited(callback)
  const next = here.client({ page })
  expect(await next.start()).toMatchObject({ status: 'signed-in', claims: { sub: 'alice' } })
  expect(page.location()).toBe(RETURN_TO)
  expect(left).toEqual([])
})

test.for(['login_required', 'consent_required', 'interaction_required', 'account_selection_required'])(
  'if the provider responds with %s, the page asks the user once, with the same parameters',
  async error => {
    const here = world()
    const authorizationParameters = { organization: 'org-1', login_hint: 'alice' }
    const { request, callback } = await refused(here, error, {
      authorizationParameters,
      stepUp: { scope: 'write', acrValues: 'urn:gold' },
    })
    const { page, requests, left } = visited(callback)
    const next = here.client({ page })
    expect((await next.start()).status).toBe('signed-out')
    expect(left).toHaveLength(1)
    const [asked] = requests()
    expect(asked?.get('prompt')).toBeNull()
    for (const name of ['scope', 'acr_values', 'redirect_uri', ...Object.keys(authorizationParameters)])
      expect([name, asked?.get(name)]).toEqual([name, request.get(name)])
    for (const name of ['state', 'nonce', 'code_challenge'])
      expect(asked?.get(name)).not.toBe(request.get(name))
    // Back leads to the app, not to the response
    expect(page.location()).toBe(RETURN_TO)
    const arrived = visited(here.as.approve(left[0] as string))
    const last = here.client({ page: arrived.page })
    expect(await last.start()).toMatchObject({ status: 'signed-in', claims: { acr: 'urn:gold' } })
  },
)

test('the interactive sign-in ends at the returnTo of the silent one', async () => {
  const here = world()
  const { callback } = await refused(here)
  const { page, left } = visited(callback)
  await here.client({ page }).start()
  const arrived = visited(here.as.approve(left[0] as string, 'bob'))
  const last = here.client({ page: arrived.page })
  expect(await last.start()).toMatchObject({ status: 'signed-in', claims: { sub: 'bob' } })
  expect(arrived.page.location()).toBe(RETURN_TO)
  expect((await last.fetch(`${API}/me`)).status).toBe(200)
})

test('a response that is opened twice at once, and again later, continues once', async () => {
  const here = world()
  const { callback } = await refused(here)
  const pages = [visited(callback), visited(callback), visited(callback)] as const
  const [one, other, late] = pages
  await Promise.all([here.client({ page: one.page }).start(), here.client({ page: other.page }).start()])
  await here.client({ page: late.page }).start()
  expect(pages.flatMap(({ left }) => left)).toHaveLength(1)
  for (const { page } of pages) expect(page.location()).toBe(RETURN_TO)
})

test('a user who cancels is not asked again', async () => {
  const here = world()
  const { callback } = await refused(here)
  const { page, left } = visited(callback)
  await here.client({ page }).start()
  const cancelled = visited(refusing(here.as, 'access_denied')(left[0] as string))
  await expect(here.client({ page: cancelled.page }).start()).rejects.toMatchObject({
    reason: 'authorization_error',
    error: 'access_denied',
  })
  expect(cancelled.left).toEqual([])
  expect(cancelled.page.location()).toBe(RETURN_TO)
})

test.for(['access_denied', 'invalid_scope', 'server_error', 'temporarily_unavailable'])(
  'a response %s is an error, and the user is not asked',
  async error => {
    const here = world()
    const { callback } = await refused(here, error)
    const { page, left } = visited(callback)
    await expect(here.client({ page }).start()).rejects.toMatchObject({
      reason: 'authorization_error',
      error,
    })
    expect(left).toEqual([])
  },
)

test('a server that also answers the interactive request with login_required is not asked a third time', async () => {
  const here = world()
  const { callback } = await refused(here)
  const { page, left } = visited(callback)
  await here.client({ page }).start()
  const again = visited(refusing(here.as, 'login_required')(left[0] as string))
  await expect(here.client({ page: again.page }).start()).rejects.toMatchObject({ error: 'login_required' })
  expect(again.left).toEqual([])
})

test('an app that starts one on every page is stopped after four sign-ins', async () => {
  const here = world()
  for (let round = 0; round < 3; round++) {
    const { callback } = await refused(here)
    const { page, left } = visited(callback)
    await here.client({ page }).start()
    const cancelled = visited(refusing(here.as, 'access_denied')(left[0] as string))
    await here
      .client({ page: cancelled.page })
      .start()
      .catch(() => {})
  }
  await expect(refused(here)).rejects.toMatchObject({ reason: 'redirect_loop' })
})

test('an unreachable server in between is an error, and a reload continues', async () => {
  const here = world()
  const { callback } = await refused(here)
  const { page, left } = visited(callback)
  const unreachable = here.client({ page, fetch: () => Promise.reject(new TypeError('Failed to fetch')) })
  await expect(unreachable.start()).rejects.toMatchObject({ code: 'ERR_NETWORK' })
  expect([page.location(), left]).toEqual([callback, []])
  const reloaded = visited(page.location())
  await here.client({ page: reloaded.page }).start()
  expect(reloaded.left).toHaveLength(1)
})

test('a user who has signed out meanwhile is not asked', async () => {
  const here = world()
  const { client, callback } = await refused(here)
  await client.signOut()
  const { page, left } = visited(callback)
  expect(await here.client({ page }).start()).toEqual({ status: 'signed-out', reason: 'signed_out' })
  expect(left).toEqual([])
})

test('another user whom the provider knows replaces the previous one', async () => {
  const here = world()
  await here.signedIn()
  const { callback } = await begun(here, url => here.as.approve(url, 'bob'))
  const next = here.client({ page: visited(callback).page })
  expect(await next.start()).toMatchObject({ status: 'signed-in', claims: { sub: 'bob' } })
})

test('if the page does not leave, the user is asked immediately', async () => {
  const here = world()
  const { userAgent, requests } = leaving(here.as)
  await here.client({ page: pageAt(RETURN_TO) }).signIn({ ...SILENT, userAgent })
  expect(requests.map(request => request.get('prompt'))).toEqual([null])
})

test('a prompt parameter with silentFirst is rejected, and a configured prompt applies to the second request', async () => {
  const here = world()
  await expect(
    here.client().signIn({ silentFirst: true, authorizationParameters: { prompt: 'login' } }),
  ).rejects.toMatchObject({ code: 'ERR_CONFIGURATION', message: expect.stringContaining('"silentFirst"') })
  const authorizationParameters = { prompt: 'select_account' }
  const { userAgent, requests, callbacks } = leaving(here.as, refusing(here.as, 'login_required'))
  const client = here.client({ authorizationParameters, page: pageAt(RETURN_TO) })
  await client.signIn({ ...SILENT, userAgent: { ...userAgent, leaves: true } })
  expect(requests[0]?.get('prompt')).toBe('none')
  const next = visited(callbacks[0] as string)
  await here.client({ authorizationParameters, page: next.page }).start()
  expect(next.requests()[0]?.get('prompt')).toBe('select_account')
})
