import { describe, expect, test } from 'vitest'
import { addFailure, isTooEarly } from '../../../src/core/back-off.ts'
import { type StoredTrouble, toError } from '../../../src/core/trouble.ts'
import {
  ConfigurationError,
  type LatchkeyError,
  NetworkError,
  ServerError,
  StorageError,
} from '../../../src/errors.ts'

const NOW = 1_000_000
const down = new NetworkError('No answer.', 'unavailable', { status: 500 })
const fail = (before?: StoredTrouble, error: LatchkeyError = down, now = NOW, isRefusal = false) =>
  addFailure(before, error, isRefusal, now, 1)

describe('consecutive failed refreshes', () => {
  test('wait longer each time, up to half a minute, and remember the start', () => {
    let trouble: StoredTrouble | undefined
    const pauses = Array.from({ length: 9 }, (_, index) => {
      trouble = fail(trouble, down, NOW + index)
      return trouble.until - trouble.at
    })
    expect(pauses).toEqual([500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000])
    expect(trouble).toMatchObject({ since: NOW, at: NOW + 8, failures: 9 })
  })

  test('wait as long as the server asks, even if our own pause is shorter', () => {
    const asked = new NetworkError('Slow down.', 'unavailable', { status: 429, retryAfterMs: 600_000 })
    expect(fail(undefined, asked)).toMatchObject({ until: NOW + 600_000, askedUntil: NOW + 600_000 })
  })

  test('count as rejections only if no other failure occurs in between [F2.1]', () => {
    const refused = new ServerError('Refused.', { error: 'refused', status: 400 })
    const twice = fail(fail(undefined, refused, NOW, true), refused, NOW, true)
    expect(twice).toMatchObject({ refusals: 2, failures: 2 })
    expect(twice.until - twice.at).toBe(60_000)
    expect(fail(twice)).toMatchObject({ refusals: 0, failures: 3 })
  })
})

describe('a pause', () => {
  const trouble = fail(undefined, new NetworkError('Slow.', 'unavailable', { retryAfterMs: 300 }))

  test('ends after its time, or when the clock was set back', () => {
    for (const [now, early] of [
      [NOW - 1, false],
      [NOW, true],
      [NOW + 499, true],
      [NOW + 500, false],
    ] as const) {
      expect(isTooEarly(trouble, now, 0)).toBe(early)
    }
  })

  test('ends on waking, except for the part that the server asked for [F2.13]', () => {
    expect(isTooEarly(trouble, NOW + 299, NOW + 1)).toBe(true)
    expect(isTooEarly(trouble, NOW + 300, NOW + 1)).toBe(false)
    // a failure after waking counts in full
    expect(isTooEarly(trouble, NOW + 400, NOW - 1)).toBe(true)
  })
})

test.each<LatchkeyError>([
  down,
  new ServerError('Refused: invalid_client.', {
    error: 'invalid_client',
    errorDescription: 'no',
    status: 401,
  }),
  new ConfigurationError('The server has no token endpoint.'),
  new NetworkError('Slow down.', 'unavailable', { status: 429, retryAfterMs: 600_000 }),
  new NetworkError('The certificate is not trusted.', 'unreachable', { retryable: false }),
  new StorageError('The place of the keys does not answer.'),
  new StorageError('The keys are encrypted with another key.', { retryable: false }),
])('$name is the same for clients that read it from the store', error => {
  const read = toError(JSON.parse(JSON.stringify(fail(undefined, error))))
  expect(read).toBeInstanceOf(error.constructor)
  expect({ ...read, message: read.message }).toEqual({ ...error, message: error.message })
})
