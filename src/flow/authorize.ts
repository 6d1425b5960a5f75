import * as oauth from 'oauth4webapi'
import type { Clock } from '../core/ports.ts'
import { ConfigurationError } from '../errors.ts'
import { endpointOf, type Server } from './discovery.ts'
import type { Transactions } from './transaction.ts'

/** Marks our `state` among those of other libraries whose answers may come to the same page. */
const STATE_PREFIX = 'lk.'

/** Whether this `state` was made here, and for which user agent. */
export const userAgentOfState = (state: string | null): string | undefined =>
  state?.startsWith(STATE_PREFIX) ? state.split('.')[1] : undefined

export interface AuthorizationRequest {
  readonly url: string
  readonly state: string
}

/** Builds the authorization request (RFC 6749 section 4.1.1, RFC 7636 section 4.3) and saves its transaction. */
export async function beginAuthorization(
  {
    server,
    clientId,
    transactions,
    clock,
  }: {
    server: Server
    clientId: string
    transactions: Transactions
    clock: Clock
  },
  request: {
    userAgent: string
    redirectUri: string
    scope: string
    returnTo: string | undefined
    parameters: Readonly<Record<string, string>>
  },
): Promise<AuthorizationRequest> {
  const as = await server()
  const url = endpointOf(as, 'authorization_endpoint')
  endpointOf(as, 'token_endpoint') // better to fail before the user has signed in than after
  const { code_challenge_methods_supported: methods } = as
  if (methods && !methods.includes('S256')) {
    throw new ConfigurationError(
      `The authorization server ${as.issuer} says that it does not support PKCE with S256; latchkey signs in no other way.`,
    )
  }
  const { scope, redirectUri, returnTo } = request
  const state = `${STATE_PREFIX}${request.userAgent}.${oauth.generateRandomState()}`
  const codeVerifier = oauth.generateRandomCodeVerifier()
  const nonce = scope.split(' ').includes('openid') ? oauth.generateRandomNonce() : undefined
  const parameters: Record<string, string | undefined> = {
    ...request.parameters,
    client_id: clientId,
    response_type: 'code',
    redirect_uri: redirectUri,
    scope: scope || undefined,
    state,
    nonce,
    code_challenge: await oauth.calculatePKCECodeChallenge(codeVerifier),
    code_challenge_method: 'S256',
  }
  for (const [name, value] of Object.entries(parameters)) {
    if (value !== undefined) url.searchParams.set(name, value)
  }
  url.hash = ''
  await transactions.save({
    schema: 1,
    state,
    codeVerifier,
    nonce,
    redirectUri,
    scope,
    returnTo,
    createdAt: clock.now(),
  })
  return { url: url.href, state }
}
