import { describe, expect, test } from 'vitest'
import { judgeRefreshFailure, type RefreshesBefore } from '../../../src/core/grant-outcome.ts'
import {
  AuthorizationRequiredError,
  ConfigurationError,
  type LatchkeyError,
  NetworkError,
  type NetworkReason,
  ServerError,
  StorageError,
} from '../../../src/errors.ts'

const PLENTY = 9000
const FIRST: RefreshesBefore = { refusals: 0, accessTokenExpired: true }
const AGAIN: RefreshesBefore = { refusals: 1, accessTokenExpired: true }
const network = (reason: NetworkReason, details: { status?: number; retryAfterMs?: number } = {}) =>
  new NetworkError('no answer', reason, details)
const server = (error: string, status = 400) =>
  new ServerError('refused', { error, ...(status && { status }) })
const judge = (error: LatchkeyError, before = FIRST, attempt = 1, remainingMs = PLENTY) =>
  judgeRefreshFailure(error, attempt, remainingMs, before)
/** The session is kept, and the rejection is not counted. */
const kept = (spent: boolean) => ({ do: 'keep', spent, refused: false })

describe('a failed refresh', () => {
  test.each([400, 401, 403])('ends the session for invalid_grant with status %i', status => {
    for (const attempt of [1, 2, 3])
      expect(judge(server('invalid_grant', status), FIRST, attempt)).toEqual({ do: 'end' })
  })

  test.each(['bad_refresh_token', 'invalid_refresh_token', 'expired_refresh_token', 'refresh_token_expired'])(
    'ends the session for %s, which can only mean invalid_grant [F2.1]',
    error => {
      expect(judge(server(error))).toEqual({ do: 'end' })
    },
  )

  test('ends the session if the key that it is bound to is lost', () => {
    const lost = new AuthorizationRequiredError('dpop_key_lost')
    expect(judge(lost)).toEqual({ do: 'end', reason: 'dpop_key_lost' })
  })

  test.each([
    server('refused'),
    server('refused', 401),
    server('invalid_request'),
    server('invalid_token', 401),
    server('token_expired', 401),
    server('access_denied'),
    server('Invalid_Grant'),
    server('invalid_grant '),
    server('nonsense'),
  ])(
    'with a rejection by the token endpoint ($error, $status) ends the session when it repeats [F2.1]',
    error => {
      expect(judge(error, FIRST)).toEqual({ do: 'keep', spent: false, refused: true })
      for (const refusals of [1, 2, 100])
        expect(judge(error, { refusals, accessTokenExpired: true })).toEqual({ do: 'end', reason: 'expired' })
    },
  )

  test('with a rejection by the token endpoint keeps the session while its access token is valid [F2.1]', () => {
    expect(judge(server('refused'), { refusals: 5, accessTokenExpired: false })).toEqual({
      do: 'keep',
      spent: false,
      refused: true,
    })
  })

  test.each<[LatchkeyError, boolean]>([
    [server('invalid_client', 401), false],
    [server('unauthorized_client'), false],
    [server('unsupported_grant_type'), false],
    [server('invalid_scope'), false],
    [server('invalid_target'), false],
    [server('invalid_resource'), false],
    [server('invalid_dpop_proof'), false],
    [server('use_dpop_nonce'), false],
    [server('temporarily_unavailable'), false],
    [server('server_error'), false],
    [server('slow_down'), false],
    [server('interaction_required'), false],
    [server('mfa_required', 403), false],
    [server('access_denied', 403), false],
    [server('invalid_response', 200), true],
    [server('invalid_response', 400), true],
    [server('metadata_downgrade', 0), false],
    [server('invalid_scope', 0), false],
    [new StorageError('no'), false],
    [new ConfigurationError('no'), false],
  ])('keeps the session for %s, however often it occurs [F2.1]', (error, spent) => {
    for (const before of [FIRST, AGAIN]) expect(judge(error, before)).toEqual(kept(spent))
  })

  test.each<NetworkReason>(['unreachable', 'unavailable', 'not_the_server', 'timeout'])(
    'never ends the session while the server is %s',
    reason => {
      for (const attempt of [1, 2, 3, 4, 100])
        for (const remaining of [PLENTY, 0, -1])
          for (const before of [FIRST, AGAIN])
            expect(judge(network(reason), before, attempt, remaining).do).not.toBe('end')
    },
  )

  test('is retried immediately, then after a pause, then no more', () => {
    const [first, second, third] = [1, 2, 3].map(attempt => judge(network('unreachable'), FIRST, attempt))
    expect(first).toMatchObject({ do: 'retry', afterMs: 0 })
    expect(second).toMatchObject({ do: 'retry' })
    expect((second as { afterMs: number }).afterMs).toBeGreaterThan(0)
    expect(third).toMatchObject({ do: 'keep' })
  })

  test('is not retried immediately after a time-out, and its refresh token may be spent', () => {
    expect(judge(network('timeout'))).toEqual(kept(true))
  })

  test('is not retried immediately if an intermediary responds [F2.1]', () => {
    expect(judge(network('not_the_server', { status: 403 }))).toEqual(kept(true))
  })

  test('waits as long as the server asks, if that fits', () => {
    const error = network('unavailable', { status: 429, retryAfterMs: 3000 })
    expect(judge(error)).toMatchObject({ do: 'retry', afterMs: 3000 })
    expect(judge(error, FIRST, 1, 2000)).toMatchObject({ do: 'keep' })
  })

  test('is not retried if no time is left', () => {
    expect(judge(network('unreachable'), FIRST, 1, 0)).toEqual(kept(true))
    expect(judge(network('unavailable', { status: 503 }), FIRST, 2, 500)).toMatchObject({ do: 'keep' })
  })
})

test.each(['invalid_grant', 'invalid_client', 'nonsense'])(
  '%s never ends the session if the grant can run again',
  error => {
    for (const before of [FIRST, AGAIN])
      expect(judge(server(error), { ...before, isGrant: true })).toEqual({
        do: 'keep',
        spent: false,
        refused: true,
      })
  },
)
