import type { EndReason, LatchkeyError, StorageError } from '../errors.ts'
import type { Verdict } from './challenge.ts'
import type { SignInOptions, SignOutOptions } from './client.ts'
import type { Resource } from './destination.ts'
import type { Emit, Warn, Warning } from './events.ts'
import type { ClientAuthentication, ExtensionHooks } from './extension.ts'
import type { Grant } from './grant.ts'
import type { Listeners } from './listeners.ts'
import type {
  Clock,
  EpochMs,
  Fetch,
  Host,
  KeyValue,
  Lock,
  Page,
  SignInAttempt,
  WatchLeaving,
} from './ports.ts'
import type { Quirk } from './quirks.ts'
import type { EndedSession, SessionRecord, Stored } from './session.ts'

/** The options of the talk with the authorization server after their checks, with defaults in place. */
export interface ServerSettings {
  readonly issuer: string
  /** Where the server publishes none. */
  readonly metadata: { readonly issuer: string } | undefined
  readonly clientId: string
  readonly clientAuthentication: ClientAuthentication | undefined
  readonly redirectUri: string
  readonly postLogoutRedirectUri: string | undefined
  readonly scope: string
  readonly authorizationParameters: Readonly<Record<string, string>>
  readonly logoutParameters: Readonly<Record<string, string>>
  /** The more specific ones first. */
  readonly resources: readonly Resource[]
  readonly leewaySeconds: number
  /** The members of token responses that the app wants to have. */
  readonly responseParameters: readonly string[]
  readonly strict: boolean
  readonly quirks: ReadonlySet<Quirk>
  /** In place of the authorization code flow. */
  readonly grant?: Grant | undefined
  readonly session?: string | undefined
  /** What the app's developers should look at, although nothing is refused. */
  readonly warnings: readonly Warning[]
}

/** The stored session, as the two halves of a client share it. */
export interface SessionRecords {
  /** What was last read or written here. */
  readonly stored: Stored
  /** The session in it: what calls use while it is fresh. */
  readonly current: SessionRecord | undefined
  /** Whether the session is in memory only: it could not be stored. */
  readonly isUnsaved: boolean
  /** Reads the store; afterwards `stored` is what it holds. */
  read(): Promise<Stored>
  /**
   * Stores the record of a new sign-in in one atomic step. Its `epoch` is the one of the store when the sign-in began, if
   * that could be read.
   * @returns whether it was stored: not after somebody has signed out meanwhile.
   */
  begin(next: SessionRecord): Promise<boolean>
  /**
   * Stores `next` in one atomic step, if the store still holds this session at this version.
   * @returns whether it was stored.
   */
  replace(next: SessionRecord, unchanged: SessionRecord): Promise<boolean>
  /**
   * Keeps a record that could not be stored, in memory only; every `read` tries to store it again.
   * @param unchanged as for `replace`; left out for a new sign-in.
   */
  keep(next: SessionRecord, unchanged?: SessionRecord): void
  /**
   * Puts the reason of its end in the session's place, in one atomic step. Where that fails, this realm has ended it all the
   * same, and every `read` tries again.
   * @param unchanged only if the store still holds this refresh token; or only the session with this id.
   * @param leavingUntil the page that signs out may be there for so long.
   * @returns what was removed.
   */
  end(
    reason: EndReason,
    unchanged?: SessionRecord | string,
    leavingUntil?: number,
  ): Promise<SessionRecord | undefined>
  /** The session has ended elsewhere: what could not be stored of it is not stored later. */
  drop(sessionId: string): void
  /** Changes what is stored, in one atomic step. `undefined` leaves it. */
  amend(change: (stored: Stored) => SessionRecord | EndedSession | undefined): Promise<void>
}

/** Which record has to be refreshed. */
export interface RefreshRequest {
  readonly record: SessionRecord
  /** For one API of `resources`, or for all in general. */
  readonly resource: string | undefined
  /** When the user or the network last came back. */
  readonly wokeAt: EpochMs
  /** The access token of the record may still be good. */
  readonly isForced?: boolean | undefined
}

/** How a refresh ended, reported after the lock was released. */
export type RefreshResult =
  /** Somebody else has changed what is stored: it counts. */
  | { readonly type: 'adopted' }
  | { readonly type: 'rotated'; readonly unsaved?: StorageError; readonly refused?: LatchkeyError }
  | { readonly type: 'ended'; readonly reason: EndReason }
  | { readonly type: 'overtaken'; readonly unused: string | undefined }
  /** `noted`: the record says so, and when to try again: it was written here, or read. */
  | { readonly type: 'failed'; readonly error: LatchkeyError; readonly noted?: 'written' | 'read' | false }

/** One sign-in, as the app asks for it. */
export interface SignInRequest extends Omit<SignInOptions, 'userAgent'> {
  /** What brings the user to the server, for events and for the state. */
  readonly userAgent: string
  /** Whether this page leaves, so that another page load receives the answer. */
  readonly leaves: boolean
  /** With `prompt=none`: nobody else than this user. */
  readonly subject: string | undefined
}

/** The session to restore: whose it is, and what its sign-in asked for. */
export type Recovery = Pick<EndedSession, 'subject' | 'parameters'>

/** One sign-out, as the app asks for it. */
export type SignOutRequest = Omit<SignOutOptions, 'endProviderSession'>

/**
 * Shows the user the page where the provider's own session ends. Settles when they are back, or will not be.
 * @param returnUri where that page sends them.
 */
export type LeaveForSignOut = (url: string, returnUri: string | undefined) => Promise<void>

/** What became of a callback: `undefined` when it answers no sign-in of this client. */
export type FinishedSignIn = { readonly returnTo: string | undefined } | undefined

/** A session that this realm has no more, and why. */
export interface LeftSession {
  readonly reason: EndReason
  readonly sessionId: string
}

/** What the second half of a client works with. */
export interface AuthorizationPorts {
  readonly settings: ServerSettings
  /** Where `returnTo` may lead: a URL of the app. */
  readonly home: string
  readonly extensions: readonly ExtensionHooks[]
  readonly fetch: Fetch
  readonly clock: Clock
  readonly emit: Emit
  readonly warn: Warn
  /** What was warned of so far: it goes with a sign-in whose page leaves. */
  warnings(): readonly Warning[]
  readonly keyValue: KeyValue
  readonly lock: Lock
  /** Begins the names of all locks and records of this client. */
  readonly prefix: string
  /** This client and its store, as no other client of the page has them. */
  readonly owner: string
  /** Names this tab, worker or process in the records that it stores. */
  readonly realm: string
  readonly records: SessionRecords
  /** What is stored was changed here: tells this realm and the others. Called outside of any lock. */
  changed(sessionId: string): void
  /** What is stored was changed by someone else: tells this realm. Called outside of any lock. */
  adopted(): void
  /** This realm has a session no more. */
  readonly left: Pick<Listeners<LeftSession>, 'add'>
  /** Refreshes in this page's place while the store is shared. */
  readonly host: Host | undefined
  /** When the user or the network last came back. */
  wokeAt(): EpochMs
  /** Whether what is stored survives that the page leaves. */
  isKept(): boolean
  readonly page: Page | undefined
  readonly watchLeaving: WatchLeaving | undefined
  /** The time by which tokens in memory are judged. */
  now(): EpochMs
  /** The origin of the page whose requests servers have to allow (CORS), where there is one. */
  readonly origin: string | undefined
  /** From 0 to 1. */
  random(): number
  /** A digest that tells refresh tokens apart without giving them away. */
  hash(text: string): Promise<string>
}

/** The second half of a client: all talk with the authorization server. */
export interface Authorization {
  /**
   * Refreshes the session, or adopts what somebody else has refreshed: one refresh for all who ask in this realm.
   * Afterwards `records.current` is what there is.
   * @param record the one whose access token cannot be used.
   * @param resource for one API of `resources`, or for all in general.
   * @param isForced although nothing says that the access token cannot be used.
   * @throws AuthorizationRequiredError, NetworkError, ServerError, StorageError, LockTimeoutError.
   */
  refresh(record: SessionRecord, resource: string | undefined, isForced?: boolean): Promise<void>
  /** The same beside a call that does not need it yet, unless it is too early to try again. */
  refreshIfDue(record: SessionRecord, resource: string | undefined): void
  /** When the refresh was begun that brought the newest tokens; 0 where it was not one of this realm. */
  begunAt(): EpochMs
  /** @throws ConfigurationError for a sign-in that cannot be asked for like this. */
  checkSignIn(request: SignInRequest): void
  /**
   * Sends the user to the server. Resolves when the answer was handled, or when another page load will receive it.
   * @throws ConfigurationError as `checkSignIn`.
   */
  signIn(attempt: SignInAttempt, request: SignInRequest): Promise<void>
  /**
   * Handles an answer of the server that the page was opened with.
   * @param returned called where the page has come back from the end of the provider's session.
   * @throws CallbackError, NetworkError.
   */
  arrive(page: Page, returned: () => Promise<void>): Promise<void>
  /**
   * Takes the one attempt there is to restore a session that has ended, or that cannot be refreshed without its user.
   * @throws AuthorizationRequiredError unless there is one that nobody has tried to restore yet.
   */
  beginRecovery(): Promise<Recovery>
  /** Finishes the sign-in that a URL answers: once, however often it comes. */
  handleCallback(url: string | URL): Promise<FinishedSignIn>
  /** @throws ConfigurationError for a sign-out that cannot be asked for like this. */
  checkSignOut(request: SignOutRequest): void
  /**
   * After the session was removed here: ends sign-ins under way, revokes the tokens, and leaves for the end of the
   * provider's own session. Best effort, bounded; rejects only as `checkSignOut`.
   */
  signOut(
    ended: SessionRecord | undefined,
    request: SignOutRequest,
    leave: LeaveForSignOut | undefined,
  ): Promise<void>
  /** Revokes a refresh token that nobody will use, without waiting for it. */
  revoke(refreshToken: string): void
  /** What an API's answer leads to, by its challenges. */
  judgeAnswer(status: number, header: string | null, sent: readonly unknown[]): Verdict
  /** The server's metadata. */
  server(): Promise<Readonly<Record<string, unknown> & { issuer: string }>>
  /** @throws ConfigurationError when the server has no such endpoint, or one that is not https. */
  endpoint(name: 'userinfo_endpoint'): Promise<URL>
  /** Sends to the authorization server, with a limit on time and size. */
  transport(url: string, init: object): Promise<Response>
  /** How far the server's clock is ahead of this device's, as far as it is known. */
  serverAheadMs(): number
}

/** The second half of a client, made when it is first needed. */
export interface SecondHalf<Part extends keyof Authorization = keyof Authorization> {
  get(): Promise<Pick<Authorization, Part>>
  /** What was made so far. */
  readonly loaded: Pick<Authorization, Part> | undefined
}
