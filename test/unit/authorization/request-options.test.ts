import { describe, expect, test } from 'vitest'
import { parseReturnTo } from '../../../src/authorization/request-options.ts'
import { checkAuthorizationParameters } from '../../../src/core/option-checks.ts'
import { ConfigurationError } from '../../../src/errors.ts'
import { failure } from '../../support/failure.ts'

describe('authorization parameters', () => {
  test('may be any that latchkey does not set', () => {
    const parameters = { prompt: 'login', audience: 'api', login_hint: 'a@b', ui_locales: 'de', max_age: '0' }
    expect(checkAuthorizationParameters(parameters)).toEqual(parameters)
  })

  test.each([
    'client_id',
    'redirect_uri',
    'response_type',
    'response_mode',
    'scope',
    'state',
    'nonce',
    'code_challenge',
    'code_challenge_method',
    'request',
    'request_uri',
    'client_secret',
    'code',
    'code_verifier',
    'client_assertion',
    'access_token',
    'refresh_token',
  ])('may not be %s [AR12, AR13]', name => {
    const error = failure(() => checkAuthorizationParameters({ [name]: 'secret-value' }))
    expect(error).toBeInstanceOf(ConfigurationError)
    expect(error.message).toContain(name)
    expect(error.message).not.toContain('secret-value')
  })

  test('must be strings', () => {
    const wrong = { max_age: 0 } as unknown as Record<string, string>
    expect(failure(() => checkAuthorizationParameters(wrong)).message).toContain('max_age')
  })
})

describe('returnTo', () => {
  const redirectUri = 'https://app.example.com/callback'

  test.each([
    ['https://app.example.com/notes?a=b#c', 'https://app.example.com/notes?a=b#c'],
    ['/notes', 'https://app.example.com/notes'],
    [undefined, undefined],
  ])('may be %s', (returnTo, expected) => {
    expect(parseReturnTo(returnTo, redirectUri)).toBe(expected)
  })

  test.each([
    'https://evil.example/',
    '//evil.example/',
    '\\\\evil.example\\',
    '/\\evil.example',
    'https://app.example.com.evil.example/',
    'https://app.example.com@evil.example/',
    'http://app.example.com/',
    'https://app.example.com:8443/',
    'javascript:alert(1)',
    'data:text/html,x',
    'java\nscript:alert(1)',
    'https://',
  ])('may not leave the app: %j', returnTo => {
    expect(failure(() => parseReturnTo(returnTo, redirectUri))).toBeInstanceOf(ConfigurationError)
  })

  test.each([
    'https://user@app.example.com/',
    'https://:secret@app.example.com/',
    '//user:secret@app.example.com/',
  ])('may not be an address that a page cannot show: %s [F6.4]', returnTo => {
    expect(failure(() => parseReturnTo(returnTo, redirectUri))).toBeInstanceOf(ConfigurationError)
  })

  test('is not available if the redirect URI belongs to an app or to no page', () => {
    for (const other of ['com.example.app:/callback', '/callback', 'about:blank', 'about:srcdoc']) {
      expect(failure(() => parseReturnTo('/notes', other))).toBeInstanceOf(ConfigurationError)
    }
  })

  test.each([
    ['/notes', 'capacitor://localhost/index.html', 'capacitor://localhost/notes'],
    ['https://localhost/notes#a', 'https://localhost/', 'https://localhost/notes#a'],
  ])('in a webview, may be %s at %s', (returnTo, base, expected) => {
    expect(parseReturnTo(returnTo, base)).toBe(expected)
    expect(failure(() => parseReturnTo('ionic://localhost/', base))).toBeInstanceOf(ConfigurationError)
  })
})
