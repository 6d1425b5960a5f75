import type { EndReason } from '../errors.ts'
import type { EpochMs } from './ports.ts'
import type { AccessToken, IdTokenClaims, TokenSet } from './token-set.ts'
import type { StoredTrouble, Trouble } from './trouble.ts'

/** What is stored of a session. */
export interface SessionRecord {
  readonly schema: 1
  /** New for every sign-in: an answer that belongs to another session never lands in this one. */
  readonly sessionId: string
  /** One more at every rotation. */
  readonly version: number
  readonly tokens: TokenSet
  /** What the access tokens are, where they are not Bearer (RFC 6749 section 7.1). */
  readonly tokenType?: 'dpop' | undefined
  /** Access tokens for one API each, by the URL that the API has in `resources` (RFC 8707). */
  readonly resources?: Readonly<Record<string, AccessToken>>
  /** The scopes that the sign-in asked for, joined by spaces: what may be asked for later. */
  readonly requested?: string
  /** The context that stored this version: see `explain()`. */
  readonly by?: string
  /** A refresh token with this hash was sent at this time, and its answer is not stored yet. */
  readonly pending?: { readonly tokenHash: string; readonly sentAt: EpochMs }
  /** Why the newest refresh failed, and when the next one may be sent. */
  readonly trouble?: StoredTrouble | undefined
  /** How often somebody has signed out of this store: a sign-in that began before a sign-out ends with it. */
  readonly epoch?: number | undefined
}

/** What is stored in its place when it is over: everyone who shares the store tells the same reason. */
export interface EndedSession {
  readonly schema: 1
  readonly ended: EndReason
  readonly sessionId: string
  /** Whose it was (`sub`), where it may be restored without asking the user. */
  readonly subject?: string | undefined
  /** It was tried to restore it. */
  readonly tried?: true | undefined
  readonly epoch?: number | undefined
  /** The page that signs out is still there, at the longest until then. */
  readonly leavingUntil?: EpochMs | undefined
}

/** What this client cannot use and must not destroy: of a newer version, or bound to a key that it has not asked for. */
export interface UnusableRecord {
  readonly unusable: string
  /** It can be signed out of all the same. */
  readonly record?: SessionRecord
}

export type Stored = SessionRecord | EndedSession | UnusableRecord | undefined

export const sessionOf = (stored: Stored): SessionRecord | undefined =>
  stored && 'tokens' in stored ? stored : undefined
export const endOf = (stored: Stored): EndedSession | undefined =>
  stored && 'ended' in stored ? stored : undefined
export const epochOf = (stored: Stored): number =>
  (stored && ('unusable' in stored ? stored.record : stored)?.epoch) ?? 0

/** The access token for an API of `resources`, or the one for all others. */
export const accessTokenOf = (
  record: SessionRecord,
  resource: string | undefined,
): AccessToken | undefined => (resource === undefined ? record.tokens : record.resources?.[resource])

/** What an app sees of its session: an immutable snapshot, the same object until something changes. */
export type Session =
  /** The store has not been read yet. */
  | { readonly status: 'starting' }
  | {
      readonly status: 'signed-out'
      /** Why the last session ended: the same in every tab and process, until the next sign-in. */
      readonly reason?: EndReason
    }
  /** A sign-in that was begun here is under way. `reason` as before it. */
  | { readonly status: 'signing-in'; readonly reason?: EndReason }
  | {
      readonly status: 'signed-in'
      /** Of the ID Token; `undefined` without the scope `openid`. */
      readonly claims: IdTokenClaims | undefined
      /** What was granted. */
      readonly scope: readonly string[]
      /** When the access token runs out, in ms since 1970; it is renewed by then. `undefined`: the server did not say. */
      readonly accessTokenExpiresAt: EpochMs | undefined
      /** What keeps the session from being refreshed, while it does. */
      readonly trouble?: Trouble
    }
  /** The user has signed out, here or in another tab, and that page has not left yet. */
  | { readonly status: 'signing-out' }
