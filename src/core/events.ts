import type { EndReason, ErrorCode } from '../errors.ts'
import type { StepUp } from './challenge.ts'
import type { EpochMs } from './ports.ts'

/** Which grant a token request is for. */
export type GrantType = 'authorization_code' | 'refresh_token'

/** Everything that happens, in the order it happens, without secrets. */
export type ClientEvent = { readonly at: EpochMs } & EventBody

/** What `explain()` tells. */
export interface Explanation {
  readonly at: EpochMs
  /** This tab, worker or process, by a name drawn when the client was created. */
  readonly context: string
  readonly session: { readonly status: string; readonly reason?: EndReason }
  /** The newest events, at most 200. */
  readonly events: readonly ClientEvent[]
}

/** What a `warning` is about: a closed list. */
export type WarningTopic =
  /** Something was accepted only because the option `quirks` says so. */
  | 'quirk'
  /** As `no_refresh_token`, although the sign-in asked for `offline_access`: some servers want `prompt=consent` too (OpenID Connect Core 11). */
  | 'offline_access'
  /** A sign-in brought no refresh token: the session lasts as long as its access token. */
  | 'no_refresh_token'
  /** Answers of two issuers come to one redirect URI, and one of them does not say whose they are (RFC 9700 section 4.4). */
  | 'mix_up'
  /** A token was revoked, and the answer was not the one of RFC 7009. */
  | 'revocation'
  /** A client secret in an app that anybody can read (RFC 6749 section 2.1). */
  | 'client_secret'
  /** Granted were others than those that were asked for, or the server does not say which (RFC 9396 section 7). */
  | 'authorization_details'
  /** The server's metadata has lost a protection that it had before. */
  | 'metadata_downgrade'
  /** A refreshed ID Token did not pass its checks: the one before it stays. */
  | 'id_token'
  /** More was granted than was asked for. */
  | 'scope'
  /** A server asks for a DPoP nonce that cannot be read (RFC 9449 section 8). */
  | 'dpop_nonce'
  /** Something in the answer to a refresh was left out, because it cannot be right. */
  | 'token_response'

export type EventBody =
  /** The server's metadata was asked for (RFC 8414), and came. */
  | { readonly type: 'metadata-request'; readonly url: string }
  | {
      readonly type: 'metadata-response'
      readonly issuer: string
      /** Where tokens will be asked for: it need not be at the issuer's own origin. */
      readonly tokenEndpoint: string
    }
  /** The user is being sent to the authorization server (RFC 6749 section 4.1.1), and came back (4.1.2). */
  | { readonly type: 'authorization-request'; readonly scope: string; readonly userAgent: string }
  | { readonly type: 'authorization-response'; readonly refused: boolean }
  /** The authorization request was handed to the server directly (RFC 9126), and what it gave for it holds this long. */
  | { readonly type: 'pushed-authorization-request' }
  | { readonly type: 'pushed-authorization-response'; readonly expiresInSeconds: number }
  /** One request to the token endpoint, and its end. `rotated`: the answer had a new refresh token. */
  | { readonly type: 'token-request'; readonly grantType: GrantType; readonly attempt: number }
  | {
      readonly type: 'token-response'
      readonly grantType: GrantType
      readonly expiresInSeconds: number | undefined
      readonly scope: string
      readonly rotated: boolean
    }
  | {
      readonly type: 'token-error'
      readonly grantType: GrantType
      readonly code: ErrorCode
      readonly error?: string
      readonly status?: number
    }
  /** Someone else who shares the store had refreshed already; nothing was sent. */
  | { readonly type: 'tokens-adopted'; readonly from: string | undefined }
  /** One request to an API with an access token, and its answer. `url` is without query and fragment. */
  | { readonly type: 'api-request'; readonly method: string; readonly url: string; readonly replay: boolean }
  | { readonly type: 'api-response'; readonly status: number; readonly url: string; readonly error?: string }
  /**
   * The API asks for something that no refresh can bring. Hand this event to `signIn({ stepUp })` when it suits the user.
   * `error`: `insufficient_scope` (RFC 6750 section 3.1) or `insufficient_user_authentication` (RFC 9470 section 3).
   */
  | ({ readonly type: 'step-up-required'; readonly url: string; readonly error: string } & StepUp)
  /** An access token was refused, and the body of the request could be sent only once: the 401 is the caller's. */
  | { readonly type: 'body-not-replayable'; readonly method: string; readonly url: string }
  /** A new access token got the same 401: none is fetched for this endpoint again while this one lasts. */
  | { readonly type: 'refresh-futile'; readonly url: string }
  /** A token is being revoked at sign-out (RFC 7009), and whether the server said so. */
  | { readonly type: 'revocation-request' }
  | { readonly type: 'revocation-response'; readonly ok: boolean }
  /** The user is being sent to the provider to end its session too (OpenID Connect RP-Initiated Logout). */
  | { readonly type: 'end-session-request' }
  | { readonly type: 'session-started'; readonly subject: string | undefined }
  | { readonly type: 'session-ended'; readonly reason: EndReason }
  /** Something that the app's developers should look at. Nothing failed; with `strict` most of it does. */
  | { readonly type: 'warning'; readonly about: WarningTopic; readonly message: string }
  /** The store failed; tokens that were already received are kept in memory. */
  | { readonly type: 'storage-degraded'; readonly message: string }

/** Reports an event to everyone who listens. */
export type Emit = (event: EventBody) => void

/** Warns the app's developers by an event `warning`. The same warning is given once. */
export type Warn = (about: WarningTopic, message: string) => void
