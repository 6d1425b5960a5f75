import type { Authorization, SessionRecords } from '../core/authorization.ts'
import type { Client } from '../core/client.ts'
import { type ActionContext, actionContext } from '../core/extension.ts'
import { ConfigurationError } from '../errors.ts'
import { type AuthFetchPorts, createAuthFetch } from '../fetch/auth-fetch.ts'

/** The parts of a client that actions use. No property contains a token: only function calls return one. */
export interface ClientInternals {
  /** Created once for all actions: its fetch remembers which 401s a refresh did not cure. */
  context?: ActionContext
  readonly clientId: string
  readonly calls: AuthFetchPorts
  records(): SessionRecords
  /** Reports to all tabs and processes that this client changed the stored session. */
  changed(sessionId: string): void
  authorization(): Promise<Authorization>
  /** The client's `signIn()`, but also with user agents that do not leave the webview. */
  readonly signIn: Client['signIn']
}

/** @throws ConfigurationError if `createClient()` did not create this client. */
export function internalsOf(client: { readonly [actionContext]?: unknown }): ClientInternals {
  const parts = client[actionContext] as ClientInternals | undefined
  if (parts) return parts
  throw new ConfigurationError('"client" must be one that createClient() returned.')
}

/** Returns the context that the client's actions share. Creates it on first use. */
export function actionContextOf(client: { readonly [actionContext]?: unknown }): ActionContext {
  const parts = internalsOf(client)
  parts.context ??= createActionContext(parts)
  return parts.context
}

function createActionContext({ clientId, calls, records, authorization }: ClientInternals): ActionContext {
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
      return records().current
    },
    async fetchEndpoint(name, init) {
      const url = await (await authorization()).endpoint(name)
      allowedOrigins.add(url.origin)
      return send(url.href, init)
    },
  }
}
