import type { Client } from '../core/client.ts'
import type { actionContext } from '../core/extension.ts'
import type { SessionRecord } from '../core/session.ts'
import { AuthorizationRequiredError, ConfigurationError, ServerError } from '../errors.ts'
import { actionContextOf } from './context.ts'

export interface IdTokenOptions {
  /** How many more seconds the ID Token must be valid, 0 or more. Default 30. */
  minValiditySeconds?: number
  /** Stops waiting. */
  signal?: AbortSignal
}

/**
 * Returns the raw ID Token (OpenID Connect Core section 2), for services that accept it instead of an access token, such as
 * AWS STS or Kubernetes. Refreshes first if it has expired. Your code is responsible for where it sends the token.
 * @throws AuthorizationRequiredError if nobody is signed in, or there is no refresh token; ConfigurationError if the session
 * has no ID Token; ServerError if the server sends no new ID Token with a refresh; NetworkError, StorageError or
 * LockTimeoutError if the refresh failed.
 */
export async function idToken(
  client: Pick<Client, 'session' | 'getAccessToken' | typeof actionContext>,
  { minValiditySeconds = 30, signal }: IdTokenOptions = {},
): Promise<string> {
  const context = actionContextOf(client)
  const now = async () => (context.clock.now() + (await context.serverAheadMs())) / 1000
  const isValid = async ({ tokens }: SessionRecord) =>
    (tokens.claims?.exp ?? 0) - minValiditySeconds > (await now())
  const read = async () => {
    const found = await context.session()
    if (found?.tokens.idToken) return { ...found, idToken: found.tokens.idToken }
    if (found)
      throw new ConfigurationError('This session has no ID Token. Ask for the scope "openid" at the sign-in.')
    const { session } = client
    throw new AuthorizationRequiredError(
      session.status === 'signed-out' ? (session.reason ?? 'no_session') : 'no_session',
    )
  }
  const found = await read()
  if (await isValid(found)) return found.idToken
  await client.getAccessToken({ forceRefresh: true, signal })
  const renewed = await read()
  if (await isValid(renewed)) return renewed.idToken
  throw new ServerError('The server sent no new ID Token with the refresh. Call signIn() for one.', {
    error: 'invalid_response',
  })
}
