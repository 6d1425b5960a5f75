import { describe, expect, test } from 'vitest'
import { ConfigurationError } from '../../src/errors.ts'
import { createClient as inBrowsers } from '../../src/index.ts'
import { createClient as inTwoFiles } from '../../src/lazy.ts'
import { createClient as inNode } from '../../src/node.ts'

const good = {
  issuer: 'https://id.example.com',
  clientId: 'app',
  redirectUri: 'https://app.example.com/callback',
  allowedOrigins: ['https://api.example.com'],
}

describe.each([
  ['latchkey', inBrowsers],
  ['latchkey/node', inNode],
])('createClient() of %s', (_entry, createClient) => {
  test.each<[string, object, string]>([
    ['no issuer', { issuer: undefined }, '"issuer"'],
    ['an issuer that is not a URL', { issuer: 'nonsense' }, '"issuer"'],
    ['no clientId', { clientId: undefined }, '"clientId"'],
    ['an extension that is not a function', { extensions: ['dpop'] }, '"extensions"'],
    ['a provider that is not a function', { provider: 'google' }, '"provider"'],
    ['no origins', { allowedOrigins: undefined }, '"allowedOrigins"'],
    ['a resource that is not a URL', { resources: { notes: { scope: 'read' } } }, '"resources["notes"]"'],
  ])('rejects %s with an error that names the option, before it uses the others', (_what, change, option) => {
    const create = () => createClient({ ...good, ...change } as typeof good)
    expect(create).toThrow(ConfigurationError)
    expect(create).toThrow(option)
  })

  test.each([
    ['authority', 'https://id.example.com', '"issuer"'],
    ['scopes', ['openid'], '"scope"'],
    ['clientSecret', 'secret', '"clientAuthentication"'],
    ['client_secret', 'secret', '"clientAuthentication"'],
    ['redirect_uri', '/callback', '"redirectUri"'],
    ['redirectURI', '/callback', '"redirectUri"'],
    ['post_logout_redirect_uri', '/', '"postLogoutRedirectUri"'],
    ['allowedOrigin', ['https://api.example.com'], '"allowedOrigins"'],
    ['cacheLocation', 'localstorage', '"store"'],
    ['audience', 'https://api.example.com', '"authorizationParameters"'],
    ['extension', [], '"extensions"'],
  ])('names the unknown option %s and the one that was meant [F4.8]', (name, value, meant) => {
    const create = () => createClient({ ...good, [name]: value } as typeof good)
    expect(create).toThrow(ConfigurationError)
    expect(create).toThrow(`"${name}" is not an option of createClient(). Did you mean ${meant}?`)
  })

  test('lists the options for an unknown name without a similar one, and ignores an undefined one [F4.8]', () => {
    const create = (more: object) => () => createClient({ ...good, ...more } as typeof good).dispose()
    expect(create({ automaticSilentRenew: true })).toThrow(/is not an option .* The options are issuer, /)
    expect(create({ automaticSilentRenew: undefined })).not.toThrow()
  })

  test.each<[string, unknown, string]>([
    ['store', 'localStorage', '"store" must be a store such as memory()'],
    ['store', globalThis, '"store" must be'],
    ['userAgent', 'popup', '"userAgent" must be a user agent such as popup()'],
    ['scope', 42, '"scope" must be a string or a list of strings'],
    ['scope', ['openid', 42], '"scope" must be'],
    ['fetch', 'fetch', '"fetch" must be a function'],
    ['clock', Date, '"clock" must be'],
    ['quirks', 42, '"quirks" must be a list'],
    ['quirks', 'issuer_template', '"quirks" must be a list'],
    ['extensions', () => ({}), '"extensions" must be a list'],
    ['resources', null, '"resources" must be an object'],
    ['resources', 'https://api.example.com', '"resources" must be an object'],
    ['postLogoutRedirectUri', 42, '"postLogoutRedirectUri" must be a URL'],
    ['refreshLeewaySeconds', '60', '"refreshLeewaySeconds" must be'],
    ['allowedOrigins', 'https://api.example.com', '"allowedOrigins" must be a list'],
    [
      'issuer',
      'https://id.example.com/.well-known/openid-configuration',
      '"issuer" must be the address in front of "/.well-known/"',
    ],
  ])('rejects the %s %j with a specific message [F4.8]', (option, value, message) => {
    const create = () => createClient({ ...good, [option]: value } as typeof good)
    expect(create).toThrow(ConfigurationError)
    expect(create).toThrow(message)
  })
})

test('a relative redirect URI in Node is rejected with a valid example [F4.8]', () => {
  const create = () => inNode({ ...good, redirectUri: '/callback' })
  expect(create).toThrow(ConfigurationError)
  expect(create).toThrow(
    '"redirectUri" must be absolute, such as "http://127.0.0.1/callback"; got "/callback".',
  )
})

test.each<[string, object, string]>([
  ['an unknown option', { scopes: 'openid' }, 'Did you mean "scope"?'],
  ['an invalid store', { store: 'localStorage' }, '"store" must be'],
  ['an invalid user agent', { userAgent: 'popup' }, '"userAgent" must be'],
  ['invalid quirks', { quirks: 42 }, '"quirks" must be'],
])('a client in two files names %s at its first use [F4.8]', async (_what, change, message) => {
  const client = inTwoFiles({ ...good, ...change } as typeof good)
  const error = await client
    .handleCallback('https://app.example.com/callback')
    .catch((thrown: unknown) => thrown)
  expect(error).toBeInstanceOf(ConfigurationError)
  expect((error as Error).message).toContain(message)
  client.dispose()
})

test('a list that the app changes after createClient() of latchkey/lazy has no effect', async () => {
  const responseParameters = ['patient']
  const client = inTwoFiles({ ...good, responseParameters })
  responseParameters.push('access_token')
  expect(await client.handleCallback('https://app.example.com/callback')).toEqual({ handled: false })
  client.dispose()
})

test('signIn() of latchkey/lazy rejects where there is no page to leave, and nobody is signing in then', async () => {
  const client = inTwoFiles(good)
  await client.start()
  await expect(client.signIn()).rejects.toThrow('redirect() needs a page to leave')
  await expect(client.signIn()).rejects.toBeInstanceOf(ConfigurationError)
  expect(client.session.status).toBe('signed-out')
  client.dispose()
})

test('signIn() names an unknown option and the one that was meant [F4.8]', async () => {
  const client = inNode(good)
  const wrong = (options: object) => client.signIn(options).catch((error: Error) => error)
  for (const [name, meant] of [
    ['redirectTo', 'returnTo'],
    ['prompt', 'authorizationParameters'],
    ['returnto', 'returnTo'],
  ] as const) {
    const error = (await wrong({ [name]: '/' })) as Error
    expect(error).toBeInstanceOf(ConfigurationError)
    expect(error.message).toBe(`"${name}" is not an option of signIn(). Did you mean "${meant}"?`)
  }
  expect(await wrong({ userAgent: 'popup' })).toMatchObject({
    code: 'ERR_CONFIGURATION',
    message: expect.stringContaining('"userAgent" must be a user agent'),
  })
  client.dispose()
})
