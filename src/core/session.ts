import type { EndReason } from '../errors.ts'
import type { EpochMs } from './ports.ts'
import type { IdTokenClaims, TokenSet } from './token-set.ts'

/** What is stored of a session. */
export interface SessionRecord {
  readonly schema: 1
  /** New for every sign-in: an answer that belongs to another session never lands in this one. */
  readonly sessionId: string
  /** One more at every rotation. */
  readonly version: number
  readonly tokens: TokenSet
  /** The context that stored this version: see `explain()`. */
  readonly by?: string
  /** A refresh token with this hash was sent at this time, and its answer is not stored yet. */
  readonly pending?: { readonly tokenHash: string; readonly sentAt: EpochMs }
}

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
