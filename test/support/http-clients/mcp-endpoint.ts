import { randomUUID } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { Server } from '@modelcontextprotocol/sdk/server/index.js'
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js'
import { CallToolRequestSchema } from '@modelcontextprotocol/sdk/types.js'
import { type Note, noteOf, written } from './notes.ts'

/** The MCP SDK's server with the tools `read` and `write`, and a session for each client. */
export function createMcpEndpoint() {
  const transports = new Map<string, StreamableHTTPServerTransport>()

  const open = async () => {
    const transport = new StreamableHTTPServerTransport({
      sessionIdGenerator: randomUUID,
      onsessioninitialized: id => {
        transports.set(id, transport)
      },
    })
    const server = new Server({ name: 'notes', version: '1.0.0' }, { capabilities: { tools: {} } })
    server.setRequestHandler(CallToolRequestSchema, ({ params }) => {
      const { id, text } = params.arguments as unknown as Note
      const note = params.name === 'read' ? noteOf(id) : written(text)
      return { content: [{ type: 'text', text: JSON.stringify(note) }] }
    })
    await server.connect(transport)
    return transport
  }

  return {
    async handle(request: IncomingMessage, response: ServerResponse, body: string): Promise<void> {
      const known = transports.get(String(request.headers['mcp-session-id']))
      const transport = known ?? (await open())
      await transport.handleRequest(request, response, body ? JSON.parse(body) : undefined)
    },
    async close() {
      await Promise.all([...transports.values()].map(transport => transport.close()))
    },
  }
}
