import type { Authorization, AuthorizationPorts } from '../core/authorization.ts'
import { createServerTime, createTransport } from './endpoint.ts'
import { joinExtensions } from './extensions.ts'
import { createAcceptDeviation } from './failure.ts'
import { createIdTokens } from './id-token.ts'
import { createServer, endpointOf, watchProtections } from './metadata.ts'
import { createRedemption } from './redemption.ts'
import { renew, requestFor } from './renewal.ts'
import { finish, rejectErrorWithoutState, type SignInPorts, signIn } from './sign-in.ts'
import { endAtServer, endSignIns, revokeToken } from './sign-out.ts'
import { refreshTokens, type TokenRequestPorts } from './token-request.ts'
import { createTransactions } from './transaction.ts'

/** Joins all that talks with the authorization server. */
export function createAuthorization(ports: AuthorizationPorts): Authorization {
  const { settings, clock, emit, warn, keyValue, prefix } = ports
  const { quirks, strict, resources } = settings
  const serverTime = createServerTime(clock)
  const transport = serverTime.watch(createTransport(ports))
  const acceptDeviation = createAcceptDeviation(quirks, warn)
  const watch = watchProtections(keyValue, prefix, strict, warn)
  const server = createServer({ settings, transport, clock, emit, acceptDeviation, watch })
  const idTokens = createIdTokens({ settings, server, transport, clock, serverTime, acceptDeviation })
  const extensions = joinExtensions(ports.extensions)
  const requests: TokenRequestPorts = {
    ...{ settings, server, extensions, transport, clock },
    ...{ serverTime, emit, warn, acceptDeviation, idTokens },
  }
  const revoke = (refreshToken: string) =>
    void revokeToken(requests, refreshToken, 'refresh_token').catch(() => {})
  const transactions = createTransactions(keyValue, `${prefix} transaction `, clock)
  const signIns: SignInPorts = { ...ports, ...requests, transactions, revoke }
  const refresh = createRedemption({
    ...ports,
    tokenType: extensions.tokenType,
    revoke,
    async redeem(record, url, attempt, signal) {
      const resource = resources.find(known => known.url === url)
      const parameters = resource && requestFor(resource, record)
      const granted = await refreshTokens(requests, record, attempt, signal, parameters)
      return renew(record, resource, granted, { ...settings, receivedAt: clock.now(), warn })
    },
  })

  return {
    prepare: server,
    refresh,
    revoke,
    signIn: (attempt, request) => signIn(signIns, attempt, request),
    finish: callback => finish(signIns, callback),
    rejectErrorWithoutState: url => rejectErrorWithoutState(signIns, url),
    async signOut(ended, leave) {
      await endSignIns(transactions, extensions)
      if (ended) await endAtServer(requests, ended, leave)
    },
    server,
    endpoint: async name => endpointOf(await server(), name, settings.clientAuthentication?.mtls),
    transport,
    serverAheadMs: serverTime.aheadMs,
  }
}
