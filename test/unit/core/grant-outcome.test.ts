import { describe, expect, test } from 'vitest'
import { judgeRefreshFailure } from '../../../src/core/grant-outcome.ts'
import {
  AuthorizationRequiredError,
  ConfigurationError,
  NetworkError,
  type NetworkReason,
  ServerError,
  StorageError,
} from '../../../src/errors.ts'

const PLENTY = 9000
const network = (reason: NetworkReason, details: { status?: number; retryAfterMs?: number } = {}) =>
  new NetworkError('no answer', reason, details)
const server = (error: string, status = 400) => new ServerError('refused', { error, status })

describe('a failed refresh', () => {
  test.each([400, 401, 403])('ends the session for invalid_grant with status %i', status => {
    for (const attempt of [1, 2, 3]) {
      expect(judgeRefreshFailure(server('invalid_grant', status), attempt, PLENTY)).toEqual({ do: 'end' })
    }
  })

  test('ends the session when the key that it is bound to is lost', () => {
    const lost = new AuthorizationRequiredError('dpop_key_lost')
    expect(judgeRefreshFailure(lost, 1, PLENTY)).toEqual({ do: 'end', reason: 'dpop_key_lost' })
  })

  test.each([
    server('invalid_client', 401),
    server('invalid_request'),
    server('unauthorized_client'),
    server('unsupported_grant_type'),
    server('invalid_scope'),
    server('temporarily_unavailable', 400),
    server('server_error', 400),
    server('interaction_required'),
    server('Invalid_Grant'),
    server('invalid_grant '),
    server('invalid_response', 200),
    new StorageError('no'),
    new ConfigurationError('no'),
  ])('keeps the session for %s', error => {
    expect(judgeRefreshFailure(error, 1, PLENTY)).toMatchObject({ do: 'keep' })
  })

  test.each<NetworkReason>(['unreachable', 'unavailable', 'not_the_server', 'timeout'])(
    'never ends the session while the server is %s',
    reason => {
      for (const attempt of [1, 2, 3, 4, 100]) {
        for (const remaining of [PLENTY, 0, -1]) {
          expect(judgeRefreshFailure(network(reason), attempt, remaining).do).not.toBe('end')
        }
      }
    },
  )

  test('is tried again at once, then after a pause, then no more', () => {
    const [first, second, third] = [1, 2, 3].map(attempt =>
      judgeRefreshFailure(network('unreachable'), attempt, PLENTY),
    )
    expect(first).toMatchObject({ do: 'retry', afterMs: 0 })
    expect(second).toMatchObject({ do: 'retry' })
    expect((second as { afterMs: number }).afterMs).toBeGreaterThan(0)
    expect(third).toMatchObject({ do: 'keep' })
  })

  test('is not sent twice at once when it timed out, and its refresh token may be spent', () => {
    expect(judgeRefreshFailure(network('timeout'), 1, PLENTY)).toEqual({ do: 'keep', spent: true })
  })

  test('waits as long as the server asks, where that fits', () => {
    const error = network('unavailable', { status: 429, retryAfterMs: 3000 })
    expect(judgeRefreshFailure(error, 1, PLENTY)).toMatchObject({ do: 'retry', afterMs: 3000 })
    expect(judgeRefreshFailure(error, 1, 2000)).toMatchObject({ do: 'keep' })
  })

  test('is not tried again when no time is left', () => {
    expect(judgeRefreshFailure(network('unreachable'), 1, 0)).toEqual({ do: 'keep', spent: true })
    expect(judgeRefreshFailure(network('unavailable', { status: 503 }), 2, 500)).toMatchObject({ do: 'keep' })
  })

  test('leaves the refresh token unspent when the server has refused the request for another reason', () => {
    expect(judgeRefreshFailure(server('invalid_client', 401), 1, PLENTY)).toEqual({
      do: 'keep',
      spent: false,
    })
  })
})
