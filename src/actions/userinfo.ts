import {
  type AuthorizationServer,
  allowInsecureRequests,
  customFetch,
  processUserInfoResponse,
  validateApplicationLevelSignature,
} from 'oauth4webapi'
import { identityOf } from '../authorization/endpoint.ts'
import { toLatchkeyError } from '../authorization/failure.ts'
import { judgeAnswer } from '../core/challenge.ts'
import type { Client } from '../core/client.ts'
import { type ActionContext, actionContext } from '../core/extension.ts'
import type { SessionRecord } from '../core/session.ts'
import { AuthorizationRequiredError, ConfigurationError, ServerError } from '../errors.ts'

/** Claims about the user who is signed in (OpenID Connect Core section 5.1). */
export interface UserInfo {
  readonly sub: string
  readonly [claim: string]: unknown
}

export interface UserInfoOptions {
  /**
   * The `userinfo_signed_response_alg` of this client's registration, such as `RS256`: then an answer that is not signed
   * by it is refused. Default: both kinds of answers are taken, and a signature is checked where there is one.
   */
  signedResponseAlg?: string
  signal?: AbortSignal
}

/**
 * Asks the server about the user who is signed in (OpenID Connect Core section 5.3). The session does not change.
 * @throws AuthorizationRequiredError when nobody is signed in (any more); ConfigurationError when the session has no ID
 * Token, or the server no UserInfo endpoint; ServerError for an answer that is refused, such as one about somebody else;
 * NetworkError when it may succeed later.
 */
export async function userInfo(
  client: Pick<Client, 'session' | typeof actionContext>,
  { signedResponseAlg, signal }: UserInfoOptions = {},
): Promise<UserInfo> {
  const context = client[actionContext]
  const session = await context.session()
  if (!session) throw new AuthorizationRequiredError('no_session')
  const subject = session.tokens.claims?.sub
  if (!subject) {
    throw new ConfigurationError(
      'UserInfo needs the scope "openid": without an ID Token nobody knows whose it is.',
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
    throw new ServerError(`The UserInfo request was refused: ${error}.`, { error, status })
  }
  return read(context, response, subject, signedResponseAlg, session)
}

async function read(
  context: ActionContext,
  response: Response,
  subject: string,
  signedResponseAlg: string | undefined,
  { tokens }: SessionRecord,
): Promise<UserInfo> {
  const { transport, clock } = context
  const as = (await context.server()) as AuthorizationServer
  const isSigned = /^application\/jwt\s*(;|$)/i.test(response.headers.get('content-type') ?? '')
  const [identity] = identityOf(context, clock, await context.serverAheadMs())
  const client = { ...identity, userinfo_signed_response_alg: signedResponseAlg }
  try {
    const { id_token_signing_alg_values_supported: usual = ['RS256'] } = as
    const known = { userinfo_signing_alg_values_supported: usual, ...as }
    const claims = await processUserInfoResponse(known, client, subject, response)
    if (!isSigned) return claims
    const verify = (by: AuthorizationServer) =>
      validateApplicationLevelSignature(by, response, {
        [allowInsecureRequests]: true,
        [customFetch]: transport,
      })
    // keys are kept by the object: a key that is new since they were fetched is looked for once
    await verify(as).catch(error => (isUnknownKey(error) ? verify({ ...as }) : Promise.reject(error)))
    return claims
  } catch (error) {
    const what = MEANINGS[String((error as { code?: unknown }).code)]
    if (what) throw new ServerError(`The UserInfo answer ${what}.`, { error: 'invalid_response' })
    const { accessToken, refreshToken = accessToken } = tokens
    throw toLatchkeyError(error, 'The UserInfo request', clock.now(), [accessToken, refreshToken])
  }
}

const isUnknownKey = (error: unknown) => (error as { code?: string }).code === 'OAUTH_KEY_SELECTION_FAILED'

const MEANINGS: Readonly<Record<string, string>> = {
  OAUTH_JSON_ATTRIBUTE_COMPARISON_FAILED: 'is about somebody else than the ID Token',
  OAUTH_JWT_CLAIM_COMPARISON_FAILED: 'is of another issuer, or for another client',
  OAUTH_JWT_USERINFO_EXPECTED: 'is not signed, as "signedResponseAlg" says it is',
  OAUTH_UNSUPPORTED_OPERATION: 'is encrypted, or signed in a way that is not supported',
}
