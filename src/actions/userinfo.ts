import { judgeAnswer } from '../core/challenge.ts'
import type { Client } from '../core/client.ts'
import type { actionContext } from '../core/extension.ts'
import { notLoaded } from '../core/waiting.ts'
import { AuthorizationRequiredError, ConfigurationError, ServerError } from '../errors.ts'
import { actionContextOf } from './context.ts'
import type { UserInfo } from './userinfo-response.ts'

export type { UserInfo } from './userinfo-response.ts'

export interface UserInfoOptions {
  /**
   * The `userinfo_signed_response_alg` of this client's registration, such as `RS256`. latchkey then refuses a response that
   * is not signed with it. Default: latchkey accepts unsigned responses, and checks the signature of signed ones.
   */
  signedResponseAlg?: string
  signal?: AbortSignal
}

/**
 * Requests the claims about the signed-in user from the server (OpenID Connect Core section 5.3). The session does not
 * change.
 * @throws AuthorizationRequiredError if nobody is signed in, or the session ends meanwhile; ConfigurationError if the
 * session has no ID Token, or the server has no UserInfo endpoint; ServerError if the server refuses the request, or the
 * response fails a check, for example because it is about another user; NetworkError if latchkey cannot reach the server.
 */
export async function userInfo(
  client: Pick<Client, 'session' | typeof actionContext>,
  { signedResponseAlg, signal }: UserInfoOptions = {},
): Promise<UserInfo> {
  const context = actionContextOf(client)
  const session = await context.session()
  if (!session) throw new AuthorizationRequiredError('no_session')
  const subject = session.tokens.claims?.sub
  if (!subject) {
    throw new ConfigurationError(
      'UserInfo requires the scope "openid": latchkey compares its "sub" with the ID Token.',
    )
  }
  const response = await context.fetchEndpoint('userinfo_endpoint', {
    method: 'GET',
    headers: { accept: signedResponseAlg ? 'application/jwt' : 'application/json, application/jwt' },
    credentials: 'omit',
    redirect: 'manual',
    signal,
  })
  const now = await context.session()
  if (now?.sessionId !== session.sessionId) {
    const ended = client.session.status === 'signed-out' ? client.session.reason : undefined
    throw new AuthorizationRequiredError(now ? 'replaced' : (ended ?? 'signed_out'))
  }
  const { status, headers } = response
  if (status === 401 || status === 403) {
    const { error = 'invalid_token' } = judgeAnswer(status, headers.get('www-authenticate'), [
      session.tokens.accessToken,
      now.tokens.accessToken,
    ])
    throw new ServerError(`The UserInfo request was refused: ${error}. Check "scope", or sign in again.`, {
      error,
      status,
    })
  }
  const { readUserInfo } = await import('./userinfo-response.ts').catch(notLoaded)
  return readUserInfo(context, response, subject, signedResponseAlg, session)
}
