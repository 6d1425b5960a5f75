import type { EndReason } from '../errors.ts'
import type { Emit, Warn } from './events.ts'
import type { Clock, KeyValue } from './ports.ts'
import type { SessionRecord } from './session.ts'

/** How a client that may have credentials shows at the authorization server who it is (RFC 6749 section 2.3). */
export interface ClientAuthentication {
  /** As it is registered (OpenID Connect Core section 9), such as `client_secret_basic`. */
  readonly method: string
  /** Adds it to a request: to its form, or to its headers. */
  authenticate(
    server: Readonly<Record<string, unknown> & { issuer: string }>,
    client: { readonly client_id: string },
    form: URLSearchParams,
    headers: Headers,
  ): void | Promise<void>
  /** Whether the endpoints for mutual TLS are used where the server has such (RFC 8705 section 5). */
  readonly mtls?: boolean
  /** Whether it is the same secret wherever the app runs: nothing for a page that anybody can read. */
  readonly isShared?: boolean
  /** What was sent of it so far: an error never repeats it. */
  secrets?(): readonly string[]
}

/** An authorization request before it is sent (RFC 6749 section 4.1.1). */
export interface AuthorizationRequest {
  readonly server: Readonly<Record<string, unknown> & { issuer: string }>
  /** What becomes of it: the session will have this id, which is also the request's `state`. */
  readonly sessionId: string
  readonly parameters: URLSearchParams
}

/** What an extension changes in the work of one client. Everything may be left out. */
export interface ExtensionHooks {
  /** Adds to an authorization request. */
  authorizationRequest?(request: AuthorizationRequest): Promise<void>
  /** Hands the whole request to the server in another way: what then goes through the user's browser in its place. */
  pushRequest?(request: AuthorizationRequest): Promise<URLSearchParams>
  /**
   * Sends a token request, with `options` of oauth4webapi added: once, or once more where the first had no effect.
   * @throws AuthorizationRequiredError where the session cannot go on: its reason becomes that of the session's end.
   */
  tokenRequest?<T>(sessionId: string, send: (options: object) => Promise<T>): Promise<T>
  /**
   * Respells what the token endpoint answered, success or error, for a server that spells or nests its members in its own
   * way. Runs before every check; what it returns is checked as any answer.
   */
  tokenAnswer?(members: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>>
  /** Looks at an answer that passed all checks, before anything of it is stored. Throws what refuses it. */
  tokenResponse?(sessionId: string, response: Readonly<Record<string, unknown>>): Promise<void>
  /** What access tokens are then: `dpop`. Default `bearer` (RFC 6749 section 7.1). */
  readonly tokenType?: 'dpop'
  /** Puts an access token on a request in another way than as Bearer. */
  readonly presentation?: Presentation
  /** A limit on how long a session may be used. */
  readonly limit?: SessionLimit
  /** The session is over, here first; or the sign-in that would have begun it. */
  ended?(sessionId: string): void
  /** The client is not used any more: closes what is open. What is used again opens it anew. */
  close?(): void
}

/** What ends sessions that the server would go on with. */
export interface SessionLimit {
  /** Whether the session may have to end, as far as this realm knows: no call uses it before `check`. Asked at every call. */
  isDue(): boolean
  /** Looks at the session after it was read or changed here, and ends it where it has to (`endSession`). Never rejects. */
  check(): Promise<void>
}

/** Another way to put an access token on a request than as Bearer. */
export interface Presentation {
  /**
   * @param request its URL is without query and fragment.
   * @param sessionId the session that the access token is of.
   */
  headers(
    request: { readonly method: string; readonly url: string },
    accessToken: string,
    sessionId: string,
  ): Promise<Readonly<Record<string, string>>>
  /**
   * Looks at every answer to a request that had such headers, and at those of the token endpoint.
   * @param redirect of a request to an API: what its caller wants to happen with a redirect. None is followed.
   * @returns whether the same request may succeed with headers made anew.
   * @throws ConfigurationError for a redirect that the caller wants to be followed.
   */
  answered(url: string, response: Response, redirect?: NonNullable<RequestInit['redirect']>): boolean
}

/** What an extension is given to work with. */
export interface ExtensionContext {
  readonly issuer: string
  readonly clientId: string
  /** Begins the names of all records of this client. */
  readonly prefix: string
  readonly strict: boolean
  readonly quirks: ReadonlySet<string>
  /** Where the client keeps its records. */
  readonly keyValue: KeyValue
  readonly clock: Clock
  readonly emit: Emit
  readonly warn: Warn
  /** Sends to the authorization server, with a limit on time and size. */
  readonly transport: (url: string, init: object) => Promise<Response>
  readonly clientAuthentication: ClientAuthentication | undefined
  /** How far the server's clock is ahead of this device's, as far as it is known. */
  serverAheadMs(): number
  /** The session as this realm knows it, and as the store has it now. */
  session(): SessionRecord | undefined
  readSession(): Promise<SessionRecord | undefined>
  /**
   * Ends that session here and for all who share the store.
   * @param isRevoked whether its refresh token is revoked too, without waiting for it.
   */
  endSession(sessionId: string, reason: EndReason, isRevoked?: boolean): Promise<void>
}

/** A change of the protocol, imported by who needs it: `extensions: [dpop(), par()]`. */
export type Extension = (context: ExtensionContext) => ExtensionHooks

/** Where a client keeps what its actions work with. Nothing that holds a secret hangs on it. */
export const actionContext: unique symbol = Symbol.for('latchkey action context')

/** What an action is given to work with, such as `userInfo(client)`. */
export interface ActionContext {
  readonly clientId: string
  readonly clock: Clock
  /** Sends to the authorization server, with a limit on time and size. */
  readonly transport: (url: string, init: object) => Promise<Response>
  /** The metadata of the authorization server. */
  server(): Promise<Readonly<Record<string, unknown> & { issuer: string }>>
  /** How far the server's clock is ahead of this device's, as far as it is known. */
  serverAheadMs(): Promise<number>
  /** The session, once the store has been read. */
  session(): Promise<SessionRecord | undefined>
  /**
   * Sends a request with the access token to an endpoint that the server's metadata names, and to no other place: with
   * one refresh and one replay after a 401, as any call of the API.
   * @throws ConfigurationError where the server has no such endpoint, or one that is not https.
   */
  fetchEndpoint(name: 'userinfo_endpoint', init: RequestInit): Promise<Response>
}
