import {
  type AuthorizationServer,
  allowInsecureRequests,
  customFetch,
  type PushedAuthorizationResponse,
  processPushedAuthorizationResponse,
  pushedAuthorizationRequest,
} from 'oauth4webapi'
import { identityOf } from '../authorization/endpoint.ts'
import { toLatchkeyError } from '../authorization/failure.ts'
import { endpointOf } from '../authorization/metadata.ts'
import type { AuthorizationRequest, ExtensionContext } from '../core/extension.ts'
import { ServerError } from '../errors.ts'

/** The parameters that an error must not contain. */
const PRIVATE = ['state', 'nonce', 'id_token_hint', 'login_hint', 'code_challenge']

/** Whether the body is a successful response to a pushed request, whatever its status. */
function isAnswer(text: string): boolean {
  try {
    return typeof JSON.parse(text).request_uri === 'string'
  } catch {
    return false
  }
}

/** Prepares a response for oauth4webapi, which would report a `WWW-Authenticate` challenge, not the `error` in the body. */
async function readable(answer: Response, { quirks, warn }: ExtensionContext): Promise<Response> {
  const headers = new Headers(answer.headers)
  headers.delete('www-authenticate')
  const text = await answer.text()
  let { status } = answer
  if (status === 200 && isAnswer(text)) {
    const message = 'The pushed authorization request was answered with 200 in place of 201'
    if (!quirks.has('par_status_200')) {
      const details = { error: 'invalid_response', status, quirk: 'par_status_200' }
      throw new ServerError(`${message}. To accept this, add "par_status_200" to "quirks".`, details)
    }
    warn('quirk', `${message} (par_status_200).`)
    status = 201
  }
  return new Response(text || null, { status, headers })
}

/**
 * Pushes an authorization request (RFC 9126 section 2).
 * @throws NetworkError, ServerError with the server's `error`; ConfigurationError if the server has no such endpoint.
 */
export async function push(
  context: ExtensionContext,
  { server, parameters }: AuthorizationRequest,
): Promise<PushedAuthorizationResponse> {
  const { clientAuthentication, transport, clock, emit } = context
  const as = server as AuthorizationServer
  endpointOf(as, 'pushed_authorization_request_endpoint', clientAuthentication?.mtls)
  const [client, authentication] = identityOf(context, clock, context.serverAheadMs())
  emit({ type: 'pushed-authorization-request' })
  try {
    const answer = await pushedAuthorizationRequest(as, client, authentication, parameters, {
      [allowInsecureRequests]: true, // endpointOf() refuses http, except on loopback
      [customFetch]: transport,
    })
    const pushed = await processPushedAuthorizationResponse(as, client, await readable(answer, context))
    emit({ type: 'pushed-authorization-response', expiresInSeconds: pushed.expires_in })
    return pushed
  } catch (error) {
    const secrets = PRIVATE.flatMap(name => parameters.get(name) || [])
    secrets.push(...(clientAuthentication?.secrets?.() ?? []))
    throw toLatchkeyError(error, 'The pushed authorization request', clock.now(), secrets)
  }
}
