import type { EndReason } from '../errors.ts'

/** Milliseconds since 1970 by this device's clock. */
export type EpochMs = number

/** A function with the signature of `fetch`. latchkey sends everything with it. */
export type Fetch = typeof globalThis.fetch

/** Where warnings for the app's developers are written, such as `console`. */
export interface Logger {
  warn(message: string): void
}

/** The only source of time and timers. */
export interface Clock {
  now(): EpochMs
  /** Milliseconds since an arbitrary moment, by a clock that nobody can set. Without it, latchkey uses `now`. */
  elapsed?(): number
  /**
   * Calls `run` once, `ms` milliseconds from now.
   * @param background whether the timer lets a Node process exit.
   * @returns a function that cancels it.
   */
  after(ms: number, run: () => void, background?: boolean): () => void
}

/** A place for small records. Every call may reject, but must not throw synchronously. */
export interface KeyValue {
  /** Resolves with the value under `key`, or `undefined`. */
  get(key: string): Promise<unknown>
  /**
   * The atomic step: passes the stored value to `change` and stores its result; `undefined` deletes. No other client of this
   * place can change the value in between. `change` is pure, and `update` may call it more than once.
   */
  update(key: string, change: (stored: unknown) => unknown): Promise<void>
  /** Resolves with every key that begins with `prefix`. */
  keys(prefix: string): Promise<string[]>
}

/** Updates an entry. @returns what is stored under `key` afterwards. */
export function updateAndGet(
  keyValue: KeyValue,
  key: string,
  change: (stored: unknown) => unknown,
): Promise<unknown> {
  let next: unknown
  const remember = (stored: unknown) => {
    next = change(stored)
    return next
  }
  return keyValue.update(key, remember).then(() => next)
}

/** Mutual exclusion between all clients that can see the same records. */
export interface Lock {
  /**
   * Runs `work` while no other client runs work under the same `name`. Releases the lock when `work` settles.
   * @param waitMs how many milliseconds to wait for the lock.
   * @throws LockTimeoutError if it does not get the lock within `waitMs`; then `work` does not run.
   */
  run<T>(name: string, work: () => Promise<T>, waitMs: number): Promise<T>
  /** Resolves with whether any client holds that lock now. Leave it out if the lock can find out only by being taken. */
  isHeld?(name: string): Promise<boolean>
}

/** News between the clients of a store. News contain no tokens: a client that hears them reads the store. */
export interface Channel {
  post(news: News): void
  listen(hear: (news: News) => void): () => void
  close(): void
}

/** A message to the other clients of a store. */
export type News =
  | { type: 'session-changed' }
  | { type: 'session-ended'; sessionId: string; reason: EndReason }
  /** The page that signed out has left for the provider, or does not have to leave. */
  | { type: 'session-left'; sessionId: string }

/** Checks a received message: other code can post anything to the same channel, also values that cannot become a string. */
export const isNewsMessage = (heard: { readonly type?: unknown } | null | undefined): boolean => {
  const type = heard?.type
  return typeof type === 'string' && /^session-(changed|ended|left)$/.test(type)
}

/**
 * Who sees the stored records, and how long they last: only this page; this tab, until it is closed; every tab and worker of
 * the origin; every program that may read the user's files or the host's storage.
 */
export type Reach = 'page' | 'tab' | 'origin' | 'device'

/**
 * The place where tokens are stored. **A store has its own lock**: every client that can see a record must be able to take
 * the same lock and hear the same news.
 */
export interface Store {
  /**
   * The kind of store, for reports. Two stores of one page need two names: the answer to a sign-in belongs to the client
   * whose store has the name that the sign-in began with.
   */
  readonly name: string
  readonly keyValue: KeyValue
  readonly lock: Lock
  /** Opens the channel of that name. */
  channel(name: string): Channel
  /** Who sees the stored records now. Default `device`. */
  reach?(): Reach
  /** The name of the IndexedDB database that any worker of this origin can open as it is, if the records are in one. */
  readonly database?: string
  /** For a store that may switch to another place: calls `tell` once when it has switched. */
  onDegraded?(tell: (message: string) => void): void
  /** Closes open resources, such as a database connection. A later call opens them again. */
  close?(): void
}

/** Shows the authorization server's pages to the user and brings the answer back. */
export interface UserAgent {
  /** Its name in events: letters only. With `popup`, the page that receives the answer passes it to the page that opened it. */
  readonly name: string
  /** Whether this page leaves, so that another page load receives the answer. The stored data must survive that. */
  readonly leaves?: boolean
  /**
   * Begins one sign-in. It is synchronous, because a browser opens a window only while it handles the user's click.
   * @param redirectUri the configured one; absolute if there is a page to resolve it against.
   */
  begin(redirectUri: string): SignInAttempt
}

/** One sign-in that is under way. */
export interface SignInAttempt {
  /** The absolute redirect URI of this attempt. */
  readonly redirectUri: string | Promise<string>
  /** Where to note the sign-in, if only this attempt can receive the answer. Default: the store. */
  readonly notes?: KeyValue
  /**
   * Shows `url` to the user.
   * @returns the callback URL, or `undefined` if another page load receives the answer.
   */
  authorize(url: string, state: string): Promise<string | undefined>
  /**
   * Signs in without an authorization response, as the grants of `latchkey/grants` do.
   * @param ports the parts of the client that those grants use.
   * @returns whether the user is signed in. `false`: latchkey continues with `redirectUri` and `authorize`.
   */
  obtain?(ports: unknown): Promise<boolean>
  /** Ends the attempt and frees its resources. You may call it again. */
  close(): void
}

/** The page of this client, if there is one. */
export interface Page {
  /** The address of the page. */
  location(): string
  /** Settles when the user looks at this page. A prerendered page must not use a code or a token before that. */
  shown(): Promise<void>
  /** Shows another address of the same origin without loading it. */
  replaceLocation(url: string): void
  /** Shows a URL with the app's router, if the option `navigate` is set. */
  navigate?(url: string): void
}

/**
 * Watches whether the user is leaving this page. Some browsers then abort its requests, but keep running its code.
 */
export type WatchLeaving = () => { isLeaving(): boolean; stop(): void }

/** Reports that the app may have slept or been offline, so that latchkey reads the store again. */
export interface Wake {
  listen(wake: () => void): () => void
}

/** The ports that an environment provides, for those that the app did not choose. */
export interface Environment {
  readonly fetch: Fetch
  readonly clock: Clock
  readonly logger?: Logger
  readonly store: () => Store
  readonly userAgent: () => UserAgent
  readonly page: Page | undefined
  /** The base of relative URLs for `fetch`, if it resolves them. */
  readonly baseUrl: () => string | undefined
  readonly wake: Wake | undefined
  /** Whether anyone can read the app's code and everything in it. */
  readonly isReadable?: boolean
  /** A prefix for the random name of this tab, worker or process in the records that it writes. Default: none. */
  readonly realm?: string
}

/** The parts of an environment that only the communication with the authorization server needs. */
export interface AuthorizationEnvironment {
  /** A digest that identifies a refresh token without revealing it. */
  hash(text: string): Promise<string>
  /** `undefined`: there is no page that the user can leave. */
  readonly watchLeaving?: WatchLeaving | undefined
  /**
   * Opens the provider's sign-out page. Settles if the user comes back to this page.
   * @param gone called when this page is left.
   * @param returnUri where that page sends the user.
   */
  readonly leave?: ((url: string, onLeft?: () => void, returnUri?: string) => Promise<void>) | undefined
  /**
   * In a window that was opened for a sign-in: passes the callback URL to the page that waits for it.
   * @returns whether that page took it; then this window is finished.
   */
  readonly relay?: ((url: string, state: string) => Promise<boolean>) | undefined
  /** Whether the page is in a frame of another origin. */
  isEmbedded?(): boolean
}

/** A page's request to its host to refresh. It contains no token. */
export interface HostedRefresh {
  readonly sessionId: string
  /** A digest of the access token to replace. */
  readonly unusable: string
  /** The API in `resources` to refresh for. `undefined`: the access token for `allowedOrigins`. */
  readonly resource: string | undefined
  /** Whether to refresh although the access token has not expired. */
  readonly isForced: boolean | undefined
}

/** Where a client with the option `host` refreshes. `page`: it cannot use its worker now. */
export type HostKind = 'shared worker' | 'service worker' | 'page'

/** A worker that refreshes instead of a page, and continues after the page has closed. */
export interface Host {
  /**
   * Refreshes. Settles within a time limit and never rejects.
   * @returns `true` if the host has tried: its result is in the store. `false`: the page must refresh itself.
   */
  refresh(request: HostedRefresh): Promise<boolean>
  /**
   * Hands a sign-out to the host. Settles within a time limit and never rejects.
   * @returns `true` if the host has read the session: it ends it and revokes its tokens, even if this page closes now.
   */
  signOut(sessionId: string): Promise<boolean>
  /** Where the next refresh is to run. */
  inUse(): HostKind
  /** Called by `dispose()`. */
  close(): void
}

/** The parts of a client that the connection to its host uses. */
export interface HostPorts {
  /** The options of the client. */
  readonly options: object
  readonly database: string | undefined
  /** The URL to resolve a relative `redirectUri` against. */
  readonly base: string | undefined
  readonly clock: Clock
  /** Reports why the page does not use its host. */
  warn(message: string): void
}

/** Connects a client with its host: `worker(url)`. */
export type ConnectHost = (ports: HostPorts) => Host

/** Provides calls with the session's access tokens. */
export interface AccessTokens {
  /** The session of `ready` and `acquire`, from this client's memory. */
  sessionId(): string | undefined
  /**
   * Returns a usable access token from memory, or `undefined`. If a refresh is due, it begins in the background.
   * @param resource the API in `resources`. Default: the access token for `allowedOrigins`.
   */
  ready(resource?: string): string | undefined
  /**
   * Returns a usable access token, after a refresh if there is none.
   * @param options.rejected the access token that an API answered with 401.
   * @param options.forceRefresh whether to get a newer access token although the current one has not expired.
   * @param options.sessionId the required session.
   * @throws AuthorizationRequiredError, NetworkError, ServerError, StorageError, LockTimeoutError; `signal.reason`.
   */
  acquire(options?: {
    rejected?: string | undefined
    forceRefresh?: boolean | undefined
    resource?: string | undefined
    sessionId?: string
    signal?: AbortSignal | null
  }): Promise<string>
  /** When the refresh began that brought the newest tokens. 0 if this client did not refresh them. */
  refreshStartedAt(): EpochMs
}
