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
  /** `claims` of a ServerError. */
  readonly claims?: string | undefined
}

/** Says that the user has to do something at the authorization server (OpenID Connect Core section 3.1.2.6). */
export const needsUser = (error: string | undefined): boolean =>
  /^(login|consent|interaction|account_selection)_required$/.test(error ?? '')

/** The error that a refresh failed with, here or elsewhere. */
export function toError({ code, message, why, status, description, claims }: StoredTrouble): LatchkeyError {
  if (code === 'ERR_NETWORK') return new NetworkError(message, why as NetworkReason, { status })
  return code === 'ERR_SERVER'
    ? new ServerError(message, { error: why as string, errorDescription: description, status, claims })
    : new ConfigurationError(message)
}
