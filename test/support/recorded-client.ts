import { type Client, type ClientOptions, createClient, memory } from 'latchkey'
import type { Fetch } from 'latchkey/extending'
import { session, storeSession } from '../../bench/support/stored-session.ts'

export interface RecordedClient extends Client {
  /** How many refresh requests it has made. */
  refreshes(): number
}

const { issuer, clientId } = session

/**
 * A client with a fresh session that uses the real `fetch` of this runtime. Only its token requests are answered here, each
 * with a new access token. The same code runs in Node and in a page.
 */
export async function recordedClient(
  allowedOrigins: string[],
  options: Partial<ClientOptions> = {},
): Promise<RecordedClient> {
  const store = memory()
  await storeSession(store)
  let refreshes = 0
  const send: Fetch = options.fetch ?? ((...args) => globalThis.fetch(...args))
  const client = createClient({
    server: { issuer, authorization_endpoint: `${issuer}authorize`, token_endpoint: `${issuer}token` },
    clientId,
    redirectUri: 'http://127.0.0.1/callback',
    scope: 'read',
    allowedOrigins,
    store,
    ...options,
    async fetch(...args) {
      if (String(args[0]) !== `${issuer}token`) return send(...args)
      refreshes++
      return Response.json({
        access_token: `access-${refreshes}`,
        token_type: 'Bearer',
        expires_in: 3600,
        refresh_token: `refresh-${refreshes}`,
      })
    },
  } as ClientOptions)
  await client.start()
  return Object.defineProperties(client, {
    refreshes: { value: () => refreshes },
  }) as RecordedClient
}

/** The `Authorization` header of such a client's first request. */
export const firstAuthorization = `Bearer ${session.accessToken}`
