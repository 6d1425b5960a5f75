import type { Extension } from './extension.ts'
import type { Clock, Store, UserAgent } from './ports.ts'
import type { TokenResponse } from './token-set.ts'

/** What a grant is given to make its token request of. */
export interface GrantContext {
  readonly issuer: string
  readonly clientId: string
  /** The option `session` of the client, if it has one. */
  readonly session: string | undefined
  /** The metadata of the authorization server (RFC 8414 section 2). */
  readonly server: Readonly<Record<string, unknown> & { issuer: string }>
  /** Seconds since 1970 by the authorization server's clock, as far as it is known: for what is signed. */
  readonly now: number
  readonly clock: Clock
}

/** Which tokens a grant is about, so that those of another one are not taken for them. */
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
 * A way to tokens in place of the authorization code flow, from `latchkey/grants`. It has either `parameters` or a `userAgent`:
 * latchkey runs the first kind by itself whenever it needs a token; a user takes part in the second, and `signIn()` begins it.
 */
export interface Grant {
  /** The `grant_type` of its token request (RFC 6749 section 4.5). */
  readonly type: string
  /**
   * Resolves with the parameters of its token request, which no error repeats. latchkey calls it before each run, outside of
   * the lock, and waits 8 s at most.
   * @throws AuthorizationRequiredError if there is nobody any more to act for: that ends the session.
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
   * @throws ConfigurationError if the tokens of different users could not be told apart there.
   */
  store?(scope: GrantScope): Store
  /** What it adds to the client's `extensions`. */
  readonly extension?: Extension
}
