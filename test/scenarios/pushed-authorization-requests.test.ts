import { HttpResponse } from 'msw'
import { describe, expect, test } from 'vitest'
import type { UserAgent } from '../../src/core/ports.ts'
import { clientSecretBasic } from '../../src/extensions/client-authentication.ts'
import { par } from '../../src/extensions/par.ts'
import { authorizationDetails } from '../../src/extensions/rar.ts'
import { API } from '../support/strict-api.ts'
import { type World, worlds } from '../support/world.ts'

const worldsOf = worlds()
const ENDPOINT = { pushed_authorization_request_endpoint: 'https://id.example.com/par' }

/** A server that accepts pushed requests, and the addresses that users were sent to. */
function world(options: Parameters<typeof worldsOf>[0] = {}, metadata: object = {}) {
  const here = worldsOf(options)
  Object.assign(here.as.metadata, ENDPOINT, metadata)
  const shown: URL[] = []
  const userAgent: UserAgent = {
    name: 'test',
    begin: redirectUri => ({
      redirectUri,
      async authorize(url) {
        shown.push(new URL(url))
        return here.as.approve(url)
      },
      close() {},
    }),
  }
  const app = (own: Parameters<World['client']>[0] = {}) =>
    here.client({ userAgent, extensions: [par()], ...own })
  return { ...here, shown, app }
}

test('the request is pushed, and only client_id and the reference go through the browser, once [PX01]', async () => {
  const { as, app, shown } = world()
  const client = app({
    scope: 'openid read',
    resources: { [`${API}/notes`]: { resource: 'urn:notes' } },
    authorizationParameters: { prompt: 'login' },
  })
  await client.signIn()
  await client.signIn()
  expect(client.session.status).toBe('signed-in')
  const [first, second] = shown.map(url => Object.fromEntries(url.searchParams))
  expect(Object.keys(first ?? {}).sort()).toEqual(['client_id', 'request_uri'])
  expect(second?.request_uri).not.toBe(first?.request_uri)
  expect(as.par.pushed.map(form => form.get('state')?.startsWith('lk.'))).toEqual([true, true])
  expect(Object.fromEntries(as.par.pushed[0] ?? [])).toMatchObject({
    client_id: 'app',
    response_type: 'code',
    redirect_uri: as.redirectUri,
    scope: 'openid read',
    code_challenge_method: 'S256',
    resource: 'urn:notes',
    prompt: 'login',
  })
  expect(client.types().filter(type => type.startsWith('pushed'))).toEqual([
    'pushed-authorization-request',
    'pushed-authorization-response',
    'pushed-authorization-request',
    'pushed-authorization-response',
  ])
})

test("the request is pushed with the client's credentials and with authorization details", async () => {
  const { as, app } = world({
    isClient: (_, headers) => headers.get('authorization') === `Basic ${btoa('app:s3cret')}`,
  })
  const extensions = [par(), authorizationDetails([{ type: 'payment', amount: 3 }])]
  const client = app({ extensions, clientAuthentication: clientSecretBasic('s3cret') })
  await client.signIn()
  expect(JSON.parse(as.par.pushed[0]?.get('authorization_details') ?? '')).toEqual([
    { type: 'payment', amount: 3 },
  ])
})

test("the authorization endpoint's own query parameters are kept and cannot override the reference", async () => {
  const { app, shown } = world(
    {},
    { authorization_endpoint: 'https://id.example.com/authorize?policy=b2c&request_uri=other' },
  )
  await app().signIn()
  expect(shown[0]?.searchParams.get('policy')).toBe('b2c')
  expect(shown[0]?.searchParams.getAll('request_uri')).toHaveLength(1)
  expect(shown[0]?.searchParams.get('request_uri')).not.toBe('other')
})

describe('a 200 response to a pushed request', () => {
  const two00 = (requestUri: string) => HttpResponse.json({ request_uri: requestUri, expires_in: 60 })

  test('is rejected with the name of the quirk that accepts it [PX02]', async () => {
    const { as, app, shown } = world()
    as.par.answers.push(two00)
    await expect(app().signIn()).rejects.toMatchObject({
      code: 'ERR_SERVER',
      error: 'invalid_response',
      status: 200,
      quirk: 'par_status_200',
      message: expect.stringContaining('par_status_200'),
    })
    expect(shown).toEqual([])
  })

  test('is accepted with that quirk and a warning [PX02]', async () => {
    const { as, app } = world()
    as.par.answers.push(two00)
    const client = app({ quirks: ['par_status_200'] })
    await client.signIn()
    expect(client.session.status).toBe('signed-in')
    expect(client.told).toContainEqual(expect.objectContaining({ type: 'warning', about: 'quirk' }))
  })
})

describe('a server that requires pushed requests', () => {
  test('never receives a plain one [PX03]', async () => {
    const { as, app, shown } = world({}, { require_pushed_authorization_requests: true })
    await expect(app({ extensions: [] }).signIn()).rejects.toMatchObject({
      code: 'ERR_CONFIGURATION',
      message: expect.stringContaining('par()'),
    })
    expect(shown).toEqual([])
    await app().signIn()
    expect(as.par.pushed).toHaveLength(1)
  })
})

describe('a reference that expires before the user is sent to the server', () => {
  test('is not used: the request is pushed again [PX04]', async () => {
    const { as, app, shown, clock } = world()
    as.par.answers.push(
      requestUri => HttpResponse.json({ request_uri: requestUri, expires_in: 0 }, { status: 201 }),
      requestUri => {
        clock.advance(5000) // the response took longer than the reference's lifetime
        return HttpResponse.json({ request_uri: requestUri, expires_in: 5 }, { status: 201 })
      },
    )
    await app().signIn()
    expect(as.par.pushed).toHaveLength(3)
    expect(new Set(as.par.pushed.map(String)).size).toBe(1)
    expect(shown).toHaveLength(1)
  })

  test('is abandoned after three attempts, and the page does not navigate [PX04]', async () => {
    const { as, app, shown } = world()
    for (let i = 0; i < 4; i++)
      as.par.answers.push(uri => HttpResponse.json({ request_uri: uri, expires_in: 0 }, { status: 201 }))
    await expect(app().signIn()).rejects.toMatchObject({ code: 'ERR_SERVER', error: 'invalid_response' })
    expect(as.par.pushed).toHaveLength(3)
    expect(shown).toEqual([])
  })
})

describe('a pushed request that fails', () => {
  const refused =
    (error: string, status = 400, headers = {}) =>
    () =>
      HttpResponse.json({ error, error_description: `no: ${error}` }, { status, headers })

  test.each([
    ['no connection', () => HttpResponse.error(), { code: 'ERR_NETWORK', retryable: true }],
    ['503', () => new HttpResponse('', { status: 503 }), { code: 'ERR_NETWORK', reason: 'unavailable' }],
    [
      'a captive portal',
      () => HttpResponse.html('<p>Room?'),
      { code: 'ERR_NETWORK', reason: 'not_the_server' },
    ],
    [
      'a redirect',
      () => new HttpResponse(null, { status: 307, headers: { location: 'https://evil.example/' } }),
      { code: 'ERR_NETWORK', reason: 'not_the_server' },
    ],
    [
      'a response without a reference',
      () => HttpResponse.json({ expires_in: 60 }, { status: 201 }),
      {
        code: 'ERR_SERVER',
        error: 'invalid_response',
      },
    ],
    ['invalid_request', refused('invalid_request'), { code: 'ERR_SERVER', error: 'invalid_request' }],
    [
      'invalid_client with a challenge',
      refused('invalid_client', 401, { 'www-authenticate': 'Basic' }),
      { code: 'ERR_SERVER', error: 'invalid_client', status: 401 },
    ],
    [
      'invalid_authorization_details [PX07]',
      refused('invalid_authorization_details'),
      { code: 'ERR_SERVER', error: 'invalid_authorization_details' },
    ],
  ])('throws a typed error, and the page does not navigate: %s', async (_, answer, error) => {
    const { as, app, shown } = world()
    as.par.answers.push(answer)
    const client = app()
    await expect(client.signIn()).rejects.toMatchObject(error)
    expect(shown).toEqual([])
    await client.signIn() // and the next one is unaffected
    expect(client.session.status).toBe('signed-in')
  })

  test('repeats nothing that was sent', async () => {
    const { as, app } = world()
    as.par.answers.push(() => {
      const { state, nonce } = Object.fromEntries(as.par.pushed[0] ?? [])
      return HttpResponse.json(
        { error: 'invalid_request', error_description: `bad ${state} ${nonce}` },
        { status: 400 },
      )
    })
    await expect(app().signIn()).rejects.toMatchObject({ errorDescription: 'bad … …' })
  })
})

test('the error for a server without the endpoint says so', async () => {
  const { app, shown } = world({}, { pushed_authorization_request_endpoint: undefined })
  await expect(app().signIn()).rejects.toMatchObject({
    code: 'ERR_CONFIGURATION',
    message: expect.stringContaining('pushed_authorization_request_endpoint'),
  })
  expect(shown).toEqual([])
})
