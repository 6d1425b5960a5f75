import { describe, expect, test } from 'vitest'
import { oauthError } from '../support/faults.ts'
import { leaving, pageAt } from '../support/leaving.ts'
import { worlds } from '../support/world.ts'

const world = worlds()

/** The authorization response to a redirect sign-in, as an attacker changes it, and a page that is opened with it. */
const answered = async (change: (parameters: URLSearchParams) => void, hash = '') => {
  const here = world()
  const away = leaving(here.as)
  await here.client({ userAgent: away.userAgent }).signIn()
  const address = new URL(away.callbacks[0] as string)
  change(address.searchParams)
  address.searchParams.set('kept', 'yes')
  address.hash = hash
  const page = pageAt(address.href)
  const client = here.client({ page })
  return { ...here, page, client, failure: () => client.start().catch((error: unknown) => error) }
}

test.for(['code', 'state', 'iss', 'error'])(
  'a response with %s twice is rejected, and no code is sent [RS10]',
  async name => {
    const { client, as, failure } = await answered(parameters => {
      if (name === 'error') parameters.append('error', 'access_denied')
      parameters.append(name, 'another')
    })
    expect(await failure()).toMatchObject({ code: 'ERR_CALLBACK' })
    expect(as.count('authorization_code')).toBe(0)
    expect(client.session.status).toBe('signed-out')
  },
)

test('a response with an error and a code is an error, and the code is dropped [RS11]', async () => {
  const { as, page, failure } = await answered(parameters => parameters.set('error', 'access_denied'))
  expect(await failure()).toMatchObject({ reason: 'authorization_error', error: 'access_denied' })
  expect(as.count('authorization_code')).toBe(0)
  expect(page.location()).toBe('https://app.example.com/callback?kept=yes')
})

test('a response with an empty code is rejected [RS17]', async () => {
  const { as, failure } = await answered(parameters => parameters.set('code', ''))
  expect(await failure()).toMatchObject({ code: 'ERR_CALLBACK', reason: 'invalid_response' })
  expect(as.count('authorization_code')).toBe(0)
})

test('a wrong iss is rejected even if the server does not announce iss [RS08]', async () => {
  const here = world()
  here.as.metadata.authorization_response_iss_parameter_supported = false
  const away = leaving(here.as)
  const client = here.client(away)
  await client.signIn()
  const address = new URL(away.callbacks[0] as string)
  address.searchParams.set('iss', 'https://evil.example')
  await expect(client.handleCallback(address)).rejects.toMatchObject({ reason: 'invalid_response' })
  expect(here.as.count('authorization_code')).toBe(0)
})

describe('an error in the authorization response', () => {
  test.for([
    ['access_denied', false],
    ['temporarily_unavailable', true],
    ['server_error', true],
  ] as const)('%s is final or retryable: %s [RS12]', async ([error, retryable]) => {
    const { page, failure, client } = await answered(parameters => {
      parameters.delete('code')
      parameters.set('error', error)
    })
    expect(await failure()).toMatchObject({ code: 'ERR_CALLBACK', error, retryable })
    // retrying the response itself never helps: it leaves the address, and when it arrives again it is not an error
    expect(page.location()).toBe('https://app.example.com/callback?kept=yes')
    expect(await client.start()).toMatchObject({ status: 'signed-out' })
  })

  test.for([
    ['HTML', '<img src=x onerror=alert(1)>'],
    ['control characters', 'a\u0000\u001b[31m\u202eb\r\nc'],
    ['100 kB', 'x'.repeat(100_000)],
  ] as const)('is shortened and plain text if it was %s [RS14]', async ([, text]) => {
    const { page, failure } = await answered(parameters => {
      parameters.delete('code')
      parameters.set('error', text)
      parameters.set('error_description', text)
      parameters.set('error_uri', 'javascript:alert(1)')
    })
    const error = (await failure()) as Error & { error: string }
    expect(error).toMatchObject({ code: 'ERR_CALLBACK', reason: 'authorization_error' })
    for (const shown of [error.message, error.error]) {
      expect(shown).toMatch(/^[ -~…]{1,500}$/)
      expect(shown).not.toMatch(/[<>]/)
    }
    expect(JSON.stringify({ ...error })).not.toContain('javascript:')
    expect(page.location()).toBe('https://app.example.com/callback?kept=yes')
  })
})

describe('an access token in an authorization response', () => {
  test('next to a code is removed from the address and never stored [RS15]', async () => {
    const { client, page, stored } = await answered(
      parameters => parameters.set('access_token', 'injected'),
      '#access_token=injected&token_type=bearer',
    )
    expect(await client.start()).toMatchObject({ status: 'signed-in' })
    expect(page.location()).toBe('https://app.example.com/callback?kept=yes')
    expect(JSON.stringify(await stored(''))).not.toContain('injected')
    expect(await client.getAccessToken()).not.toBe('injected')
  })

  test('instead of a code is rejected and removed from the address [RS15]', async () => {
    const { page, as, stored, failure } = await answered(parameters => {
      parameters.delete('code')
      parameters.set('access_token', 'injected')
    })
    expect(await failure()).toMatchObject({ reason: 'invalid_response' })
    expect(page.location()).toBe('https://app.example.com/callback?kept=yes')
    expect(as.count('authorization_code')).toBe(0)
    expect(JSON.stringify(await stored(''))).not.toContain('injected')
  })
})

test('a listener for new sessions sees a clean address that keeps all other parameters [RS16]', async () => {
  const { client, page } = await answered(() => {}, '#part')
  const seen: string[] = []
  client.subscribe(({ status }) => void (status === 'signed-in' && seen.push(page.location())))
  client.events.subscribe(({ type }) => void (type === 'session-started' && seen.push(page.location())))
  await client.start()
  expect(seen).toEqual(Array(2).fill('https://app.example.com/callback?kept=yes#part'))
})

test("a stolen code in the response to this client's own sign-in is rejected by the server and reported as an attack [RS21]", async () => {
  const here = world()
  const [own, stolen] = [leaving(here.as), leaving(here.as, url => here.as.approve(url, 'mallory'))]
  const client = here.client({ userAgent: own.userAgent })
  await client.signIn()
  await here.client({ userAgent: stolen.userAgent, store: undefined }).signIn()
  const answer = new URL(own.callbacks[0] as string)
  const code = new URL(stolen.callbacks[0] as string).searchParams.get('code') as string
  answer.searchParams.set('code', code)
  await expect(client.handleCallback(answer)).rejects.toMatchObject({
    code: 'ERR_CALLBACK',
    error: 'invalid_grant',
    message: expect.stringContaining('belongs to another sign-in'),
  })
  expect(client.session.status).not.toBe('signed-in')
  expect(await here.stored()).toEqual([])
})

test('another rejection of the code is not reported as an attack [RS21]', async () => {
  const { as, failure } = await answered(() => {})
  as.failNext.push(oauthError('unauthorized_client'))
  expect(await failure()).toMatchObject({ message: expect.not.stringContaining('stolen') })
})

describe('a response to prompt=none that needs the user', () => {
  test.for(['login_required', 'interaction_required', 'consent_required', 'account_selection_required'])(
    '%s reports that the user is needed and leaves the session unchanged [RS13]',
    async error => {
      const here = world()
      const client = await here.signedIn()
      const before = [client.session, await here.stored()]
      const away = leaving(here.as, url => {
        const state = new URL(url).searchParams.get('state') ?? ''
        return `${here.as.redirectUri}?${new URLSearchParams({ error, state, iss: here.as.issuer })}`
      })
      await client.signIn({ userAgent: away.userAgent, authorizationParameters: { prompt: 'none' } })
      await expect(client.handleCallback(away.callbacks[0] as string)).rejects.toMatchObject({
        code: 'ERR_AUTHORIZATION_REQUIRED',
        reason: 'interaction_required',
      })
      expect([client.session, await here.stored()]).toEqual(before)
      expect(client.types()).not.toContain('session-ended')
    },
  )
})

test('an unknown state is an error when signed out and ignored when signed in; the address is cleaned [RS01]', async () => {
  const here = world()
  const address = 'https://app.example.com/callback?code=abc&state=lk.redirect.1.unknown&kept=yes'
  for (const signedIn of [false, true]) {
    if (signedIn) await here.signedIn()
    const before = [here.as.tokenRequests.length, await here.stored()]
    const page = pageAt(address)
    const client = here.client({ page })
    if (signedIn) expect(await client.start()).toMatchObject({ status: 'signed-in' })
    else
      await expect(client.start()).rejects.toMatchObject({ code: 'ERR_CALLBACK', reason: 'state_not_found' })
    expect([here.as.tokenRequests.length, await here.stored()]).toEqual(before)
    expect(page.location()).toBe('https://app.example.com/callback?kept=yes')
  }
})
