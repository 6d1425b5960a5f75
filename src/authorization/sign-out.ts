import { generateRandomState } from 'oauth4webapi'
import { SIGNED_OUT_PREFIX } from '../core/clean-url.ts'
import type { SessionRecord } from '../core/session.ts'
import { withTimeLimit } from '../core/waiting.ts'
import { NetworkError, ServerError } from '../errors.ts'
import { endpointOf } from './metadata.ts'
import { revoke, type TokenRequestPorts } from './token-request.ts'

/** How long sign-out waits for the server. What takes longer goes on, but nobody waits for it. */
const FAREWELL_MS = 3000

export interface SignOutPorts extends TokenRequestPorts {
  readonly postLogoutRedirectUri: string | undefined
  /** Shows the user the page where the provider's session ends. Settles when they are back, or will not be. */
  readonly leave: ((url: string) => Promise<void>) | undefined
}

/**
 * Tells the server that a session which was just removed here is over: revokes the refresh token, then the access
 * token (RFC 7009 section 2.1), and leaves for the end of the provider's own session (OpenID Connect RP-Initiated
 * Logout section 2). Best effort, bounded, never rejects.
 */
export async function sayGoodbye(
  ports: SignOutPorts,
  { tokens: { accessToken, refreshToken, idToken } }: SessionRecord,
  endProviderSession: boolean,
): Promise<void> {
  const { leave, clock, emit } = ports
  let leaveFor: string | undefined

  const tell = (ok: boolean) => emit({ type: 'revocation-response', ok })
  const revokeBoth = async () => {
    const { revocation_endpoint: endpoint } = await ports.server()
    if (!endpoint) return // not every server offers it
    emit({ type: 'revocation-request' })
    const isRevoked =
      refreshToken &&
      (await revoke(ports, refreshToken, 'refresh_token').then(
        () => true,
        () => false,
      ))
    // also where the server does not revoke the other kind; where it does, it may not know this one any more
    await revoke(ports, accessToken, 'access_token').catch(error => {
      const isGone = error instanceof ServerError && error.error !== 'unsupported_token_type'
      if (!isRevoked || !isGone) throw error
    })
    tell(isRevoked !== false)
  }
  const prepareToLeave = async () => {
    const url = endpointOf(await ports.server(), 'end_session_endpoint')
    url.searchParams.set('client_id', ports.clientId)
    if (idToken) url.searchParams.set('id_token_hint', idToken)
    if (ports.postLogoutRedirectUri) {
      url.searchParams.set('post_logout_redirect_uri', ports.postLogoutRedirectUri)
      url.searchParams.set('state', `${SIGNED_OUT_PREFIX}${generateRandomState()}`) // start() takes it out of the address
    }
    leaveFor = url.href
  }

  const steps = [
    revokeBoth().catch(() => tell(false)),
    leave && endProviderSession && prepareToLeave().catch(() => {}), // not every server offers it
  ]
  const late = () => new NetworkError('The server did not answer the sign-out in time.', 'timeout')
  await withTimeLimit(clock, FAREWELL_MS, () => Promise.all(steps), late).catch(() => {})
  if (!leave || !leaveFor) return
  emit({ type: 'end-session-request' })
  await leave(leaveFor)
}
