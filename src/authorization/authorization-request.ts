import {
  calculatePKCECodeChallenge,
  generateRandomCodeVerifier,
  generateRandomNonce,
  generateRandomState,
} from 'oauth4webapi'
import { nameState } from '../core/callback.ts'
import type { ClientAuthentication, Extensions } from '../core/extension.ts'
import type { Clock } from '../core/ports.ts'
import type { Resource } from '../core/resource.ts'
import { ConfigurationError } from '../errors.ts'
import { endpointOf, type Server } from './metadata.ts'
import { checkSignIn, type SignInCheckPorts } from './sign-in-checks.ts'
import type { Transactions } from './transaction.ts'

export interface AuthorizationPorts extends SignInCheckPorts {
  readonly server: Server
  readonly clientId: string
  readonly resources: readonly Resource[]
  readonly clientAuthentication: ClientAuthentication | undefined
  readonly extensions: Extensions
  readonly transactions: Transactions
  /** What a sign-in that begins now has to be stored with. */
  epoch(): Promise<number | undefined>
  readonly clock: Clock
}

/** What is asked for this time. */
export interface AuthorizationChoice {
  readonly userAgent: string
  readonly redirectUri: string
  readonly scope: string
  readonly returnTo: string | undefined
  readonly parameters: Readonly<Record<string, string>>
  /** One of these authentication context classes, joined by spaces, is a must. */
  readonly acrValues?: string | undefined
  /** With `prompt=none`: nobody else than this user. */
  readonly subject?: string | undefined
}

/** What `claims` asks for as essential (OpenID Connect Core section 5.5.1.1). */
function essentialAcr(claims: string | undefined): string[] | undefined {
  try {
    const { acr } = JSON.parse(claims as string).id_token
    return acr.essential ? [acr.values ?? acr.value ?? []].flat() : undefined
  } catch {
    return undefined // the server will say what is wrong with it
  }
}

/** Builds the authorization request (RFC 6749 section 4.1.1, RFC 7636 section 4.3) and saves its transaction. */
export async function beginAuthorization(
  ports: AuthorizationPorts,
  { userAgent, redirectUri, scope, returnTo, parameters, acrValues, subject }: AuthorizationChoice,
): Promise<{ url: string; state: string }> {
  const { server, clientId, clientAuthentication, resources, extensions, transactions, clock } = ports
  const as = await server()
  const url = endpointOf(as, 'authorization_endpoint')
  endpointOf(as, 'token_endpoint', clientAuthentication?.mtls) // better to fail before the user has signed in than after
  await checkSignIn(ports, as, redirectUri)
  const createdAt = clock.now()
  const state = nameState(userAgent, generateRandomState())
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
  const silent = parameters.prompt === 'none' ? true : undefined
  const secrets = { state, codeVerifier, nonce }
  const acr = nonce ? (acrValues?.split(' ') ?? essentialAcr(parameters.claims)) : undefined
  const maxAge = nonce && /^\d+$/.test(parameters.max_age ?? '') ? Number(parameters.max_age) : undefined
  const demands = { silent, subject, acr, maxAge } as const
  const begun = { epoch: await ports.epoch(), stage: 'waiting', createdAt } as const
  await transactions.save({ schema: 1, ...secrets, redirectUri, scope, returnTo, ...begun, ...demands })
  // last of all: what it gives may hold for seconds only
  const sent = (await extensions.pushRequest?.(extended)) ?? request
  for (const name of new Set(sent.keys())) url.searchParams.delete(name) // ours count
  for (const [name, value] of sent) url.searchParams.append(name, value)
  url.hash = ''
  return { url: url.href, state }
}
