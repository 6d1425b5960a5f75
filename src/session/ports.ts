import type { LeftSession, SecondHalf, SessionRecords } from '../core/authorization.ts'
import type { Emit } from '../core/events.ts'
import type { SessionLimit } from '../core/extension.ts'
import type { Listeners } from '../core/listeners.ts'
import type { AccessTokens, Channel, Clock, EpochMs, Host, Wake } from '../core/ports.ts'
import type { Session, SessionRecord } from '../core/session.ts'

export interface LiveSessionPorts {
  readonly records: SessionRecords
  readonly clock: Clock
  /** The time for checking the expiry of tokens in memory. */
  now(): EpochMs
  readonly emit: Emit
  /** The name of this client in the records that it stores. */
  readonly realm: string
  readonly authorization: SecondHalf<'refresh' | 'refreshIfDue' | 'refreshStartedAt' | 'unusableError'>
  /** A worker that finishes a sign-out if this page closes. */
  readonly host?: Pick<Host, 'signOut'> | undefined
  /** Opens the channel to the other clients of the store. */
  channel(): Channel
  readonly wake: Wake | undefined
  woke(): void
  /** Stores the session of a grant that needs no user, before its first token request. Unset for other grants. */
  begin?: ((epoch: number) => Promise<unknown>) | undefined
  /** Whether latchkey refreshes an expired access token before a call needs it, as in a page that the user looks at. */
  readonly isEager: boolean
  /** The app's own limit on the length of a session. */
  readonly limit?: SessionLimit | undefined
  /** Emits the id of a session that this client has changed, or `undefined` if another client has changed the store. */
  readonly changes: Listeners<string | undefined>
  /** Receives each session that this client no longer has. */
  readonly sessionLost: Listeners<LeftSession>
  /** Called when this client has ended a session. */
  ended(sessionId: string): void
}

/** The session of one client in one tab, worker or process. The only owner of its state. */
export interface LiveSession extends AccessTokens {
  readonly session: Session
  subscribe(listener: (session: Session) => void): () => void
  /** Waits for `arrival`, after which the store may hold another session, then reads the store. */
  start(arrival: Promise<void>): Promise<Session>
  /** Settles when the store has been read once, and a pending `start` has finished. */
  started(): Promise<void>
  /** Reads the store and updates `session`. */
  refreshView(): Promise<Session>
  /** Shows `signing-in` until `work` settles, unless a user is signed in. */
  signingIn<T>(work: () => Promise<T>): Promise<T>
  /** Settles when no sign-out is in progress, here or in another tab. */
  signedOut(): Promise<void>
  /** Completes the sign-out when this page has come back from the provider's sign-out page. */
  returned(): Promise<unknown>
  /**
   * Ends the session for the user. Shows `signing-out` here and in the other tabs until `atServer` settles.
   * @param atServer gets the removed record, and calls `onLeft` when this page has left for the provider. `isHosted`: a worker
   * revokes the tokens.
   */
  signOut(
    atServer: (ended: SessionRecord | undefined, onLeft: () => void, isHosted: boolean) => Promise<void>,
  ): Promise<void>
  dispose(): void
}
