import type { Authorization } from '../core/authorization.ts'
import type { ActionContext } from '../core/extension.ts'
import type { SessionRecord } from '../core/session.ts'
import { type AuthFetchPorts, createAuthFetch } from '../fetch/auth-fetch.ts'

/** What the client lends to functions of other entries. */
export function createActionContext(
  { clientId }: { readonly clientId: string },
  calls: AuthFetchPorts,
  current: () => SessionRecord | undefined,
  authorization: () => Promise<Authorization>,
): ActionContext {
  const { clock, started } = calls
  const allowedOrigins = new Set<string>()
  const transport = async (url: string, init: object) => (await authorization()).transport(url, init)
  const send = createAuthFetch({
    ...calls,
    send: (url, init) => transport(url as string, init as object),
    allowedOrigins,
    resources: [],
  })
  return {
    clientId,
    clock,
    transport,
    server: async () => (await authorization()).server(),
    serverAheadMs: async () => (await authorization()).serverAheadMs(),
    async session() {
      await started()
      return current()
    },
    async fetchEndpoint(name, init) {
      const url = await (await authorization()).endpoint(name)
      allowedOrigins.add(url.origin)
      return send(url.href, init)
    },
  }
}
