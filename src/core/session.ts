import type { EndReason } from '../errors.ts'
import type { EpochMs } from './ports.ts'
import type { AccessToken, IdTokenClaims, TokenSet } from './token-set.ts'
import type { StoredTrouble, Trouble } from './trouble.ts'

/** A session as it is stored. */
export interface SessionRecord {
  readonly schema: 1
  /** New for every sign-in, so that a response for another session never changes this one. */
  readonly sessionId: string
  /** Increases by one at every rotation. */
  readonly version: number
  readonly tokens: TokenSet
  /** The type of the access tokens, if it is not Bearer (RFC 6749 section 7.1). */
  readonly tokenType?: 'dpop' | undefined
  /** Access tokens for single APIs, by the API's URL in `resources` (RFC 8707). */
  readonly resources?: Readonly<Record<string, AccessToken>>
  /** The scopes that the sign-in asked for, joined by spaces. Later requests may ask only for these. */
  readonly requested?: string
  /** What `signIn()` added to its authorization request, such as an organisation: `recover()` asks for the same. */
  readonly parameters?: Readonly<Record<string, string>> | undefined
  /** The tab, worker or process that stored this version: `context` in `explain()`. */
  readonly by?: string
  /** latchkey sent a refresh token with this hash at this time and has not stored a response yet. */
  readonly pending?: { readonly tokenHash: string; readonly sentAt: EpochMs }
  /** Why the newest refresh failed, and when the next one may start. */
  readonly trouble?: StoredTrouble | undefined
  /** How often a user has signed out of this store. A sign-out also ends each sign-in that began before it. */
  readonly epoch?: number | undefined
  /** The `grant_type` that latchkey runs again when the access token ends: no user and no refresh token are needed. */
  readonly grant?: string | undefined
}

/** Whether latchkey gets its next access token by running the grant, not with a refresh token. */
export const runsGrant = ({ grant, tokens }: SessionRecord): boolean =>
  grant !== undefined && tokens.refreshToken === undefined

/** Replaces the record of an ended session, so that every client of the store reports the same reason. */
export interface EndedSession {
  readonly schema: 1
  readonly ended: EndReason
  readonly sessionId: string
  /** The user (`sub`) of a session that may be restored without asking the user. */
  readonly subject?: string | undefined
  /** The parameters of its sign-in, for `recover()`. */
  readonly parameters?: Readonly<Record<string, string>> | undefined
  /** Whether latchkey has tried to restore it. */
  readonly tried?: true | undefined
  readonly epoch?: number | undefined
  /** Until when the page that signs out may still be open. */
  readonly leavingUntil?: EpochMs | undefined
}

/** A record that this client cannot use and must not destroy: from a newer version, or bound to a key that it does not use. */
export interface UnusableRecord {
  /** `newer`: it is from a newer version. `bound`: it is bound to a key. */
  readonly unusable: 'newer' | 'bound'
  /** Only in `record`. Here so that the `sessionId` of every stored value can be asked for. */
  readonly sessionId?: undefined
  /** The session in it, if signing out is still possible. */
  readonly record?: SessionRecord
  /** As in SessionRecord: it has the same meaning in every schema. */
  readonly epoch?: number | undefined
}

export type Stored = SessionRecord | EndedSession | UnusableRecord | undefined

export const sessionOf = (stored: Stored): SessionRecord | undefined =>
  stored && 'tokens' in stored ? stored : undefined
export const endedSessionOf = (stored: Stored): EndedSession | undefined =>
  stored && 'ended' in stored ? stored : undefined

/**
 * Watches for a sign-in of another tab or process. The first call only remembers the session in the store.
 * @param first the session that is known already.
 * @returns a function that resolves with whether the store has another session now. It never rejects: a store that cannot be
 * read counts as unchanged.
 */
export const watchForSession = (
  records: { read(): Promise<Stored> },
  first?: { readonly sessionId: string | undefined },
): (() => Promise<boolean>) => {
  let before = first
  return () =>
    records.read().then(
      stored => {
        const sessionId = sessionOf(stored)?.sessionId
        before ??= { sessionId }
        return sessionId !== undefined && sessionId !== before.sessionId
      },
      () => false,
    )
}

/** Whether latchkey may restore a session without the user. Not after a sign-out or another sign-in, or if a session limit ended it. */
export const mayBeRestored = (ended: EndReason): boolean => !/^(signed_out|replaced|.*_limit)$/.test(ended)

/** How often a user has signed out of the store. */
export const epochOf = (stored: Stored): number => stored?.epoch ?? 0

/** The access token for an API in `resources`, or the one for `allowedOrigins`. */
export const accessTokenOf = (
  record: SessionRecord,
  resource: string | undefined,
): AccessToken | undefined => (resource === undefined ? record.tokens : record.resources?.[resource])

/** The session as the app sees it: an immutable snapshot, the same object until something changes. */
export type Session =
  /** latchkey has not read the store yet. */
  | { readonly status: 'starting' }
  | {
      readonly status: 'signed-out'
      /** Why the last session ended. It is the same in every tab and process, until the next sign-in. */
      readonly reason?: EndReason
    }
  /** A sign-in that began here is under way. `reason` is the same as before it. */
  | { readonly status: 'signing-in'; readonly reason?: EndReason }
  | {
      readonly status: 'signed-in'
      /** The claims of the ID Token; `undefined` without the scope `openid`. */
      readonly claims: IdTokenClaims | undefined
      /** The granted scope. */
      readonly scope: readonly string[]
      /** The scopes that the sign-in asked for and the user or the server did not grant. Absent if all were granted. */
      readonly missingScope?: readonly string[]
      /** The members of the token response that the option `responseParameters` names, as the server sent them last. */
      readonly responseParameters?: Readonly<Record<string, unknown>>
      /** When the access token expires, in ms since 1970; latchkey refreshes it before. `undefined`: the server did not say. */
      readonly accessTokenExpiresAt: EpochMs | undefined
      /** Why refreshes fail, while they do. The next successful refresh removes it. */
      readonly trouble?: Trouble
    }
  /** The user has signed out, here or in another tab, and that page has not left for the provider yet. */
  | { readonly status: 'signing-out' }
