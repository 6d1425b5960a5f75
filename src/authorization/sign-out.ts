import {
  allowInsecureRequests,
  customFetch,
  generateRandomState,
  processRevocationResponse,
  revocationRequest,
} from 'oauth4webapi'
import type { AuthorizationPorts } from '../core/authorization.ts'
import { SIGNED_OUT_PREFIX } from '../core/callback.ts'
import type { Warning } from '../core/events.ts'
import type { SessionRecord } from '../core/session.ts'
import { withTimeLimit } from '../core/waiting.ts'
import { ServerError } from '../errors.ts'
import type { JoinedExtensions } from './extensions.ts'
import { toLatchkeyError } from './failure.ts'
import { endpointOf } from './metadata.ts'
import type { parseSignOut } from './request-options.ts'
import { identity, type TokenRequestPorts } from './token-request.ts'
import { isOpen, type Transaction, type Transactions } from './transaction.ts'

/** The longest ID Token to send as a hint. Servers refuse longer URLs with 414 or 431. */
const LONGEST_HINT = 2000
/** How long a sign-out waits for the server. Slower requests continue in the background. */
const SERVER_MS = 3000

/** Revokes a token (RFC 7009). */
export async function revokeToken(
  ports: TokenRequestPorts,
  token: string,
  hint: 'refresh_token' | 'access_token',
): Promise<void> {
  const { server, transport, clock, warn } = ports
  const { clientAuthentication } = ports.settings
  try {
    const as = await server()
    endpointOf(as, 'revocation_endpoint', clientAuthentication?.mtls)
    const answer = await revocationRequest(as, ...identity(ports), token, {
      [allowInsecureRequests]: true,
      async [customFetch](url, init) {
        const send = () => transport(url, { ...init, keepalive: true }, true) // the page may be leaving
        const answer = await send()
        return answer.status >= 500 && !answer.headers.has('retry-after') ? send() : answer
      },
      additionalParameters: { token_type_hint: hint },
    })
    if (answer.status !== 204) return await processRevocationResponse(answer)
    const message =
      'The revocation was answered with 204 instead of 200 (RFC 7009 section 2.2): the token counts as revoked.'
    warn('revocation', message)
  } catch (error) {
    const sent = [token, ...(clientAuthentication?.secrets?.() ?? [])]
    throw toLatchkeyError(error, 'The revocation request', clock.now(), sent)
  }
}

/**
 * Ends a session at the server, after it was removed here: revokes the refresh token, then the access token (RFC 7009
 * section 2.1). Best effort, with a time limit. Does not reject because of the server.
 * @param leave set if the provider's own session is to end too (OpenID Connect RP-Initiated Logout section 2).
 * @param isHosted whether a worker revokes the tokens.
 */
export async function endAtServer(
  ports: TokenRequestPorts,
  { tokens: { accessToken, refreshToken, idToken } }: SessionRecord,
  { postLogoutRedirectUri, parameters }: ReturnType<typeof parseSignOut>,
  leave: ((url: string) => Promise<void>) | undefined,
  isHosted = false,
): Promise<void> {
  const { settings, clock, emit, warn } = ports
  let leaveFor: string | undefined

  const emitResponse = (ok: boolean) => emit({ type: 'revocation-response', ok })
  const revokeBoth = async () => {
    const { revocation_endpoint: endpoint } = await ports.server()
    if (!endpoint || !accessToken) return // the server has no such endpoint, or the session never had a token
    emit({ type: 'revocation-request' })
    const isRevoked =
      refreshToken &&
      (await revokeToken(ports, refreshToken, 'refresh_token').then(
        () => true,
        () => false,
      ))
    // even if it did not revoke the refresh token; if it did, it may have dropped this one too and refuse it as unknown
    await revokeToken(ports, accessToken, 'access_token').catch(error => {
      const isGone = error instanceof ServerError && error.error !== 'unsupported_token_type'
      if (!isRevoked || !isGone) throw error
    })
    emitResponse(isRevoked !== false)
  }
  const prepareToLeave = async () => {
    const url = endpointOf(await ports.server(), 'end_session_endpoint')
    for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, value)
    url.searchParams.set('client_id', settings.clientId)
    if (idToken && idToken.length > LONGEST_HINT) {
      const message = `The ID Token has ${idToken.length} characters, too many for a URL: latchkey left out the id_token_hint, and the provider may ask the user to confirm. Configure it to put fewer claims into the ID Token.`
      warn('id_token_hint', message)
    } else if (idToken) url.searchParams.set('id_token_hint', idToken)
    if (postLogoutRedirectUri) {
      url.searchParams.set('post_logout_redirect_uri', postLogoutRedirectUri)
      url.searchParams.set('state', `${SIGNED_OUT_PREFIX}${generateRandomState()}`) // start() removes it from the address
    }
    leaveFor = url.href
  }

  const steps = [
    isHosted || revokeBoth().catch(() => emitResponse(false)),
    leave && prepareToLeave().catch(() => {}), // the server may have no such page
  ]
  await withTimeLimit(clock, SERVER_MS, () => Promise.all(steps), Error).catch(() => {})
  if (!leave || !leaveFor) return
  emit({ type: 'end-session-request' })
  await leave(leaveFor)
}

/** Ends pending sign-ins after the user has signed out. None of them counts as part of a loop any more. Best effort. */
export async function endSignIns(transactions: Transactions, extensions: JoinedExtensions): Promise<void> {
  const all = await transactions.all()
  const end = async (one: Transaction) => {
    await transactions.move(one, isOpen(one.stage) ? 'signed-out' : 'signed-in')
    if (isOpen(one.stage)) extensions.ended(one.state)
  }
  await Promise.all(all.map(end))
}

type WarningPorts = Pick<AuthorizationPorts, 'keyValue' | 'prefix' | 'warnings' | 'warn'>

const warningsKey = (prefix: string) => `${prefix} warnings`

/** Stores the warnings of a page that leaves for the provider's sign-out page, because its log is lost. Best effort. */
export const keepWarnings = ({ keyValue, prefix, warnings }: WarningPorts): Promise<void> =>
  keyValue
    .update(warningsKey(prefix), () => (warnings().length ? [...warnings()] : undefined))
    .catch(() => {})

/** Repeats them, once, in the page that the user comes back to. */
export async function repeatWarnings({ keyValue, prefix, warn }: WarningPorts): Promise<void> {
  let kept: unknown
  const take = (found: unknown) => {
    kept = found
    return undefined
  }
  await keyValue.update(warningsKey(prefix), take).catch(() => {})
  for (const { about, message } of [kept ?? []].flat() as Warning[]) warn(about, message)
}
