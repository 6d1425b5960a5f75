import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import type { Client } from 'latchkey'

/** Leave `authProvider` out: with it, the transport would sign in itself. */
export const createTransport = (client: Pick<Client, 'fetch'>, url: string) =>
  new StreamableHTTPClientTransport(new URL(url), { fetch: client.fetch })
