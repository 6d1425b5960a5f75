/** Why a session is over, or why there is none to use. */
export type EndReason =
  /** The app signed out, here or in another tab or process. */
  | 'signed_out'
  /** The authorization server no longer accepts the refresh token: expired, revoked, or used by someone else. */
  | 'expired'
  /** A refresh was cut off before its answer arrived, and the server had already rotated the refresh token. */
  | 'refresh_interrupted'
  /** The access token is over and the server never gave a refresh token. Ask for the scope `offline_access`. */
  | 'no_refresh_token'
  /** A refresh or a silent sign-in answered with the ID Token of somebody else. */
  | 'subject_changed'
  /** The key that the tokens are bound to is gone from this device (RFC 9449). */
  | 'dpop_key_lost'
  /** Another user or a newer sign-in took the place of this session while a call was waiting. */
  | 'replaced'
  /** `recover()` was tried: the provider wants something of the user. */
  | 'interaction_required'
  /** Nobody has signed in yet. */
  | 'no_session'
  /** The stored session is of a newer version of the app, or bound to a key that this client does not use. It is left as it is. */
  | 'unusable_record'

/** The closed list of codes. Branch on these, never on the text of a message. */
export type ErrorCode =
  | 'ERR_CONFIGURATION'
  | 'ERR_CALLBACK'
  | 'ERR_AUTHORIZATION_REQUIRED'
  | 'ERR_SERVER'
  | 'ERR_NETWORK'
  | 'ERR_STORAGE'
  | 'ERR_LOCK_TIMEOUT'

/** What every rejection of latchkey is. No token, code, verifier or body is ever in it. */
export abstract class LatchkeyError extends Error {
  abstract readonly code: ErrorCode
  /**
   * Whether the same call may succeed later without a change to the app or a new sign-in. Of a CallbackError: whether a
   * new `signIn()` may.
   */
  readonly retryable: boolean = false
}

/** The app's own options or arguments are wrong; nothing was sent. */
export class ConfigurationError extends LatchkeyError {
  override readonly name = 'ConfigurationError'
  readonly code = 'ERR_CONFIGURATION'
  /** The member of the option `quirks` that would have let it pass, where there is one. */
  readonly quirk: string | undefined
  constructor(message: string, options?: ErrorOptions & { quirk?: string }) {
    super(message, options)
    this.quirk = options?.quirk
  }
}

/** What a server says of itself, not of the request (RFC 6749 section 4.1.2.1). */
const isPassing = (error?: string) => error === 'temporarily_unavailable' || error === 'server_error'

/** What went wrong on the way back from the authorization server. */
export type CallbackReason =
  /** This sign-in is not known here: storage was cleared or blocked, it began in another browser, or it is too old. */
  | 'state_not_found'
  /** The authorization server answered with an error (`error` has it), for example `access_denied`. */
  | 'authorization_error'
  /** The answer or the ID Token did not pass its checks. */
  | 'invalid_response'
  /** The user was authenticated in another way than `acrValues` or essential `claims` asked for. */
  | 'acr_not_met'
  /** The user closed the window, or no answer came in time. */
  | 'cancelled'
  /** The browser did not let the sign-in window open. */
  | 'popup_blocked'
  /** Three sign-ins came back within a minute, and there is still no session: a fourth would do no better. */
  | 'redirect_loop'

/** What is known of a sign-in that nobody here remembers. */
export interface LostSignIn {
  /** What probably became of it. */
  readonly likely: 'storage_blocked' | 'other_browser' | 'expired'
  /** Whether what is stored here can be read back. */
  readonly storageWorks: boolean
  /** How many other sign-ins are under way in this browser. */
  readonly pendingCount: number
  /** How old the newest of them is, in milliseconds. */
  readonly newestAgeMs: number | undefined
}

/** A sign-in did not come to its end. The session is as it was; call `signIn()` to begin anew. */
export class CallbackError extends LatchkeyError {
  override readonly name = 'CallbackError'
  readonly code = 'ERR_CALLBACK'
  override readonly retryable: boolean
  readonly reason: CallbackReason
  /** The `error` of the authorization response (RFC 6749 section 4.1.2.1), where there was one. */
  readonly error: string | undefined
  /** With `state_not_found`: what is known. */
  readonly lost: LostSignIn | undefined
  /** With `state_not_found`: begins anew, in the same way. Call it from a click where that way is a popup. */
  restart: (() => Promise<unknown>) | undefined
  constructor(
    message: string,
    reason: CallbackReason,
    options?: ErrorOptions & { error?: string; lost?: LostSignIn },
  ) {
    super(message, options)
    this.reason = reason
    this.error = options?.error
    this.retryable = isPassing(this.error)
    this.lost = options?.lost
    // a function is nothing to log
    Object.defineProperty(this, 'restart', { value: undefined, writable: true, enumerable: false })
  }
}

/** There is no session, or the server has ended it: show the sign-in. */
export class AuthorizationRequiredError extends LatchkeyError {
  override readonly name = 'AuthorizationRequiredError'
  readonly code = 'ERR_AUTHORIZATION_REQUIRED'
  readonly reason: EndReason
  constructor(reason: EndReason, options?: ErrorOptions) {
    super(`There is no session to use (${reason}). Call signIn() to begin one.`, options)
    this.reason = reason
  }
}

/** The authorization server refused a request with an OAuth error. The session is kept. */
export class ServerError extends LatchkeyError {
  override readonly name = 'ServerError'
  readonly code = 'ERR_SERVER'
  override readonly retryable: boolean
  /** The OAuth `error` (RFC 6749 section 5.2), or `invalid_response` where the answer itself was unfit. */
  readonly error: string
  readonly errorDescription: string | undefined
  /** The HTTP status of the answer. */
  readonly status: number | undefined
  /** The member of the option `quirks` that would have accepted the answer, where there is one. */
  readonly quirk: string | undefined
  constructor(
    message: string,
    details: { error: string; errorDescription?: string; status?: number; quirk?: string },
    options?: ErrorOptions,
  ) {
    super(message, options)
    this.error = details.error
    this.quirk = details.quirk
    this.errorDescription = details.errorDescription
    this.status = details.status
    this.retryable = isPassing(details.error)
  }
}

/** What kept the authorization server from answering. */
export type NetworkReason =
  /** No connection, or one that broke before an answer. */
  | 'unreachable'
  /** No answer within the time limit. */
  | 'timeout'
  /** The server is there but cannot answer now: 408, 425, 429 or 5xx. */
  | 'unavailable'
  /** Something else answered, for example the sign-in page of a Wi-Fi network. */
  | 'not_the_server'

/** The authorization server could not be reached or did not answer fitly. The session is kept; try later. */
export class NetworkError extends LatchkeyError {
  override readonly name = 'NetworkError'
  readonly code = 'ERR_NETWORK'
  override readonly retryable = true
  readonly reason: NetworkReason
  /** The HTTP status, where an answer came. */
  readonly status: number | undefined
  /** How many milliseconds the server asked to wait (`Retry-After`, RFC 9110 section 10.2.3). */
  readonly retryAfterMs: number | undefined
  constructor(
    message: string,
    reason: NetworkReason,
    options?: ErrorOptions & { status?: number; retryAfterMs?: number },
  ) {
    super(message, options)
    this.reason = reason
    this.status = options?.status
    this.retryAfterMs = options?.retryAfterMs
  }
}

/** The place where tokens live could not be read or written. The session is kept; try later. */
export class StorageError extends LatchkeyError {
  override readonly name = 'StorageError'
  readonly code = 'ERR_STORAGE'
  override readonly retryable = true
}

/** Somebody else who shares the store held the lock for too long. The session is kept; try again. */
export class LockTimeoutError extends LatchkeyError {
  override readonly name = 'LockTimeoutError'
  readonly code = 'ERR_LOCK_TIMEOUT'
  override readonly retryable = true
}
