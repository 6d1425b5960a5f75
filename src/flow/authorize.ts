import {
  calculatePKCECodeChallenge,
  generateRandomCodeVerifier,
  generateRandomNonce,
  generateRandomState,
} from 'oauth4webapi'
import type { Extensions } from '../core/capability.ts'
import type { Clock } from '../core/ports.ts'
import type { Resource } from '../core/resource.ts'
import { ConfigurationError } from '../errors.ts'
import { nameState } from './callback.ts'
import { endpointOf, type Server } from './discovery.ts'
import type { Transactions } from './transaction.ts'

export interface AuthorizationPorts {
  readonly server: Server
  readonly clientId: string
  readonly resources: readonly Resource[]
  readonly extensions: Extensions
  readonly transactions: Transactions
  readonly clock: Clock
}

/** What is asked for this time. */
export interface AuthorizationChoice {
  readonly userAgent: string
  readonly redirectUri: string
  readonly scope: string
  readonly returnTo: string | undefined
  readonly parameters: Readonly<Record<string, string>>
}

/** Builds the authorization request (RFC 6749 section 4.1.1, RFC 7636 section 4.3) and saves its transaction. */
export async function beginAuthorization(
  { server, clientId, resources, extensions, transactions, clock }: AuthorizationPorts,
  { userAgent, redirectUri, scope, returnTo, parameters }: AuthorizationChoice,
): Promise<{ url: string; state: string }> {
  const as = await server()
  const url = endpointOf(as, 'authorization_endpoint')
  endpointOf(as, 'token_endpoint') // better to fail before the user has signed in than after
  if (as.code_challenge_methods_supported?.includes('S256') === false) {
    throw new ConfigurationError(
      `${as.issuer} does not support PKCE with S256, without which latchkey does not sign in.`,
    )
  }
  const createdAt = clock.now()
  const state = nameState(userAgent, createdAt, generateRandomState())
  const codeVerifier = generateRandomCodeVerifier()
  const nonce = scope.split(' ').includes('openid') ? generateRandomNonce() : undefined
  const own: Record<string, string | undefined> = {
    ...parameters,
    client_id: clientId,
    response_type: 'code',
    redirect_uri: redirectUri,
    scope: scope || undefined,
    state,
    nonce,
    code_challenge: await calculatePKCECodeChallenge(codeVerifier),
    code_challenge_method: 'S256',
  }
  const request = new URLSearchParams()
  for (const [name, value] of Object.entries(own)) if (value !== undefined) request.set(name, value)
  const indicators = new Set(resources.map(({ parameters }) => parameters.resource))
  for (const indicator of indicators) if (indicator) request.append('resource', indicator) // RFC 8707 section 2.1
  const extended = { server: as, sessionId: state, parameters: request }
  await extensions.authorizationRequest(extended)
  if (as.require_pushed_authorization_requests && !extensions.pushRequest) {
    throw new ConfigurationError(
      `${as.issuer} takes pushed authorization requests only (RFC 9126): add par() of latchkey/par to "extensions".`,
    )
  }
  const sent = (await extensions.pushRequest?.(extended)) ?? request
  for (const name of new Set(sent.keys())) url.searchParams.delete(name) // ours count
  for (const [name, value] of sent) url.searchParams.append(name, value)
  url.hash = ''
  const silent = parameters.prompt === 'none' ? true : undefined
  const secrets = { state, codeVerifier, nonce }
  await transactions.save({ schema: 1, ...secrets, redirectUri, scope, returnTo, createdAt, silent })
  return { url: url.href, state }
}
