import type { Authorization, SessionRecords } from '../core/authorization.ts'
import type { Client } from '../core/client.ts'
import { type ActionContext, actionContext } from '../core/extension.ts'
import type { SessionRecord } from '../core/session.ts'
import { ConfigurationError } from '../errors.ts'
import { type AuthFetchPorts, createAuthFetch } from '../fetch/auth-fetch.ts'

/** Parts of a client that its actions work with. Nothing that holds a secret hangs on them. */
export interface LentParts {
  /** Made once for all actions: it remembers what a refresh did not help. */
  context?: ActionContext
  readonly clientId: string
  readonly calls: AuthFetchPorts
  current(): SessionRecord | undefined
  readonly amend: SessionRecords['amend']
  authorization(): Promise<Authorization>
  /** In any way, also one that leaves no webview. */
  readonly signIn: Client['signIn']
}

/** @throws ConfigurationError for a client of somebody else's making. */
export function lentPartsOf(client: { readonly [actionContext]?: unknown }): LentParts {
  const parts = client[actionContext] as LentParts | undefined
  if (parts) return parts
  throw new ConfigurationError('"client" must be one that createClient() returned.')
}

/** What an action is given to work with, made of what the client lends it. */
export function actionContextOf(client: { readonly [actionContext]?: unknown }): ActionContext {
  const parts = lentPartsOf(client)
  parts.context ??= createActionContext(parts)
  return parts.context
}

function createActionContext({ clientId, calls, current, authorization }: LentParts): ActionContext {
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
