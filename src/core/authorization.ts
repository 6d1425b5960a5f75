import type { EndReason, LatchkeyError, StorageError } from '../errors.ts'
import type { SignInOptions, SignOutOptions } from './client.ts'
import type { Resource } from './destination.ts'
import type { Emit, Warn, Warning } from './events.ts'
import type { ClientAuthentication, ExtensionHooks } from './extension.ts'
import type { Grant } from './grant.ts'
import type { Listeners } from './listeners.ts'
import type {
  AuthorizationEnvironment,
  Clock,
  EpochMs,
  Fetch,
  Host,
  KeyValue,
  Lock,
  Page,
  SignInAttempt,
} from './ports.ts'
import type { Quirk } from './quirks.ts'
import type { EndedSession, SessionRecord, Stored, UnusableRecord } from './session.ts'
import type { Loadable } from './waiting.ts'

/** The checked options for the communication with the authorization server, including defaults. */
export interface ServerSettings {
  readonly issuer: string
  /** The option `server`. If it names the issuer, latchkey fetches no metadata; otherwise it replaces members of what is fetched. */
  readonly metadata: { readonly issuer?: string } | undefined
  readonly clientId: string
  readonly clientAuthentication: ClientAuthentication | undefined
  readonly redirectUri: string
  readonly postLogoutRedirectUri: string | undefined
  readonly scope: string
  readonly authorizationParameters: Readonly<Record<string, string>>
  readonly logoutParameters: Readonly<Record<string, string>>
  /** The most specific URL first. */
  readonly resources: readonly Resource[]
  readonly leewaySeconds: number
  /** The members of token responses to keep for the app. */
  readonly responseParameters: readonly string[]
  readonly strict: boolean
  readonly quirks: ReadonlySet<Quirk>
  /** Origins that may be plain http, in tests. */
  readonly plainHttp: ReadonlySet<string>
  /** Replaces the authorization code flow. */
  readonly grant?: Grant | undefined
  readonly session?: string | undefined
  /** Warnings about the options, for the app's developers. */
  readonly warnings: readonly Warning[]
}

/**
 * Whether a write may replace the newest value, which is the `stored` one unless this client could not store a later one. The
 * store calls it inside its atomic step, perhaps more than once.
 */
export type WriteCondition = (found: Stored, stored?: Stored) => boolean

/** A write that failed. Until a retry succeeds, only this client knows `next`. */
export interface FailedWrite {
  readonly next: SessionRecord | EndedSession
  readonly mayReplace: WriteCondition
  /** Called when latchkey gives it up. @param found what it may not replace. `undefined`: its session has ended. */
  dropped?(found?: Stored): void
}

/** The stored session. Both halves of a client share it. */
export interface SessionRecords {
  /** The value that this client last read or wrote. */
  readonly stored: Stored
  /** The same without what this client could not store: the value that the other clients read. */
  readonly inStore: Stored
  /** The session in `stored`. Calls use it while it is fresh. */
  readonly current: SessionRecord | undefined
  /** The session that is only in memory, because latchkey could not store it. */
  readonly unsaved: SessionRecord | undefined
  /** Reads the store and updates `stored`. First retries a write that failed. */
  read(): Promise<Stored>
  /** Keeps in memory what could not be stored. Every `read` retries, for as long as `mayReplace` allows it. */
  keep(write: FailedWrite): void
  /**
   * Replaces the session with the reason of its end, in one atomic step. If that fails, the session ends only in this
   * client, and every `read` retries.
   * @param mayEnd whether that session may end. Default: any session that this client can use. A sign-out also ends one that it
   * cannot use, and is stored if there is none, but replaces nothing that this client cannot read.
   * @param leavingUntil until when the page that signs out may still be open.
   * @returns the removed record.
   * @throws StorageError
   */
  end(reason: EndReason, mayEnd?: WriteCondition, leavingUntil?: number): Promise<SessionRecord | undefined>
  /**
   * Ends a session that this client could not store and that has ended in another tab or process. This client never goes
   * back to the older record in the store.
   */
  drop(ended: LeftSession): void
  /**
   * Changes the stored value in one atomic step. If `change` returns `undefined`, it stays the same.
   * @param change gets the newest value, and the one in the store.
   * @returns whether it was replaced.
   */
  update(
    change: (found: Stored, stored: Stored) => SessionRecord | EndedSession | undefined,
  ): Promise<boolean>
}

/** The changes to the stored session that only the second half makes. */
export interface SessionWrites {
  /**
   * Stores the record of a new sign-in in one atomic step. Its `epoch` is that of the store when the sign-in began, if
   * latchkey could read it.
   * @returns whether it was stored. `false`: the user has signed out meanwhile.
   */
  begin(next: SessionRecord): Promise<boolean>
  /**
   * Stores `next` in one atomic step, if the store still holds this session at this version.
   * @returns whether it was stored.
   */
  replace(next: SessionRecord, unchanged: SessionRecord): Promise<boolean>
  /** Keeps a record in memory after `replace` failed. Every `read` retries. */
  keep(next: SessionRecord, unchanged: SessionRecord): void
  /**
   * Keeps the record of a new sign-in in memory after `begin` failed. Every `read` retries.
   * @param before the session that this client knew when it called `begin`.
   * @returns whether the session has begun. `false`: a user has signed out or signed in meanwhile.
   */
  keepSignIn(next: SessionRecord, before: string | undefined): boolean
  /**
   * Ends the session, if the store still holds this record's refresh token.
   * @returns the removed record.
   * @throws StorageError
   */
  end(reason: EndReason, unchanged: SessionRecord): Promise<SessionRecord | undefined>
}

/** The record to refresh. */
export interface RefreshRequest {
  readonly record: SessionRecord
  /** The API in `resources` to refresh for. `undefined`: the access token for `allowedOrigins`. */
  readonly resource: string | undefined
  /** When the user or the network last came back. */
  readonly wokeAt: EpochMs
  /** Whether to refresh although the access token may still be valid. */
  readonly isForced?: boolean | undefined
}

/** How a refresh ended, reported after the lock was released. */
export type RefreshResult =
  /** Another tab or process has changed the stored session. This client uses it. */
  | { readonly type: 'adopted' }
  /** New tokens. `unsaved`: storing them failed. `refused`: why latchkey does not use the new access token. */
  | { readonly type: 'rotated'; readonly unsaved?: StorageError; readonly refused?: LatchkeyError }
  | { readonly type: 'ended'; readonly reason: EndReason }
  /** The stored session changed during the refresh. `unused`: the new refresh token, which was not stored. */
  | { readonly type: 'overtaken'; readonly unused: string | undefined }
  /** `noted`: the stored record contains the failure and the time of the next attempt. This client wrote or read it. */
  | { readonly type: 'failed'; readonly error: LatchkeyError; readonly noted?: 'written' | 'read' | false }

/** The options of one sign-in, and what the client adds to them. */
export interface SignInRequest extends Omit<SignInOptions, 'userAgent'> {
  /** The name of the user agent, for events and for the `state`. */
  readonly userAgent: string
  /** Whether this page leaves, so that another page load receives the answer. */
  readonly leaves: boolean
  /** With `prompt=none`: the only user (`sub`) whose session latchkey accepts. */
  readonly subject: string | undefined
}

/** The user of the session to restore, the parameters of its sign-in, and the claims that the server asks for. */
export type Recovery = Pick<EndedSession, 'subject' | 'parameters'> & Pick<SignInOptions, 'stepUp'>

/** The result of a callback. `undefined`: it does not answer a sign-in of this client. */
export type FinishedSignIn = { readonly returnTo: string | undefined } | undefined

/** A session that this client no longer has, and why. */
export interface LeftSession {
  readonly reason: EndReason
  readonly sessionId: string
}

/** The parts of a client that its second half uses. */
export interface AuthorizationPorts extends AuthorizationEnvironment {
  readonly settings: ServerSettings
  readonly extensions: readonly ExtensionHooks[]
  readonly fetch: Fetch
  readonly clock: Clock
  readonly emit: Emit
  readonly warn: Warn
  /** The warnings so far. A sign-in stores them, so that they are not lost when the page leaves. */
  warnings(): readonly Warning[]
  readonly keyValue: KeyValue
  readonly lock: Lock
  /** The prefix of the names of all locks and records of this client. */
  readonly prefix: string
  /** Identifies this client and its store among all clients of the page. */
  readonly owner: string
  /** Names this tab, worker or process in the records that it stores. */
  readonly realm: string
  readonly records: SessionRecords
  /** Reports to all tabs and processes that this client changed the stored session. Never called under a lock. */
  changed(sessionId: string): void
  /** Reports in this client that another tab or process changed the stored session. Never called under a lock. */
  adopted(): void
  /** Emits each session that this client no longer has. */
  readonly sessionLost: Pick<Listeners<LeftSession>, 'add'>
  /** A worker that refreshes instead of this page. */
  readonly host: Host | undefined
  /** When the user or the network last came back. */
  wokeAt(): EpochMs
  /** Whether the stored records survive when the page leaves. */
  survivesNavigation(): boolean
  readonly page: Page | undefined
  /** Shows a path of the app with its router. */
  readonly navigate: ((path: string) => unknown) | undefined
  /** Begins a new sign-in with the client's own user agent. */
  restart(): Promise<unknown>
  /** The time for checking the expiry of tokens in memory. It does not go back if the clock is set back. */
  now(): EpochMs
  /** Whether anyone can read the app's code and everything in it, as in a browser. */
  readonly isReadable: boolean
  /** A URL of the app, as in `Environment`. */
  baseUrl(): string | undefined
  /** A random number from 0 to 1. */
  random(): number
}

/** The second half of a client: all communication with the authorization server. */
export interface Authorization {
  /**
   * Refreshes the session, or adopts tokens that another tab or process has refreshed. Concurrent callers share one refresh.
   * Afterwards `records.current` is the newest session.
   * @param record the record whose access token cannot be used.
   * @param resource the API in `resources` to refresh for. `undefined`: the access token for `allowedOrigins`.
   * @param isForced whether to refresh although the access token may still be valid.
   * @throws AuthorizationRequiredError, NetworkError, ServerError, StorageError, LockTimeoutError.
   */
  refresh(record: SessionRecord, resource: string | undefined, isForced?: boolean): Promise<void>
  /** Refreshes in the background, unless it is too early to retry. For calls that can still use the old access token. */
  refreshIfDue(record: SessionRecord, resource: string | undefined): void
  /** When the refresh began that brought the newest tokens. 0 if this client did not refresh them. */
  refreshStartedAt(): EpochMs
  /** @throws ConfigurationError for a wrong option. */
  checkSignIn(request: SignInRequest): void
  /**
   * Sends the user to the server. Resolves when latchkey has handled the response, or if another page load will receive it.
   * @throws ConfigurationError for a wrong option.
   */
  signIn(attempt: SignInAttempt, request: SignInRequest): Promise<void>
  /**
   * Handles a response of the server in the page's URL.
   * @param returned called if the page has come back from the provider's sign-out page.
   * @throws CallbackError, NetworkError.
   */
  arrive(page: Page, returned: () => Promise<unknown>): Promise<void>
  /**
   * Claims the only attempt to restore a session that has ended, or that cannot be refreshed without the user.
   * @returns `undefined` for a user who is signed in (`isSignedIn`) and whose session the server refreshes.
   * @throws AuthorizationRequiredError if there is no such session, or the attempt has already been made.
   */
  beginRecovery(isSignedIn: boolean): Promise<Recovery | undefined>
  /** Finishes the sign-in that a callback URL answers. Handling the same URL again has no further effect. */
  handleCallback(url: string | URL): Promise<FinishedSignIn>
  /** @throws ConfigurationError for a wrong option. */
  checkSignOut(request: SignOutOptions): void
  /**
   * Completes a sign-out after the session was removed here: ends pending sign-ins, revokes the tokens and opens the
   * provider's sign-out page. Best effort, with a time limit. Rejects only with the errors of `checkSignOut`.
   * @param onLeft called when this page has left for the provider.
   * @param isHosted whether a worker revokes the tokens.
   */
  signOut(
    request: SignOutOptions,
    ended: SessionRecord | undefined,
    onLeft: () => void,
    isHosted?: boolean,
  ): Promise<void>
  /** The error for a name that `resources` does not contain. */
  unknownResource(name: unknown): LatchkeyError
  /** Why this client cannot use the stored record, and what to do. */
  unusableError(why: UnusableRecord['unusable']): LatchkeyError
  /** Stores the session that the first access token of the option `grant` will belong to. @returns whether it was stored. */
  beginGrant(epoch: number): Promise<boolean>
  /** Revokes a refresh token in the background. */
  revoke(refreshToken: string): void
  /** The server's metadata. */
  server(): Promise<Readonly<Record<string, unknown> & { issuer: string }>>
  /** @throws ConfigurationError if the server has no such endpoint, or it is not https. */
  endpoint(name: 'userinfo_endpoint'): Promise<URL>
  /** Sends a request to the authorization server, with a limit on time and size. */
  transport(url: string, init: object): Promise<Response>
  /** How many milliseconds the server's clock is ahead of this device's. 0 while it is unknown. */
  serverAheadMs(): number
}

/** The second half of a client, created on first use. */
export type SecondHalf<Part extends keyof Authorization = keyof Authorization> = Loadable<
  Pick<Authorization, Part>
>
