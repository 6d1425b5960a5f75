import type { StepUp } from './challenge.ts'
import type { ClientEvent, Explanation } from './events.ts'
import type { actionContext } from './extension.ts'
import type { UserAgent } from './ports.ts'
import type { Session } from './session.ts'

/** Options of one sign-in. */
export interface SignInOptions {
  /** The page to show after the sign-in: a URL of this page's own origin. Default: the redirect URI. */
  returnTo?: string
  /** Extra parameters for the authorization request, such as `prompt` or `login_hint`. */
  authorizationParameters?: Readonly<Record<string, string>>
  /**
   * What an API or the server asks for: an event `step-up-required`, the error of a refresh that needs the user, or the
   * members of either. latchkey adds these scopes to the configured and the granted ones.
   */
  stepUp?: StepUp
  /**
   * Whether to try `prompt=none` first. Only if the provider needs the user, the page automatically continues to the normal
   * sign-in. It has no effect with a user agent that does not leave the page, such as `popup()`, and excludes a `prompt`
   * in `authorizationParameters`. Default false.
   */
  silentFirst?: boolean
  /** How to reach the authorization server, such as `popup()`. Default: the client's own `userAgent`. */
  userAgent?: UserAgent
  /** Ends the sign-in: `signIn()` rejects with the signal's reason. A page that has already left does not come back. */
  signal?: AbortSignal
}

/** Which access token `getAccessToken()` returns. */
export interface AccessTokenOptions {
  /** The name of an API in `resources`. Default: the access token for `allowedOrigins`. */
  resource?: string
  /** Asks for only this part of the scope: latchkey fetches a separate access token for it. Default: the whole scope. */
  scope?: string | readonly string[]
  /**
   * An access token that an API rejected, for example in the response to an `XMLHttpRequest` or by closing a WebSocket.
   * latchkey refreshes only if this is still its newest one. Default: none.
   */
  rejected?: string | undefined
  /**
   * Whether to refresh although the access token has not expired, for example after the user's roles have changed. Callers
   * at the same moment share one refresh. Default false.
   */
  forceRefresh?: boolean
  /** Stops waiting: the call rejects with the signal's reason. */
  signal?: AbortSignal
}

/** Options of a sign-out. */
export interface SignOutOptions {
  /**
   * Whether to open the provider's sign-out page, which also ends the provider's own session. Default: true if there is a
   * `postLogoutRedirectUri` to come back to, or there are `logoutParameters`; otherwise false.
   */
  endProviderSession?: boolean
  /** Where to come back to after this sign-out. Default: the client's own `postLogoutRedirectUri`. */
  postLogoutRedirectUri?: string
  /** Extra parameters for this request to the provider's sign-out page, such as `logout_hint`. They replace those of the same name in `logoutParameters`. */
  parameters?: Readonly<Record<string, string>>
}

/** The result of handling a callback URL. */
export type CallbackResult =
  /** The URL does not answer a sign-in of this client. latchkey did nothing. */
  | { readonly handled: false }
  /** The sign-in is complete: this call or an earlier one for the same URL finished it. */
  | { readonly handled: true; readonly session: Session; readonly returnTo: string | undefined }

/** A response with a mark if it is a 401 that latchkey did not replay, because the request's body can be sent only once. */
export type MarkedResponse = Response & { readonly latchkey?: { readonly bodyNotReplayable: true } }

/** Keeps an app signed in: it obtains, stores and refreshes tokens, and adds them to requests. */
export interface Client {
  /** The current session, an immutable snapshot: the same object until something changes. */
  readonly session: Session
  /**
   * Finishes a sign-in if this page is the callback, otherwise restores the session. Restoring needs no network. You may call
   * it again.
   * @returns the session.
   * @throws CallbackError if the sign-in did not complete; ConfigurationError, ServerError, NetworkError, StorageError or
   * LockTimeoutError if it could not be finished or the store could not be read.
   */
  start(): Promise<Session>
  /**
   * Sends the user to the authorization server. With a redirect, the page leaves; with a popup, call it directly in a click
   * handler.
   * @returns the session after the sign-in.
   * @throws CallbackError if the sign-in did not complete, for example with the reason `cancelled`;
   * AuthorizationRequiredError if the user signed out in the meantime; ConfigurationError, ServerError, NetworkError,
   * StorageError or LockTimeoutError if it could not begin or finish.
   */
  signIn(options?: SignInOptions): Promise<Session>
  /**
   * Restores an expired session without asking the user: it goes to the authorization server and back once, with
   * `prompt=none` (OpenID Connect Core section 3.1.2.1) and the parameters of the sign-in that began the session, and returns
   * to the same page. It also works for a session that the server no longer refreshes without the user
   * (`interaction_required`). latchkey tries once for each session. If the provider needs the user to do something,
   * `start()` reports `signed-out` with the reason `interaction_required`.
   * @throws AuthorizationRequiredError if there is nothing to restore: nobody was signed in, the user signed out, or
   * latchkey has tried already.
   */
  recover(
    options?: Pick<SignInOptions, 'returnTo' | 'userAgent' | 'authorizationParameters' | 'signal'>,
  ): Promise<Session>
  /**
   * Finishes a sign-in from its callback URL. `start()` does this for the page's own URL.
   * @throws the same errors as `signIn()`.
   */
  handleCallback(url: string | URL): Promise<CallbackResult>
  /**
   * Calls `listener` at every change of `session`, made here, in another tab or by another process.
   * @returns a function that stops it.
   */
  subscribe(listener: (session: Session) => void): () => void
  /**
   * `fetch`, plus the access token on requests to `allowedOrigins` and `resources`. After a 401 it refreshes once and replays
   * the request once. It needs no `this`, so you can pass it to a library.
   */
  readonly fetch: typeof globalThis.fetch
  /**
   * Returns a valid access token, for requests that do not use `fetch`, such as a WebSocket. Refreshes first if necessary.
   * Your code is responsible for where it sends the token.
   * @throws AuthorizationRequiredError if there is no session, or no refresh token when a refresh is necessary; ServerError,
   * NetworkError, StorageError or LockTimeoutError if the refresh failed; ConfigurationError for an unknown `resource`
   * or an invalid `scope`.
   */
  getAccessToken(options?: AccessTokenOptions): Promise<string>
  /**
   * Ends the session here and in every tab and process that shares its store, then revokes the tokens (RFC 7009). Opens the
   * provider's sign-out page if `endProviderSession` says so.
   * @throws StorageError if the stored session could not be removed: call it again; ConfigurationError for a wrong option.
   */
  signOut(options?: SignOutOptions): Promise<void>
  /** Reports every event in order, without secrets. */
  readonly events: { subscribe(listener: (event: ClientEvent) => void): () => void }
  /** Returns the newest events and the session's status, without secrets, as JSON to paste into a bug report. */
  explain(): Explanation
  /** Internal: functions of other entries, such as `userInfo(client)`, use it. Leave it out of a client that you write. */
  readonly [actionContext]?: unknown
  /** Stops all listeners and timers of this client. The session stays in the store. */
  dispose(): void
}
