import {
  ConfigurationError,
  type ErrorCode,
  type LatchkeyError,
  NetworkError,
  type NetworkReason,
  ServerError,
  StorageError,
} from '../errors.ts'
import type { EpochMs } from './ports.ts'

/** Why refreshes fail. The next successful refresh removes it. */
export interface Trouble {
  /** When the first refresh failed, in ms since 1970. */
  readonly since: EpochMs
  /** The error of the newest failed refresh. */
  readonly error: LatchkeyError
}

/** The form in which a record contains it, so that all clients of the store wait. It contains no secret. */
export interface StoredTrouble {
  readonly since: EpochMs
  /** When the newest refresh failed. */
  readonly at: EpochMs
  /** When the next refresh may start. A wake ends the pause early. */
  readonly until: EpochMs
  /** Until when the server asked to wait (`Retry-After`). A wake does not end this. */
  readonly askedUntil: EpochMs
  readonly failures: number
  /** How many of the newest failures, in a row, were refusals by the token endpoint itself. */
  readonly refusals: number
  readonly code: ErrorCode
  readonly message: string
  /** `reason` of a NetworkError, `error` of a ServerError. */
  readonly why?: string | undefined
  readonly status?: number | undefined
  /** False if a retry cannot help. */
  readonly retryable?: false | undefined
  readonly description?: string | undefined
  /** `claims` of a ServerError. */
  readonly claims?: string | undefined
}

/** Recreates the error of a failed refresh from the record. */
export function toError(trouble: StoredTrouble): LatchkeyError {
  const { code, message, why, status, retryable, description, claims } = trouble
  if (code === 'ERR_NETWORK') {
    const retryAfterMs = trouble.askedUntil - trouble.at || undefined
    return new NetworkError(message, why as NetworkReason, { status, retryable, retryAfterMs })
  }
  if (code === 'ERR_STORAGE') return new StorageError(message, { retryable })
  return code === 'ERR_SERVER'
    ? new ServerError(message, { error: why as string, errorDescription: description, status, claims })
    : new ConfigurationError(message)
}
