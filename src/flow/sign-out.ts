import type { Emit } from '../core/events.ts'
import type { Clock, Page } from '../core/ports.ts'
import type { SessionRecord } from '../core/session.ts'
import { withTimeLimit } from '../core/time-limit.ts'
import { NetworkError } from '../errors.ts'
import { endpointOf, type Server } from './discovery.ts'
import type { TokenRequests } from './token-request.ts'

/** How long sign-out waits for the server. What takes longer goes on, but nobody waits for it. */
const FAREWELL_MS = 3000

export interface SignOutPorts {
  readonly settings: { readonly clientId: string; readonly postLogoutRedirectUri: string | undefined }
  readonly server: Server
  readonly requests: TokenRequests
  readonly page: Page | undefined
  readonly clock: Clock
  readonly emit: Emit
}

/** Revokes the refresh token first, then the access token (RFC 7009 section 2.1). Never rejects. */
export async function revokeTokens(
  { requests, emit }: SignOutPorts,
  { tokens }: SessionRecord,
): Promise<void> {
  emit({ type: 'revocation-request' })
  try {
    if (tokens.refreshToken !== undefined) await requests.revoke(tokens.refreshToken, 'refresh_token')
    await requests.revoke(tokens.accessToken, 'access_token')
    emit({ type: 'revocation-response', ok: true })
  } catch {
    emit({ type: 'revocation-response', ok: false })
  }
}

/**
 * Tells the server that the session which was just removed here is over: revocation, then its own session
 * (OpenID Connect RP-Initiated Logout section 2). Best effort, bounded, never rejects.
 */
export async function sayGoodbye(
  ports: SignOutPorts,
  ended: SessionRecord,
  endProviderSession: boolean,
): Promise<void> {
  const { page, settings, emit } = ports
  const url = endProviderSession && page ? logoutUrl(ports, ended).catch(() => undefined) : undefined
  await withTimeLimit(
    ports.clock,
    FAREWELL_MS,
    () => Promise.all([revokeTokens(ports, ended), url]),
    () => new NetworkError('The server did not answer the sign-out in time.', 'timeout'),
  ).catch(() => {})
  const leaveFor = await Promise.race([url, undefined]) // undefined unless it is known by now
  if (!page || !leaveFor) return
  emit({ type: 'end-session-request' })
  await page.leave(leaveFor)

  async function logoutUrl({ server }: SignOutPorts, { tokens }: SessionRecord): Promise<string> {
    const logout = endpointOf(await server(), 'end_session_endpoint')
    logout.searchParams.set('client_id', settings.clientId)
    if (tokens.idToken) logout.searchParams.set('id_token_hint', tokens.idToken)
    if (settings.postLogoutRedirectUri) {
      logout.searchParams.set('post_logout_redirect_uri', settings.postLogoutRedirectUri)
    }
    return logout.href
  }
}
