import {
  ConfigurationError,
  type ErrorCode,
  type LatchkeyError,
  NetworkError,
  type NetworkReason,
  ServerError,
} from '../errors.ts'
import type { EpochMs } from './ports.ts'

/** What keeps a session from being refreshed. It is over with the next refresh that succeeds. */
export interface Trouble {
  /** When the first refresh failed. */
  readonly since: EpochMs
  /** What the newest one failed with. */
  readonly error: LatchkeyError
}

/** The same in the record, so that all who share the store wait together: no error, and no secret. */
export interface StoredTrouble {
  readonly since: EpochMs
  /** When the newest refresh failed. */
  readonly at: EpochMs
  /** Nobody sends before this. */
  readonly until: EpochMs
  /** The part of it that the server asked for (`Retry-After`): not even a wake ends it. */
  readonly askedUntil: EpochMs
  readonly failures: number
  /** How many of them in a row were refusals by the token endpoint itself. */
  readonly refusals: number
  readonly code: ErrorCode
  readonly message: string
  /** `reason` of a NetworkError, `error` of a ServerError. */
  readonly why?: string | undefined
  readonly status?: number | undefined
  readonly description?: string | undefined
}

/** Pauses between refreshes that fail one after the other; after one refusal, and after more. */
const BACKOFF_MS = { first: 500, longest: 30_000, refused: [30_000, 60_000] }

/**
 * Adds a failure. What this device could not store or lock is nothing that others share.
 * @param random from 0 to 1: spreads what would otherwise happen everywhere at once.
 */
export function addFailure(
  before: StoredTrouble | undefined,
  error: LatchkeyError,
  isRefusal: boolean,
  now: EpochMs,
  random: number,
): StoredTrouble {
  const { failures = 0, refusals = 0, since = now } = before ?? {}
  const { message, code } = error
  const { reason, status, retryAfterMs = 0 } = error as Partial<NetworkError>
  const { error: name, errorDescription: description } = error as Partial<ServerError>
  const longest = Math.min(BACKOFF_MS.first * 2 ** failures, BACKOFF_MS.longest)
  const refused = BACKOFF_MS.refused[Math.min(refusals, 1)] as number
  const pause = (isRefusal ? refused : longest) * (0.5 + random / 2)
  return {
    ...{ since, at: now, askedUntil: now + retryAfterMs, until: now + Math.max(pause, retryAfterMs) },
    ...{ failures: failures + 1, refusals: isRefusal ? refusals + 1 : 0 },
    ...{ code, message, why: reason ?? name, status, description },
  }
}

/** Whether the next refresh has to wait. A clock that was set back must not make it wait for long. */
export const isTooEarly = (
  { at, until, askedUntil }: StoredTrouble,
  now: EpochMs,
  wokeAt: EpochMs,
): boolean => at <= now && now < (wokeAt > at ? askedUntil : until)

/** The error that a refresh failed with, here or elsewhere. */
export function toError({ code, message, why, status, description }: StoredTrouble): LatchkeyError {
  if (code === 'ERR_NETWORK') return new NetworkError(message, why as NetworkReason, { status })
  return code === 'ERR_SERVER'
    ? new ServerError(message, { error: why as string, errorDescription: description, status })
    : new ConfigurationError(message)
}
