import { describe, expect, test } from 'vitest'
import { readOptions } from '../../src/client.ts'
import { checkAuthorizationParameters } from '../../src/core/option-checks.ts'
import { ConfigurationError } from '../../src/errors.ts'
import { type ClientOptions, parseOptions } from '../../src/options.ts'
import { failure } from '../support/failure.ts'

const base = 'https://app.example.com/some/page?a=b'
const good = {
  issuer: 'https://id.example.com',
  clientId: 'app',
  redirectUri: '/callback',
  allowedOrigins: ['https://api.example.com'],
}
const server = {
  issuer: 'https://id.example.com',
  authorization_endpoint: 'https://id.example.com/authorize',
  token_endpoint: 'https://id.example.com/token',
}
const parse = (change: object = {}) => {
  const options = { ...good, ...change } as ClientOptions
  return { ...parseOptions(options, base), ...readOptions(options, base) }
}

describe('valid options', () => {
  test('get defaults', () => {
    expect(parse()).toMatchObject({
      issuer: 'https://id.example.com',
      clientId: 'app',
      redirectUri: 'https://app.example.com/callback',
      scope: 'openid',
      leewaySeconds: 60,
    })
    expect([...parse().allowedOrigins]).toEqual(['https://api.example.com'])
  })

  test.each([
    'https://id.example.com/tenant',
    'https://id.example.com/',
    'http://localhost:3000',
    'http://127.0.0.1:3000',
    'http://[::1]:3000',
  ])('may have the issuer %s, which keeps its spelling', issuer => {
    expect(parse({ issuer }).issuer).toBe(issuer)
  })

  test('may have metadata instead of an issuer', () => {
    expect(parse({ issuer: undefined, server })).toMatchObject({ issuer: server.issuer, metadata: server })
  })

  test.each<[string | string[], string]>([
    ['openid profile', 'openid profile'],
    [' openid   profile openid ', 'openid profile'],
    [['openid', 'profile'], 'openid profile'],
    [['openid profile', 'profile'], 'openid profile'],
    ['', ''],
    [[], ''],
  ])('may have the scope %j [AR10]', (scope, expected) => {
    expect(parse({ scope }).scope).toBe(expected)
  })

  test.each([
    ['/callback', 'https://app.example.com/callback'],
    ['callback', 'https://app.example.com/some/callback'],
    ['https://app.example.com/cb?x=y', 'https://app.example.com/cb?x=y'],
    ['http://127.0.0.1/callback', 'http://127.0.0.1/callback'],
    ['com.example.app:/callback', 'com.example.app:/callback'],
  ])('may have the redirect URI %s', (redirectUri, expected) => {
    expect(parse({ redirectUri }).redirectUri).toBe(expected)
  })

  test('may have a relative redirect URI before there is a page', () => {
    expect(parseOptions(good, undefined).redirectUri).toBe('/callback')
  })

  test('normalize the spelling of origins', () => {
    const allowedOrigins = [
      'https://API.example.com:443',
      'https://api.example.com/',
      'http://localhost:8080',
    ]
    expect([...parse({ allowedOrigins }).allowedOrigins]).toEqual([
      'https://api.example.com',
      'http://localhost:8080',
    ])
    expect(parse({ allowedOrigins: [] }).allowedOrigins.size).toBe(0)
  })

  test('are read once: later changes have no effect', () => {
    const allowedOrigins = ['https://api.example.com']
    const authorizationParameters: Record<string, string> = { audience: 'api' }
    const settings = parse({ allowedOrigins, authorizationParameters })
    allowedOrigins.push('https://evil.example')
    authorizationParameters.audience = 'another'
    expect(settings.allowedOrigins.has('https://evil.example')).toBe(false)
    expect(settings.authorizationParameters).toEqual({ audience: 'api' })
  })
})

test.each(['https://api.example.com/#part', 'urn:notes#', '/notes', 'notes', ''])(
  'a resource indicator that is not an absolute URI without fragment is rejected: %j [PX08]',
  resource => {
    const wrong = [
      { resources: { 'https://api.example.com': { resource, scope: 'read' } } },
      { authorizationParameters: { resource } },
    ]
    for (const options of wrong) {
      expect(failure(() => parse(options))).toMatchObject({
        code: 'ERR_CONFIGURATION',
        message: expect.stringMatching(/resource" must be an absolute URI without fragment/),
      })
    }
    expect(failure(() => checkAuthorizationParameters({ resource }))).toBeInstanceOf(ConfigurationError)
  },
)

describe('an invalid option', () => {
  test.each<[string, unknown]>([
    ['issuer', undefined],
    ['issuer', ''],
    ['issuer', 'id.example.com'],
    ['issuer', 'http://id.example.com'],
    ['issuer', 'http://127.0.0.1.evil.example'],
    ['issuer', 'https://id.example.com?a=b'],
    ['issuer', 'https://id.example.com#a'],
    ['issuer', 'https://user@id.example.com'],
    ['issuer', 'ftp://id.example.com'],
    ['issuer', 42],
    ['issuer', null],
    ['clientId', undefined],
    ['clientId', ''],
    ['clientId', '  '],
    ['clientId', 42],
    ['redirectUri', undefined],
    ['redirectUri', ''],
    ['redirectUri', 42],
    ['redirectUri', 'http://app.example.com/callback'],
    ['redirectUri', '/callback#part'],
    ['redirectUri', 'javascript:alert(1)'],
    ['redirectUri', 'data:text/html,x'],
    ['postLogoutRedirectUri', 'http://app.example.com/'],
    ['logoutParameters', { id_token_hint: 'x' }],
    ['postLogoutRedirectUri', 'javascript:alert(1)'],
    ['scope', 'open"id'],
    ['scope', 'grüß'],
    ['allowedOrigins', undefined],
    ['allowedOrigins', 'https://api.example.com'],
    ['allowedOrigins', ['https://api.example.com/v1']],
    ['allowedOrigins', ['https://user@api.example.com']],
    ['allowedOrigins', ['http://api.example.com']],
    ['allowedOrigins', ['api.example.com']],
    ['allowedOrigins', ['*']],
    ['allowedOrigins', ['https://*.example.com/x']],
    ['allowedOrigins', ['null']],
    ['allowedOrigins', ['file:///']],
    ['allowedOrigins', ['https://api.example.com?x']],
    ['allowedOrigins', [undefined]],
    ['refreshLeewaySeconds', -5],
    ['refreshLeewaySeconds', Number.NaN],
    ['refreshLeewaySeconds', 'soon'],
  ])('%s: %j causes an error that names it [AR09, AR10]', (name, value) => {
    const error = failure(() => parse({ [name]: value }))
    expect(error).toBeInstanceOf(ConfigurationError)
    expect(error).toMatchObject({ code: 'ERR_CONFIGURATION', message: expect.stringContaining(`"${name}`) })
  })

  test('causes an error with the received value and a valid one', () => {
    const { message } = failure(() => parse({ refreshLeewaySeconds: -5 }))
    expect(message).toContain('-5')
    expect(message).toContain('60')
    expect(failure(() => parse({ issuer: 'http://id.example.com' })).message).toContain('https')
  })

  test('cannot be two issuers', () => {
    const both = { issuer: 'https://other.example', server } as unknown as ClientOptions
    expect(failure(() => parse(both)).message).toMatch(/^"issuer" must be left out where "server" names it/)
  })

  test('cannot be members of the metadata in another form than an object', () => {
    const text = { server: 'https://id.example.com/token' } as unknown as ClientOptions
    expect(failure(() => parse(text)).message).toMatch(/^"server" must be an object;/)
  })

  test('cannot be metadata whose issuer is not encrypted', () => {
    const error = failure(() =>
      parse({ issuer: undefined, server: { ...server, issuer: 'http://id.example.com' } }),
    )
    expect(error).toBeInstanceOf(ConfigurationError)
    expect(error.message).toContain('server.issuer')
  })

  test('that is very long is truncated in the error', () => {
    expect(failure(() => parse({ issuer: 'x'.repeat(10_000) })).message.length).toBeLessThan(500)
  })
})
