import type { EndReason } from '../errors.ts'
import type { Emit, Warn } from './events.ts'
import type { Clock, KeyValue } from './ports.ts'
import type { SessionRecord } from './session.ts'

/** How a client with credentials authenticates to the authorization server (RFC 6749 section 2.3). */
export interface ClientAuthentication {
  /** The registered method (OpenID Connect Core section 9), such as `client_secret_basic`. */
  readonly method: string
  /** Adds the credentials to a request: to its form or to its headers. */
  authenticate(
    server: Readonly<Record<string, unknown> & { issuer: string }>,
    client: { readonly client_id: string },
    form: URLSearchParams,
    headers: Headers,
  ): void | Promise<void>
  /** Whether to use the server's endpoints for mutual TLS, if it has any (RFC 8705 section 5). Default false. */
  readonly mtls?: boolean
  /** Whether all copies of the app have the same secret. latchkey warns if anyone can read the app. Default false. */
  readonly isShared?: boolean
  /** Returns the credentials that were sent, so that errors leave them out. Default: none. */
  secrets?(): readonly string[]
}

/** An authorization request before it is sent (RFC 6749 section 4.1.1). */
export interface AuthorizationRequest {
  readonly server: Readonly<Record<string, unknown> & { issuer: string }>
  /** The id of the session that this sign-in begins, which is also the request's `state`. */
  readonly sessionId: string
  readonly parameters: URLSearchParams
}

/** The steps of a client that an extension can change. All are optional. */
export interface ExtensionHooks {
  /** Adds parameters to an authorization request. */
  authorizationRequest?(request: AuthorizationRequest): Promise<void>
  /**
   * Sends the authorization request directly to the server.
   * @returns the parameters to send through the user's browser instead.
   */
  pushRequest?(request: AuthorizationRequest): Promise<URLSearchParams>
  /**
   * Sends a token request, with more `options` for oauth4webapi. It may send a second one if the first had no effect.
   * @throws AuthorizationRequiredError if the session cannot continue. latchkey then ends it with that reason.
   */
  tokenRequest?<T>(sessionId: string, send: (options: object) => Promise<T>): Promise<T>
  /**
   * Corrects the members of a response of the token endpoint, success or error, if the server names or nests them
   * differently. Runs before all checks.
   */
  tokenAnswer?(members: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>>
  /** Receives a token response that has passed all checks, before latchkey stores it. Throws to refuse it. */
  tokenResponse?(sessionId: string, response: Readonly<Record<string, unknown>>): Promise<void>
  /** The type of the access tokens. Default: Bearer (RFC 6749 section 7.1). */
  readonly tokenType?: 'dpop'
  /** Adds access tokens to requests. Default: as Bearer. */
  readonly presentation?: Presentation
  /** Limits how long a session may be used. */
  readonly limit?: SessionLimit
  /** Called when this client has ended a session, or the sign-in that would have begun it. */
  ended?(sessionId: string): void
  /** Called by `dispose()`: closes open resources. A later call opens them again. */
  close?(): void
}

/** Ends sessions earlier than the server would. */
export interface SessionLimit {
  /** Whether the session may have reached its limit. If so, no call uses it before `check` has run. Called for every request. */
  isDue(): boolean
  /** Checks the session after this client has read or changed it, and ends it if it has reached its limit. Never rejects. */
  check(): Promise<void>
}

/** Adds access tokens to requests in another way than as Bearer. */
export interface Presentation {
  /**
   * Returns the headers of one request.
   * @param request its URL has no query and no fragment.
   * @param sessionId the session of the access token.
   */
  headers(
    request: { readonly method: string; readonly url: string },
    accessToken: string,
    sessionId: string,
  ): Promise<Readonly<Record<string, string>>>
  /**
   * Receives every response to a request with these headers, and every response of the token endpoint.
   * @param redirect the `redirect` mode that the caller of an API asked for. latchkey does not follow redirects here.
   * @returns whether the same request may succeed with new headers.
   * @throws ConfigurationError for a redirect that the caller wants to follow.
   */
  answered(url: string, response: Response, redirect?: NonNullable<RequestInit['redirect']>): boolean
}

/** The parts of a client that an extension may use. */
export interface ExtensionContext {
  readonly issuer: string
  readonly clientId: string
  /** The prefix of the names of all records of this client. */
  readonly prefix: string
  readonly strict: boolean
  readonly quirks: ReadonlySet<string>
  /** The store of the client's records. */
  readonly keyValue: KeyValue
  readonly clock: Clock
  readonly emit: Emit
  readonly warn: Warn
  /** Sends a request to the authorization server, with a limit on time and size. */
  readonly transport: (url: string, init: object) => Promise<Response>
  readonly clientAuthentication: ClientAuthentication | undefined
  /** How many milliseconds the server's clock is ahead of this device's. 0 while it is unknown. */
  serverAheadMs(): number
  /** The session in this client's memory. */
  session(): SessionRecord | undefined
  /** Reads the session from the store. */
  readSession(): Promise<SessionRecord | undefined>
  /**
   * Ends that session, if it is the current one, for all clients of the store.
   * @param isRevoked whether to revoke its refresh token too, in the background.
   */
  endSession(sessionId: string, reason: EndReason, isRevoked?: boolean): Promise<void>
}

/** Changes the protocol. An app imports the ones that it needs: `extensions: [dpop(), par()]`. */
export type Extension = (context: ExtensionContext) => ExtensionHooks

/** The key of a client's property for its actions. No property under it contains a token: only function calls return one. */
export const actionContext: unique symbol = Symbol.for('latchkey action context')

/** The parts of a client that an action, such as `userInfo(client)`, may use. */
export interface ActionContext {
  readonly clientId: string
  readonly clock: Clock
  /** Sends a request to the authorization server, with a limit on time and size. */
  readonly transport: (url: string, init: object) => Promise<Response>
  /** The metadata of the authorization server. */
  server(): Promise<Readonly<Record<string, unknown> & { issuer: string }>>
  /** How many milliseconds the server's clock is ahead of this device's. 0 while it is unknown. */
  serverAheadMs(): Promise<number>
  /** Resolves with the session after the store has been read. */
  session(): Promise<SessionRecord | undefined>
  /**
   * Sends a request with the access token to an endpoint from the server's metadata. After a 401 it refreshes once and
   * replays the request once, like `client.fetch`.
   * @throws ConfigurationError if the server has no such endpoint, or it is not https.
   */
  fetchEndpoint(name: 'userinfo_endpoint', init: RequestInit): Promise<Response>
}
