import type { StepUp } from './challenge.ts'
import type { ClientEvent, Explanation } from './events.ts'
import type { ActionContext, actionContext } from './extension.ts'
import type { UserAgent } from './ports.ts'
import type { Session } from './session.ts'

/** How to sign in this time. */
export interface SignInOptions {
  /** Where to go afterwards: a URL of this page's own origin. Default: stay where the callback is. */
  returnTo?: string
  /** Extra parameters for the authorization request, such as `prompt` or `login_hint`. */
  authorizationParameters?: Readonly<Record<string, string>>
  /** What an API asked for: an event `step-up-required`, or its members. Its scopes are added to those there are. */
  stepUp?: StepUp
  /** Another way to the authorization server than the client's own, such as `popup()`. */
  userAgent?: UserAgent
}

export interface SignOutOptions {
  /**
   * Whether the page leaves for the provider's sign-out page, which ends the provider's own session too. Default: where
   * there is a `postLogoutRedirectUri` to come back to.
   */
  endProviderSession?: boolean
}

/** What became of a callback URL. */
export type CallbackResult =
  /** Not an answer to a sign-in of this client: nothing was done, nothing was changed. */
  | { readonly handled: false }
  /** The sign-in is complete, by this call or by an earlier one for the same URL. */
  | { readonly handled: true; readonly session: Session; readonly returnTo: string | undefined }

/** A 401 that was not replayed, because the body of its request could be sent only once, says so. */
export type MarkedResponse = Response & { readonly latchkey?: { readonly bodyNotReplayable: true } }

export interface Client {
  /** The session as it is now; the same object until something changes. */
  readonly session: Session
  /** Finishes a sign-in if this page is the callback, else restores the session. Calling it again does no harm. */
  start(): Promise<Session>
  /** Sends the user to the authorization server. With a redirect, the page leaves. */
  signIn(options?: SignInOptions): Promise<Session>
  /**
   * Has a session back that ended by itself, without asking the user: one way to the authorization server and back with
   * `prompt=none` (OpenID Connect Core section 3.1.2.1), to this same place. Once: where the provider wants something of
   * the user, `start()` then finds nobody signed in, with the reason `interaction_required`.
   * @throws AuthorizationRequiredError where there is nothing to have back: nobody was signed in, the user signed out, or
   * it was tried already.
   */
  recover(options?: Pick<SignInOptions, 'returnTo' | 'userAgent'>): Promise<Session>
  /** Finishes a sign-in from its callback URL. `start()` does this for the page's own URL. */
  handleCallback(url: string | URL): Promise<CallbackResult>
  /** Calls `listener` at every change of `session`, made here, in another tab or by another process. */
  subscribe(listener: (session: Session) => void): () => void
  /** `fetch`, plus the access token on requests to `allowedOrigins`. May be passed on unbound. */
  readonly fetch: typeof globalThis.fetch
  /**
   * A usable access token, for what is not a fetch (a WebSocket, a worker).
   * @param options.resource the name of an API in `resources`; left out: the token for `allowedOrigins`.
   */
  getAccessToken(options?: { resource?: string; signal?: AbortSignal }): Promise<string>
  /** Ends the session here and everywhere that shares its store, revokes its tokens and ends the provider's session. */
  signOut(options?: SignOutOptions): Promise<void>
  /** Everything that happens, without secrets. */
  readonly events: { subscribe(listener: (event: ClientEvent) => void): () => void }
  /** What happened lately, without secrets, as one JSON to paste into a bug report. */
  explain(): Explanation
  /** For the functions of other entries that take a client. */
  readonly [actionContext]: ActionContext
  /** Stops everything that listens. The session stays in the store. */
  dispose(): void
}
