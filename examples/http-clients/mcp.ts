import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import type { Client } from 'latchkey'

/** Without `authProvider`, with which the transport signs in by itself. */
export const createTransport = (client: Pick<Client, 'fetch'>, url: string) =>
  new StreamableHTTPClientTransport(new URL(url), { fetch: client.fetch })
