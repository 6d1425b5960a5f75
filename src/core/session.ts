import type { EndReason } from '../errors.ts'
import type { EpochMs } from './ports.ts'
import type { AccessToken, IdTokenClaims, TokenSet } from './token-set.ts'

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
}

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
      /** Why, where a session ended while this client was looking. */
      readonly reason?: EndReason
    }
  | {
      readonly status: 'signed-in'
      /** Of the ID Token; `undefined` without the scope `openid`. */
      readonly claims: IdTokenClaims | undefined
      /** What was granted. */
      readonly scope: readonly string[]
      /** When the access token runs out, in ms since 1970; it is renewed by then. `undefined`: the server did not say. */
      readonly accessTokenExpiresAt: EpochMs | undefined
    }

/** The snapshot for a stored record. */
export const toSession = (record: SessionRecord | undefined, reason?: EndReason): Session =>
  Object.freeze(
    record
      ? {
          status: 'signed-in',
          claims: record.tokens.claims,
          scope: Object.freeze(record.tokens.scope.split(' ').filter(Boolean)),
          accessTokenExpiresAt: record.tokens.expiresAt,
        }
      : { status: 'signed-out', reason },
  )
