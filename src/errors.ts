/** Why a session has ended, or why there is none. */
export type EndReason =
  /** The app signed out, here or in another tab or process. */
  | 'signed_out'
  /** The authorization server no longer accepts the refresh token: it expired, was revoked, or was used by someone else. */
  | 'expired'
  /** A refresh was interrupted before its response arrived, and the server had already rotated the refresh token. */
  | 'refresh_interrupted'
  /** The access token has expired, and the server never issued a refresh token. Ask for the scope `offline_access`. */
  | 'no_refresh_token'
  /** The ID Token of a refresh or of a sign-in with `prompt=none` names another user. */
  | 'subject_changed'
  /** The key that the tokens are bound to is gone from this device (RFC 9449). */
  | 'dpop_key_lost'
  /** Another user or a newer sign-in replaced this session while a call was waiting. */
  | 'replaced'
  /** The session reached the maximum age of `sessionLimits()` from `latchkey/session-limits`. */
  | 'session_limit'
  /** The user was inactive for longer than `sessionLimits()` allows. */
  | 'idle_limit'
  /** `recover()` tried, and the provider needs the user to do something. */
  | 'interaction_required'
  /** Nobody has signed in yet. */
  | 'no_session'
  /** The stored session was written by a newer version of the app, or is bound to a key that this client does not use. latchkey does not change it. */
  | 'unusable_record'

/** The closed list of error codes. Branch on these, never on the text of a message. */
export type ErrorCode =
  | 'ERR_CONFIGURATION'
  | 'ERR_CALLBACK'
  | 'ERR_AUTHORIZATION_REQUIRED'
  | 'ERR_SERVER'
  | 'ERR_NETWORK'
  | 'ERR_STORAGE'
  | 'ERR_LOCK_TIMEOUT'

/** The page that `docs` refers to. The package contains it. */
const DOCS = 'latchkey/docs/errors.md'

/**
 * The base class of every rejection by latchkey. It never contains a token, a code, a verifier or a body. Its message is for
 * developers: make one for users from `code` and `reason`.
 */
export abstract class LatchkeyError extends Error {
  abstract readonly code: ErrorCode
  /** The section of the documentation about this code, as a path from `node_modules`. */
  get docs(): string {
    return `${DOCS}#${this.code.toLowerCase()}`
  }
  /**
   * Whether the same call may succeed later without a change to the app or a new sign-in. On a CallbackError: whether a new
   * `signIn()` may succeed later.
   */
  readonly retryable: boolean = false
}

/** The app's options or arguments are wrong, or the environment cannot do what the app asks for. The session does not change. */
export class ConfigurationError extends LatchkeyError {
  override readonly name = 'ConfigurationError'
  readonly code = 'ERR_CONFIGURATION'
  /** The quirk that would allow it, if there is one: see the option `quirks`. */
  readonly quirk: string | undefined
  constructor(message: string, options?: ErrorOptions & { quirk?: string }) {
    super(message, options)
    this.quirk = options?.quirk
  }
}

/** Whether an error is about the server's state, not about the request (RFC 6749 section 4.1.2.1). */
const isTemporary = (error?: string) => error === 'temporarily_unavailable' || error === 'server_error'

/** Why a sign-in did not complete. */
export type CallbackReason =
  /** latchkey does not know this sign-in: storage was cleared or blocked, it began in another browser, or it is over an hour old. */
  | 'state_not_found'
  /** The authorization server answered with an error. `error` is its name, for example `access_denied` if the user chose Cancel. */
  | 'authorization_error'
  /** The answer or the ID Token failed a check, or the token endpoint refused the code. */
  | 'invalid_response'
  /** The answer came to another address of the app than the sign-in's redirect URI. */
  | 'wrong_address'
  /** The server authenticated the user in another way than `acrValues` or essential `claims` asked for. */
  | 'acr_not_met'
  /** The user closed the window, or no answer came in time. */
  | 'cancelled'
  /** There is nobody who could sign in: the program runs in CI. */
  | 'unattended'
  /** The browser blocked the sign-in window. */
  | 'popup_blocked'
  /** The page is in a frame of another origin, and the sign-in window cannot send it the answer. */
  | 'popup_severed'
  /** Several sign-ins within a minute left no session, so latchkey did not begin another. */
  | 'redirect_loop'

/** Information about a sign-in that latchkey does not know. */
export interface LostSignIn {
  /** The probable reason. */
  readonly likely: 'storage_blocked' | 'other_browser' | 'expired'
  /** Whether the store can be written and read back. */
  readonly storageWorks: boolean
  /** How many other sign-ins are under way in this browser. */
  readonly pendingCount: number
  /** The age of the newest of them, in milliseconds. */
  readonly newestAgeMs: number | undefined
}

/** A sign-in did not complete. The session does not change. Offer `signIn()` again. */
export class CallbackError extends LatchkeyError {
  override readonly name = 'CallbackError'
  readonly code = 'ERR_CALLBACK'
  override readonly retryable: boolean
  readonly reason: CallbackReason
  /** The `error` of the authorization response or of the token endpoint (RFC 6749 sections 4.1.2.1 and 5.2), if there was one. */
  readonly error: string | undefined
  /** What the server says about its `error`, such as "Verify your e-mail address first." Short and without markup. */
  readonly errorDescription: string | undefined
  /** The server's web page about its `error`, always https. */
  readonly errorUri: string | undefined
  /** With `state_not_found`: what probably happened. */
  readonly lost: LostSignIn | undefined
  /** With `state_not_found`: begins a new sign-in in the same way. If that way is a popup, call it in a click handler. */
  declare readonly restart: (() => Promise<unknown>) | undefined
  constructor(
    message: string,
    reason: CallbackReason,
    options?: ErrorOptions & {
      error?: string
      errorDescription?: string | undefined
      errorUri?: string | undefined
      lost?: LostSignIn
    },
  ) {
    super(message, options)
    Object.assign(this, options)
    this.reason = reason
    this.retryable = isTemporary(this.error) || (this.cause instanceof NetworkError && this.cause.retryable)
  }
}

/** There is no session, or it has ended; `reason` says why. Offer sign-in. */
export class AuthorizationRequiredError extends LatchkeyError {
  override readonly name = 'AuthorizationRequiredError'
  readonly code = 'ERR_AUTHORIZATION_REQUIRED'
  readonly reason: EndReason
  constructor(reason: EndReason, options?: ErrorOptions) {
    super(`There is no session to use (${reason}). Call signIn().`, options)
    this.reason = reason
  }
}

/** The authorization server refused a request with an OAuth error, or its answer failed a check. The session is kept. */
export class ServerError extends LatchkeyError {
  override readonly name = 'ServerError'
  readonly code = 'ERR_SERVER'
  override readonly retryable: boolean
  /** The OAuth `error` (RFC 6749 section 5.2), or latchkey's own: `invalid_response`, `refused`, `metadata_downgrade`. */
  readonly error!: string
  /** The server's `error_description` (RFC 6749 section 5.2), if there was one. */
  readonly errorDescription: string | undefined
  /** The HTTP status of the answer, if there was one. */
  readonly status: number | undefined
  /** The quirk that would accept the answer, if there is one: see the option `quirks`. */
  readonly quirk: string | undefined
  /** With `interaction_required`: the `claims` for the next sign-in, as JSON text. Call `signIn({ stepUp: error })`. */
  readonly claims: string | undefined
  constructor(
    message: string,
    details: { error: string; errorDescription?: string; status?: number; quirk?: string; claims?: string },
    options?: ErrorOptions,
  ) {
    super(message, options)
    Object.assign(this, details)
    this.retryable = isTemporary(details.error)
  }
}

/** Why there is no usable answer from the authorization server. */
export type NetworkReason =
  /** There was no connection, or it broke before an answer. In a browser it can also mean that CORS blocked the answer. */
  | 'unreachable'
  /** No answer came within the time limit. */
  | 'timeout'
  /** The server is there but cannot answer now: 408, 425, 429 or 5xx. */
  | 'unavailable'
  /** Something else answered, for example the sign-in page of a Wi-Fi network. */
  | 'not_the_server'

/** latchkey could not reach the authorization server, or the server could not answer the request. The session is kept. */
export class NetworkError extends LatchkeyError {
  override readonly name = 'NetworkError'
  readonly code = 'ERR_NETWORK'
  /** False if a retry cannot help: for example, the certificate is not trusted, or the document has moved permanently. */
  override readonly retryable: boolean
  readonly reason: NetworkReason
  /** The HTTP status of the answer, if there was one. */
  readonly status: number | undefined
  /** How many milliseconds the server asks to wait (`Retry-After`, RFC 9110 section 10.2.3). */
  readonly retryAfterMs: number | undefined
  constructor(
    message: string,
    reason: NetworkReason,
    options?: ErrorOptions & { status?: number; retryAfterMs?: number; retryable?: boolean },
  ) {
    super(message, options)
    Object.assign(this, options)
    this.reason = reason
    this.retryable = options?.retryable ?? true
  }
}

/** latchkey could not read or write the store. The session is kept; try again later if `retryable` is true. */
export class StorageError extends LatchkeyError {
  override readonly name = 'StorageError'
  readonly code = 'ERR_STORAGE'
  /** False if a retry cannot help: for example, the key that encrypted the tokens is not there, or the file is another user's. */
  override readonly retryable: boolean
  constructor(message: string, options?: ErrorOptions & { retryable?: boolean }) {
    super(message, options)
    this.retryable = options?.retryable ?? true
  }
}

/** Another tab, worker or process held the store's lock for too long. The session is kept; try again. */
export class LockTimeoutError extends LatchkeyError {
  override readonly name = 'LockTimeoutError'
  readonly code = 'ERR_LOCK_TIMEOUT'
  override readonly retryable = true
}
