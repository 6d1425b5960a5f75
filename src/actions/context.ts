import { endpointOf } from '../authorization/metadata.ts'
import type { TokenRequestPorts } from '../authorization/token-request.ts'
import type { ActionContext } from '../core/extension.ts'
import type { SessionRecord } from '../core/session.ts'
import { type AuthFetchPorts, createAuthFetch } from '../fetch/auth-fetch.ts'

export interface ActionContextPorts extends AuthFetchPorts, TokenRequestPorts {
  readonly records: { readonly current: SessionRecord | undefined }
}

/** What the client lends to functions of other entries. */
export function createActionContext(ports: ActionContextPorts): ActionContext {
  const { clientId, clientAuthentication, clock, transport, server, serverTime, records } = ports
  const allowedOrigins = new Set<string>()
  const send = createAuthFetch({
    ...ports,
    send: (url, init) => transport(url as string, init as object),
    allowedOrigins,
    resources: [],
  })
  return {
    clientId,
    clock,
    transport,
    server,
    serverAheadMs: serverTime.aheadMs,
    async session() {
      await ports.started()
      return records.current
    },
    async fetchEndpoint(name, init) {
      const url = endpointOf(await server(), name, clientAuthentication?.mtls)
      allowedOrigins.add(url.origin)
      return send(url.href, init)
    },
  }
}
