import type { EndReason, ErrorCode } from '../errors.ts'
import type { StepUp } from './challenge.ts'
import type { EpochMs, HostKind } from './ports.ts'

/** The `grant_type` of a token request: these two, and that of the option `grant`. */
export type GrantType = 'authorization_code' | 'refresh_token' | (string & {})

/** An event of a client, with its time. No event contains a secret. */
export type ClientEvent = { readonly at: EpochMs } & EventBody

/** The report of `explain()`. */
export interface Explanation {
  readonly at: EpochMs
  /** A random name for this tab, worker or process, chosen when the client was created. */
  readonly context: string
  /** Where the next refresh is to run, if the client has the option `host`. */
  readonly host?: HostKind | undefined
  readonly session: { readonly status: string; readonly reason?: EndReason }
  /** The newest events, at most 200. */
  readonly events: readonly ClientEvent[]
}

/** The topic of a `warning`: a closed list. */
export type WarningTopic =
  /** latchkey accepted something only because the option `quirks` allows it. */
  | 'quirk'
  /** A sign-in asked for `offline_access` and got no refresh token: some servers also want `prompt=consent` (OpenID Connect Core section 11). */
  | 'offline_access'
  /** A sign-in got no refresh token: the session lasts as long as its access token. */
  | 'no_refresh_token'
  /** Two issuers share one redirect URI, and one of them does not send `iss` in its responses (RFC 9700 section 4.4). */
  | 'mix_up'
  /** The server's response to a revocation deviates from RFC 7009. */
  | 'revocation'
  /** An app that anyone can read contains a client secret (RFC 6749 section 2.1). */
  | 'client_secret'
  /** The server granted other authorization details than requested, or does not say which it granted (RFC 9396 section 7). */
  | 'authorization_details'
  /** The server's metadata no longer announces a protection that it had before. */
  | 'metadata_downgrade'
  /** A refreshed ID Token failed a check: latchkey keeps the previous one. */
  | 'id_token'
  /** The ID Token is too long for the address of the provider's sign-out page. */
  | 'id_token_hint'
  /** The option `allowPlainHttpForTests` is set: anyone on the network can read what goes there. */
  | 'plain_http'
  /** The page is in a frame of another origin: a sign-out cannot open the provider's sign-out page. */
  | 'end_session'
  /** An access token is so long that many APIs and gateways refuse the header it is in. */
  | 'access_token'
  /** The server granted more than latchkey asked for. */
  | 'scope'
  /** A server asks for a DPoP nonce that latchkey cannot read (RFC 9449 section 8). */
  | 'dpop_nonce'
  /** An API that is in neither `allowedOrigins` nor `resources` answered 401: latchkey sent it no access token. */
  | 'origin_not_allowed'
  /** The program uses the password grant, which RFC 9700 section 2.4 forbids. */
  | 'password_grant'
  /** The page cannot use the worker of `latchkey/worker`, and refreshes itself. */
  | 'host'
  /** latchkey ignored a member of the response to a refresh, because its value is invalid. */
  | 'token_response'

/** A warning for the app's developers. */
export interface Warning {
  readonly about: WarningTopic
  readonly message: string
}

export type EventBody =
  /** latchkey requested the server's metadata (RFC 8414), and received it. */
  | { readonly type: 'metadata-request'; readonly url: string }
  | {
      readonly type: 'metadata-response'
      readonly issuer: string
      /** The token endpoint. It need not be at the issuer's own origin. */
      readonly tokenEndpoint: string
    }
  /** latchkey sends the user to the authorization server (RFC 6749 section 4.1.1); the user came back (section 4.1.2). */
  | { readonly type: 'authorization-request'; readonly scope: string; readonly userAgent: string }
  | { readonly type: 'authorization-response'; readonly refused: boolean }
  /** The authorization server refused the sign-in (RFC 6749 section 4.1.2.1). */
  | {
      readonly type: 'authorization-error'
      readonly error: string
      readonly errorDescription?: string | undefined
    }
  /** latchkey pushed the authorization request to the server (RFC 9126); the server's reference expires after this time. */
  | { readonly type: 'pushed-authorization-request' }
  | { readonly type: 'pushed-authorization-response'; readonly expiresInSeconds: number }
  /** One request to the token endpoint, and its result. `rotated`: the response brought a new refresh token. */
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
      readonly errorDescription?: string | undefined
      readonly status?: number
    }
  /** Another client of the store has refreshed, and latchkey uses those tokens. `from`: that client's `context` in `explain()`. */
  | { readonly type: 'tokens-adopted'; readonly from: string | undefined }
  /** One request to an API with an access token, and its answer. `url` is without query and fragment. */
  | { readonly type: 'api-request'; readonly method: string; readonly url: string; readonly replay: boolean }
  | { readonly type: 'api-response'; readonly status: number; readonly url: string; readonly error?: string }
  /**
   * The API asks for something that only a new sign-in can provide. Pass this event to `signIn({ stepUp })` when it suits
   * the user.
   * `error`: `insufficient_scope` (RFC 6750 section 3.1) or `insufficient_user_authentication` (RFC 9470 section 3).
   */
  | ({ readonly type: 'step-up-required'; readonly url: string; readonly error: string } & StepUp)
  /** The API refused the access token, and the request's body can be sent only once: the caller gets the 401. */
  | { readonly type: 'body-not-replayable'; readonly method: string; readonly url: string }
  /** A new access token got a 401 too. For some minutes, latchkey does not refresh for this endpoint again with this token. */
  | { readonly type: 'refresh-futile'; readonly url: string }
  /** latchkey revokes a token at sign-out (RFC 7009). `ok`: the server confirmed it. */
  | { readonly type: 'revocation-request' }
  | { readonly type: 'revocation-response'; readonly ok: boolean }
  /** latchkey sends the user to the provider's sign-out page (OpenID Connect RP-Initiated Logout). */
  | { readonly type: 'end-session-request' }
  | { readonly type: 'session-started'; readonly subject: string | undefined }
  | { readonly type: 'session-ended'; readonly reason: EndReason }
  /** Something that the app's developers should look at. Nothing failed. With `strict`, latchkey refuses in most of these cases. */
  | ({ readonly type: 'warning' } & Warning)
  /** The store failed. latchkey keeps new tokens in another place, or in memory. */
  | { readonly type: 'storage-degraded'; readonly message: string }

/** Reports an event to all listeners. */
export type Emit = (event: EventBody) => void

/** Warns the app's developers with an event `warning` and in the log. Each warning is emitted once, and one of each topic is logged. */
export type Warn = (about: WarningTopic, message: string) => void
