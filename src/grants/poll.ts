import { pause } from '../core/back-off.ts'
import type { Clock } from '../core/ports.ts'
import { abortable } from '../core/waiting.ts'
import { CallbackError, type LatchkeyError, NetworkError, ServerError } from '../errors.ts'

/** The default (RFC 8628 section 3.2). */
const INTERVAL_SECONDS = 5
/** latchkey does not follow a server that asks for a longer interval. */
const LONGEST_INTERVAL_SECONDS = 300
/** Each `slow_down` makes the interval longer by this, permanently (RFC 8628 section 3.5). */
const SLOW_DOWN_SECONDS = 5
const LONGEST_WAIT_SECONDS = 86_400
/** The longest pause of the exponential backoff while latchkey cannot reach the server. */
const LONGEST_PAUSE_MS = 60_000

export interface PollOptions {
  readonly clock: Clock
  /** How long the user may take, from the server. */
  readonly expiresInSeconds: number
  /** How long to wait between two requests, from the server. Default 5. */
  readonly intervalSeconds: number | undefined
  /** Whether another tab or process that shares the store has signed in. */
  isSignedIn(): Promise<boolean>
  /** Sends one token request and stores the session. */
  redeem(): Promise<void>
  readonly signal: AbortSignal
}

const TOO_LATE = 'The user did not sign in before the code expired. Offer sign-in again.'

const cancelled = (what: string, cause?: LatchkeyError) =>
  new CallbackError(what, 'cancelled', {
    cause,
    error: cause instanceof ServerError ? cause.error : undefined,
  })

/** The error of a sign-in that the server has finally refused. */
function refusal(error: ServerError): CallbackError {
  if (error.error === 'access_denied')
    return new CallbackError('The user refused the sign-in. Offer sign-in again.', 'authorization_error', {
      cause: error,
      error: error.error,
    })
  if (error.error === 'expired_token') return cancelled(TOO_LATE, error)
  return new CallbackError(error.message, 'invalid_response', {
    cause: error,
    error: error.error,
  })
}

/**
 * Polls the token endpoint until the user has decided (RFC 8628 section 3.5): one request at a time, at the server's
 * interval. A failed connection does not end it, nor does a computer that sleeps for less than the code's lifetime.
 * @throws CallbackError, ConfigurationError, AuthorizationRequiredError.
 */
export async function poll({ clock, isSignedIn, redeem, signal, ...timing }: PollOptions): Promise<void> {
  const expiresAt = clock.now() + Math.min(timing.expiresInSeconds, LONGEST_WAIT_SECONDS) * 1000
  let seconds = Math.min(timing.intervalSeconds ?? INTERVAL_SECONDS, LONGEST_INTERVAL_SECONDS)
  let failures = 0
  let retryAfterMs = 0
  for (;;) {
    const growing = seconds * 1000 * 2 ** failures
    const waitMs = Math.max(
      seconds * 1000,
      Math.min(growing, Math.max(LONGEST_PAUSE_MS, seconds * 1000)),
      retryAfterMs,
    )
    if (clock.now() >= expiresAt) throw cancelled(TOO_LATE)
    await pause(clock, Math.min(waitMs, Math.max(expiresAt - clock.now(), 0)), signal)
    if (await abortable(isSignedIn(), signal)) return
    try {
      await redeem()
      return
    } catch (error) {
      retryAfterMs = 0
      if (error instanceof NetworkError) {
        failures++
        retryAfterMs = error.retryAfterMs ?? 0
        continue
      }
      if (!(error instanceof ServerError)) throw error
      failures = 0
      if (error.error === 'slow_down') seconds += SLOW_DOWN_SECONDS
      else if (error.error !== 'authorization_pending' && !error.retryable) throw refusal(error)
    }
  }
}
