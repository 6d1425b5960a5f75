/** Milliseconds since 1970 by this device's clock. */
export type EpochMs = number

/** What `fetch` is: everything latchkey sends goes through one of these. */
export type Fetch = typeof globalThis.fetch

/** Time: the one place it is read from and waited on. */
export interface Clock {
  now(): EpochMs
  /** Milliseconds since any moment, by a clock that nobody sets. Left out: what `now` tells has to do. */
  elapsed?(): number
  /**
   * Calls `run` once, `ms` milliseconds from now; the answer cancels it.
   * A `background` timer does not keep a Node process up.
   */
  after(ms: number, run: () => void, background?: boolean): () => void
}

/** A place for small records. Every call may reject; nothing is thrown synchronously. */
export interface KeyValue {
  /** The value kept under `key`, or `undefined`. */
  get(key: string): Promise<unknown>
  /**
   * The atomic step: hands `change` what is stored and stores what it returns, `undefined` deletes. Nobody else
   * who shares this place can come in between. `change` is pure and may be called more than once.
   */
  update(key: string, change: (stored: unknown) => unknown): Promise<void>
  /** Every key that begins with `prefix`. */
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

/** Mutual exclusion among everyone who can see the same records. */
export interface Lock {
  /**
   * Runs `work` while nobody else runs under the same `name`. The lock is let go when `work` settles.
   * @throws LockTimeoutError when it was not to be had within `waitMs`.
   */
  run<T>(name: string, work: () => Promise<T>, waitMs: number): Promise<T>
}

/** News between everyone who shares a store. Carries no tokens: whoever hears it reads the store. */
export interface Channel {
  post(news: News): void
  listen(hear: (news: News) => void): () => void
  close(): void
}

export type News =
  | { type: 'session-changed' }
  | { type: 'session-ended'; sessionId: string; reason: string }
  /** The page that has signed out has left for the provider, or does not need to. */
  | { type: 'session-left'; sessionId: string }

/**
 * Who sees what is stored, and how long it lasts: this page alone; this tab, until it is closed; every tab and worker of
 * the origin; whoever may read the user's files or the host's storage.
 */
export type Reach = 'page' | 'tab' | 'origin' | 'device'

/**
 * Where tokens live. **A store brings its lock**: whoever can see a record must be able to take the same lock and to
 * hear the same news.
 */
export interface Store {
  /** What kind of store this is, for events and reports. */
  readonly name: string
  readonly keyValue: KeyValue
  readonly lock: Lock
  /** Opens the news channel of that name. */
  channel(name: string): Channel
  /** How far what is stored reaches now. Default `device`. */
  reach?(): Reach
  /** Where another place may have to be taken: tells once that it was. */
  onDegraded?(tell: (message: string) => void): void
  /** Closes what is open, such as a connection to a database. What is used again opens it anew. */
  close?(): void
}

/** What shows the authorization server's pages to the user and brings the answer back. */
export interface UserAgent {
  /** What it is called in events. `popup`: the page that gets the answer hands it to the one which opened it. */
  readonly name: string
  /** The answer comes to another page: what is stored has to be there still. */
  readonly leaves?: boolean
  /**
   * Begins one sign-in. Synchronous, because a window may only be opened while the user's click is being handled.
   * @param redirectUri the configured one, absolute where there is a page to resolve it against.
   */
  begin(redirectUri: string): SignInAttempt
}

/** One sign-in under way. */
export interface SignInAttempt {
  /** The absolute redirect URI that this attempt answers on. */
  readonly redirectUri: string | Promise<string>
  /**
   * Shows `url` to the user.
   * @returns the callback URL, or `undefined` where the answer arrives at another page load.
   */
  authorize(url: string, state: string): Promise<string | undefined>
  /** Ends the attempt and frees what it holds; harmless when it is over. */
  close(): void
}

/** The page this client lives in, where there is one. */
export interface Page {
  /** The address of the page. */
  location(): string
  /** Settles when the user looks at this page: one that is prerendered must spend nothing. */
  shown(): Promise<void>
  /** Shows another address of the same origin without loading it. */
  replaceLocation(url: string): void
  /**
   * Leaves for another page. Settles if the user comes back to this one.
   * @param gone called when this page is left.
   */
  leave(url: string, gone?: () => void): Promise<void>
  /**
   * In a window that was opened for a sign-in: hands the callback's URL to the page that waits for it.
   * @returns whether it was taken; then this window has nothing more to do.
   */
  relay(url: string, state: string): Promise<boolean>
}

/**
 * Watches, while something is under way, whether this page is being left. Some browsers break its requests off then, and
 * let it run on.
 */
export type WatchLeaving = () => { isLeaving(): boolean; stop(): void }

/** Tells that the app may have slept or been offline: time to look at the store again. */
export interface Wake {
  listen(wake: () => void): () => void
}

/** What an environment brings: the ports that the app did not choose itself. */
export interface Environment {
  readonly fetch: Fetch
  readonly clock: Clock
  readonly store: () => Store
  readonly userAgent: () => UserAgent
  readonly page: Page | undefined
  /** How to leave for the end of the provider's session, where that is not by the page itself. */
  readonly leave?: (url: string, gone: () => void) => Promise<void>
  /** What `fetch` resolves relative URLs against, where it does. */
  readonly baseUrl: () => string | undefined
  readonly wake: Wake | undefined
  readonly watchLeaving?: WatchLeaving
  /** Whether anybody can read the app and what is in it. */
  readonly isReadable?: boolean
  readonly hash: (text: string) => Promise<string>
}
