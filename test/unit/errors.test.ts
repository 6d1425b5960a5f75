import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import * as errors from '../../src/errors.ts'

function callbackErrorCausedBy(cause: Error) {
  return new errors.CallbackError('m', 'invalid_response', { cause })
}

const all: [errors.LatchkeyError, errors.ErrorCode, boolean][] = [
  [new errors.ConfigurationError('m'), 'ERR_CONFIGURATION', false],
  [new errors.CallbackError('m', 'cancelled'), 'ERR_CALLBACK', false],
  [callbackErrorCausedBy(new errors.NetworkError('m', 'timeout')), 'ERR_CALLBACK', true],
  [
    callbackErrorCausedBy(new errors.NetworkError('m', 'unreachable', { retryable: false })),
    'ERR_CALLBACK',
    false,
  ],
  [new errors.AuthorizationRequiredError('expired'), 'ERR_AUTHORIZATION_REQUIRED', false],
  [new errors.ServerError('m', { error: 'invalid_client' }), 'ERR_SERVER', false],
  [new errors.ServerError('m', { error: 'server_error' }), 'ERR_SERVER', true],
  [new errors.ServerError('m', { error: 'temporarily_unavailable' }), 'ERR_SERVER', true],
  [new errors.NetworkError('m', 'timeout'), 'ERR_NETWORK', true],
  [new errors.StorageError('m'), 'ERR_STORAGE', true],
  [new errors.StorageError('m', { retryable: false }), 'ERR_STORAGE', false],
  [new errors.LockTimeoutError('m'), 'ERR_LOCK_TIMEOUT', true],
]

test.each(all)(
  '%s has a code, says whether to retry, and is named after its class',
  (error, code, retryable) => {
    expect(error).toMatchObject({ code, retryable })
    expect(error).toBeInstanceOf(errors.LatchkeyError)
    expect(error).toBeInstanceOf(Error)
    expect(error.name).toMatch(/^[A-Z]\w+Error$/)
    expect(errors).toHaveProperty(error.name)
    expect(error.message).not.toBe('')
  },
)

test.each(all)('%s names its section of the documentation, which is in the package [F4.14]', error => {
  const [page, section] = error.docs.split('#')
  const text = readFileSync(new URL(`../../${page?.replace(/^latchkey\//, '')}`, import.meta.url), 'utf8')
  expect(text).toContain(`\n## ${section?.toUpperCase()}\n`)
  const { files } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'))
  expect(files).toContain('docs/*.md')
})

test('an error keeps its cause', () => {
  const cause = new Error('first')
  for (const error of [
    new errors.NetworkError('m', 'unreachable', { cause }),
    new errors.StorageError('m', { cause }),
    new errors.CallbackError('m', 'cancelled', { cause }),
  ]) {
    expect(error.cause).toBe(cause)
  }
})

test("the server's error response is in fields", () => {
  expect(new errors.ServerError('m', { error: 'e', errorDescription: 'd', status: 400 })).toMatchObject({
    error: 'e',
    errorDescription: 'd',
    status: 400,
  })
  expect(new errors.NetworkError('m', 'unavailable', { status: 429, retryAfterMs: 5 })).toMatchObject({
    reason: 'unavailable',
    status: 429,
    retryAfterMs: 5,
  })
  expect(new errors.CallbackError('m', 'authorization_error', { error: 'access_denied' })).toMatchObject({
    reason: 'authorization_error',
    error: 'access_denied',
  })
})

test('an error that requires a sign-in says why, and what to call', () => {
  const error = new errors.AuthorizationRequiredError('no_refresh_token')
  expect(error.reason).toBe('no_refresh_token')
  expect(error.message).toContain('signIn()')
})
