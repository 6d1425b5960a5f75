import type { Extension } from './extension.ts'
import type { Clock, Store, UserAgent } from './ports.ts'
import type { SessionRecord } from './session.ts'
import type { TokenResponse } from './token-set.ts'

/** The values that a grant can use in its token request. */
export interface GrantContext {
  readonly issuer: string
  readonly clientId: string
  /** The option `session` of the client, if it has one. */
  readonly session: string | undefined
  /** The metadata of the authorization server (RFC 8414 section 2). */
  readonly server: Readonly<Record<string, unknown> & { issuer: string }>
  /** Seconds since 1970 by the authorization server's clock, as far as latchkey knows it. Use it in signed assertions. */
  readonly now: number
  readonly clock: Clock
}

/** The parts of a client that a grant uses to choose the store for its tokens. */
export interface GrantScope {
  /** The option `scope`, joined by spaces. */
  readonly scope: string
  /** The option `session` of the client, if it has one. */
  readonly session: string | undefined
  /** The store that the app chose, if it chose one. */
  readonly store: Store | undefined
  /** Opens the store of this environment. */
  defaultStore(): Store
}

/**
 * Another way to get tokens than the authorization code flow, from `latchkey/grants`. It has either `parameters` or a
 * `userAgent`. With `parameters`, latchkey runs it whenever it needs a token. With a `userAgent`, `signIn()` asks the user.
 */
export interface Grant {
  /** The `grant_type` of its token request (RFC 6749 section 4.5). */
  readonly type: string
  /**
   * Resolves with the parameters of its token request, which no error repeats. latchkey calls it before each run, outside of
   * the lock, and waits 8 s at most.
   * @throws AuthorizationRequiredError if the user to act for has signed out: that ends the session.
   */
  parameters?(context: GrantContext): Promise<Readonly<Record<string, string>>>
  /** How `signIn()` asks the user. */
  readonly userAgent?: UserAgent
  /** Checks a token response. @throws ServerError for one that must not be used. */
  check?(response: TokenResponse): void
  /** Whether a refresh token in the response is used. Default: latchkey drops it and runs the grant again. */
  readonly usesRefreshToken?: boolean
  /**
   * Chooses where the tokens are kept. Default: the client's own store.
   * @throws ConfigurationError if the store would mix up the tokens of different users.
   */
  store?(scope: GrantScope): Store
  /** An extension to add to the client's `extensions`. */
  readonly extension?: Extension
}

/**
 * Creates the session of a grant without a user, before its first token: its access token is empty and has expired.
 * @param epoch the number of sign-outs so far. Each one is followed by another session.
 */
export const emptySession = (grant: string, epoch: number, scope: string): SessionRecord => ({
  ...{ schema: 1, sessionId: `grant ${epoch}`, version: 1, epoch, grant },
  tokens: { accessToken: '', scope, expiresAt: 0, refreshAt: 0 },
})
