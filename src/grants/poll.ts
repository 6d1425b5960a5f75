import type { ObtainPorts } from '../authorization/sign-in.ts'
import { abortable, pause } from '../core/waiting.ts'
import { CallbackError, type LatchkeyError, NetworkError, ServerError } from '../errors.ts'

/** RFC 8628 section 3.2, where the server names none. */
const INTERVAL_SECONDS = 5
/** What a server may ask for at most; and how much longer each `slow_down` makes it, for good (section 3.5). */
const LONGEST_INTERVAL_SECONDS = 300
const SLOW_DOWN_SECONDS = 5
const LONGEST_WAIT_SECONDS = 86_400
/** How long the pauses grow while the server cannot be reached. */
const LONGEST_PAUSE_MS = 60_000

export interface PollOptions {
  readonly ports: ObtainPorts
  /** As the server says: how long the user may take, and how long to wait between two requests. */
  readonly expiresInSeconds: number
  readonly intervalSeconds: number | undefined
  /** Whether somebody else who shares the store has signed in. */
  isSignedIn(): Promise<boolean>
  /** One token request. */
  redeem(): Promise<void>
  readonly signal: AbortSignal
}

const cancelled = (what: string, cause?: LatchkeyError) =>
  new CallbackError(what, 'cancelled', {
    cause,
    error: cause instanceof ServerError ? cause.error : undefined,
  })

/** What a sign-in ends with that the server has refused for good. */
function refusal(error: ServerError): CallbackError {
  if (error.error === 'access_denied')
    return new CallbackError('The user refused the sign-in.', 'authorization_error', {
      cause: error,
      error: error.error,
    })
  if (error.error === 'expired_token')
    return cancelled('The user did not sign in before the code expired.', error)
  return new CallbackError(error.message, 'invalid_response', {
    cause: error,
    error: error.error,
  })
}

/**
 * Asks the token endpoint until the user has decided (RFC 8628 section 3.5): one request at a time, at the server's pace.
 * Neither a connection that fails nor a computer that slept ends it.
 * @throws CallbackError, ConfigurationError, AuthorizationRequiredError.
 */
export async function poll({ ports, isSignedIn, redeem, signal, ...told }: PollOptions): Promise<void> {
  const { clock } = ports
  const expiresAt = clock.now() + Math.min(told.expiresInSeconds, LONGEST_WAIT_SECONDS) * 1000
  let seconds = Math.min(told.intervalSeconds ?? INTERVAL_SECONDS, LONGEST_INTERVAL_SECONDS)
  let failures = 0
  let askedMs = 0
  for (;;) {
    const growing = seconds * 1000 * 2 ** failures
    const waitMs = Math.max(
      seconds * 1000,
      Math.min(growing, Math.max(LONGEST_PAUSE_MS, seconds * 1000)),
      askedMs,
    )
    if (clock.now() >= expiresAt) throw cancelled('The user did not sign in before the code expired.')
    await pause(clock, Math.min(waitMs, Math.max(expiresAt - clock.now(), 0)), signal)
    if (await abortable(isSignedIn(), signal)) return
    try {
      await redeem()
      return
    } catch (error) {
      askedMs = 0
      if (error instanceof NetworkError) {
        failures++
        askedMs = error.retryAfterMs ?? 0
        continue
      }
      if (!(error instanceof ServerError)) throw error
      failures = 0
      if (error.error === 'slow_down') seconds += SLOW_DOWN_SECONDS
      else if (error.error !== 'authorization_pending' && !error.retryable) throw refusal(error)
    }
  }
}
