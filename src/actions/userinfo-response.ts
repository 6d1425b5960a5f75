import {
  type AuthorizationServer,
  allowInsecureRequests,
  customFetch,
  processUserInfoResponse,
  validateApplicationLevelSignature,
} from 'oauth4webapi'
import { identityOf } from '../authorization/endpoint.ts'
import { toLatchkeyError } from '../authorization/failure.ts'
import type { ActionContext } from '../core/extension.ts'
import type { SessionRecord } from '../core/session.ts'
import type { StandardClaims } from '../core/token-set.ts'
import { ServerError } from '../errors.ts'

/** Claims about the signed-in user (OpenID Connect Core section 5.1). */
export interface UserInfo extends StandardClaims {
  readonly sub: string
  readonly [claim: string]: unknown
}

/** Checks and reads a UserInfo response. @throws ServerError if a check fails; NetworkError. */
export async function readUserInfo(
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
    // oauth4webapi caches the keys by object: a copy makes it fetch them again, once, in case the key is new
    await verify(as).catch(error => (isUnknownKey(error) ? verify({ ...as }) : Promise.reject(error)))
    return claims
  } catch (error) {
    const what = MEANINGS[String((error as { code?: unknown }).code)]
    if (what)
      throw new ServerError(`The UserInfo answer ${what}. Check how this client is registered.`, {
        error: 'invalid_response',
      })
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
